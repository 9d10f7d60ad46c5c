//! Base images: from the store, else from their registry, with their packed layers.

use deploy_model::with_causes;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use deploy_image::{Config, Image, Store};
use deploy_model::image::manifest::{Document, Platform};
use deploy_model::image::{Digest, Reference};
use serde::{Deserialize, Serialize};

use crate::blobs::{Blobs, replace};
use crate::cache::Layer;
use crate::commit;
use crate::config::Base;
use crate::error::BuildError;
use crate::limits;
use crate::request::{Event, Parts, Progress};

/// An image that a stage begins with, or takes files from.
#[derive(Clone, Debug)]
pub struct Found {
    /// The digest of its configuration.
    pub id: Digest,
    /// What it says.
    pub base: Base,
    /// Its layers, lowest first, all unpacked and all packed.
    pub layers: Vec<Layer>,
}

/// Finds images, each once a build.
pub struct Bases<'a> {
    parts: &'a Parts,
    store: &'a Store,
    blobs: &'a Blobs,
    /// Records of layers that had to be packed anew, by the image's id.
    folder: PathBuf,
    pull: bool,
    found: HashMap<String, Arc<Found>>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    diff_id: String,
    digest: String,
    size: u64,
    media_type: String,
}

impl<'a> Bases<'a> {
    pub fn open(parts: &'a Parts, blobs: &'a Blobs, pull: bool) -> Result<Self, BuildError> {
        let folder = parts.folder.join("bases");
        fs::create_dir_all(&folder).map_err(|error| BuildError::disk(&folder, error))?;
        Ok(Self {
            parts,
            store: &parts.store,
            blobs,
            folder,
            pull,
            found: HashMap::new(),
        })
    }

    /// The image of a name: why there is none, in words.
    pub fn find(&mut self, name: &str, progress: &mut Progress<'_>) -> Result<Arc<Found>, String> {
        if let Some(found) = self.found.get(name) {
            return Ok(Arc::clone(found));
        }
        let reference: Reference = name.parse().map_err(|error| format!("{error}"))?;
        let known = if self.pull { None } else { self.store.find(name) };
        let image = match known {
            Some(image) => image,
            None => {
                progress(Event::Pulling {
                    name: reference.to_string(),
                });
                self.pull(&reference)?
            }
        };
        let found = self.packed(&image).map_err(|error| with_causes(&error))?;
        let found = Arc::new(found);
        self.found.insert(name.to_owned(), Arc::clone(&found));
        Ok(found)
    }

    /// The image with its packed layers. Where they are not here (an image that came as an archive, or that a node has
    /// pulled), they are packed once more.
    fn packed(&self, image: &Image) -> Result<Found, BuildError> {
        let (manifest, config) = self.store.documents(image)?;
        let base = Base::parse(&config).map_err(deploy_image::StoreError::from)?;
        let stated = manifest.and_then(|bytes| match Document::parse(&bytes) {
            Ok(Document::Manifest(manifest)) => Some(manifest.layers),
            _ => None,
        });
        let stated: Vec<Layer> = stated
            .into_iter()
            .flatten()
            .zip(&base.diff_ids)
            .map(|(layer, diff_id)| Layer {
                diff_id: diff_id.clone(),
                digest: layer.digest,
                size: layer.size,
                media_type: layer.media_type,
            })
            .collect();
        let whole = |layers: &[Layer]| {
            layers.len() == base.diff_ids.len()
                && layers.iter().all(|layer| {
                    self.blobs.has(&layer.digest, layer.size) && self.store.has_layer(&layer.diff_id)
                })
        };
        let layers = if whole(&stated) {
            stated
        } else {
            match self.recorded(&image.id).filter(|layers| whole(layers)) {
                Some(layers) => layers,
                None => self.again(image)?,
            }
        };
        Ok(Found {
            id: image.id.clone(),
            base,
            layers,
        })
    }

    fn again(&self, image: &Image) -> Result<Vec<Layer>, BuildError> {
        let mut layers = Vec::new();
        for folder in image.layers.iter().rev() {
            let layer = commit::pack_again(self.blobs, folder)?;
            if !self.store.has_layer(&layer.diff_id) {
                let path = self.blobs.path(&layer.digest);
                let mut file = File::open(&path).map_err(|error| BuildError::disk(&path, error))?;
                self.store
                    .ingest(Some(&layer.digest), &layer.diff_id, &mut file)?;
            }
            layers.push(layer);
        }
        let records: Vec<Record> = layers
            .iter()
            .map(|layer| Record {
                diff_id: layer.diff_id.to_string(),
                digest: layer.digest.to_string(),
                size: layer.size,
                media_type: layer.media_type.clone(),
            })
            .collect();
        let bytes = serde_json::to_vec(&records).expect("plain fields are JSON");
        replace(&self.folder.join(image.id.hex()), &bytes)?;
        Ok(layers)
    }

    fn recorded(&self, id: &Digest) -> Option<Vec<Layer>> {
        let bytes = fs::read(self.folder.join(id.hex())).ok()?;
        let records: Vec<Record> = serde_json::from_slice(&bytes).ok()?;
        records
            .into_iter()
            .map(|record| {
                Some(Layer {
                    diff_id: record.diff_id.parse().ok()?,
                    digest: record.digest.parse().ok()?,
                    size: record.size,
                    media_type: record.media_type,
                })
            })
            .collect()
    }

    fn pull(&self, reference: &Reference) -> Result<Arc<Image>, String> {
        let pulling = async {
            tokio::select! {
                pulled = tokio::time::timeout(limits::PULL_DEADLINE, self.pulled(reference)) => {
                    pulled.unwrap_or_else(|_| Err("it takes too long".to_owned()))
                }
                () = self.parts.cancel.cancelled() => Err("the build was ended".to_owned()),
            }
        };
        self.parts.runtime.block_on(pulling)
    }

    async fn pulled(&self, reference: &Reference) -> Result<Arc<Image>, String> {
        let platform = Platform::own();
        let credentials = (self.parts.keyring)(reference);
        let client = &self.parts.client;
        let resolved = client
            .resolve(reference, &platform, credentials.as_ref())
            .await
            .map_err(|error| with_causes(&error))?;
        let (config, diff_ids) = Config::parse(&resolved.config).map_err(|error| error.to_string())?;
        let stated = config.platform();
        if !stated.os.is_empty() && !platform.runs(&stated) {
            return Err(format!("it is for {stated}, this machine is {platform}"));
        }
        if diff_ids.len() != resolved.parsed.layers.len() {
            return Err("its manifest and its configuration have different numbers of layers".to_owned());
        }
        for (layer, diff_id) in resolved.parsed.layers.iter().zip(&diff_ids) {
            if !self.blobs.has(&layer.digest, layer.size) {
                let mut blob = client
                    .blob(reference, layer, credentials.as_ref())
                    .await
                    .map_err(|error| with_causes(&error))?;
                let part = self.blobs.begin().map_err(|error| with_causes(&error))?;
                // The client checks the bytes while they come.
                while let Some(chunk) = blob.next().await.map_err(|error| with_causes(&error))? {
                    let mut file = &part.file;
                    std::io::Write::write_all(&mut file, &chunk).map_err(|error| error.to_string())?;
                }
                self.blobs
                    .keep(&part, &layer.digest)
                    .map_err(|error| with_causes(&error))?;
            }
            if !self.store.has_layer(diff_id) {
                let mut file =
                    File::open(self.blobs.path(&layer.digest)).map_err(|error| error.to_string())?;
                self.store
                    .ingest(Some(&layer.digest), diff_id, &mut file)
                    .map_err(|error| with_causes(&error))?;
            }
        }
        let mut names = vec![reference.at(resolved.digest.clone())];
        if reference.digest().is_none() {
            names.insert(0, reference.clone());
        }
        self.store
            .commit(&names, &resolved.manifest, &resolved.config)
            .map_err(|error| with_causes(&error))
    }
}
