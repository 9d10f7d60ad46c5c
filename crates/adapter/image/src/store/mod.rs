//! The store on the disk, and what may be done with it.
//!
//! ```text
//! format                 the version of this layout
//! lock                   held shared by whoever brings layers, exclusively by whoever removes them
//! index.json, index.lock images, their names and layers; replaced as a whole
//! documents/HEX          manifests and configurations, by digest
//! layers/HEX/            a layer: `layer.json` and `fs/`; 32 digits, because overlayfs' options fit into 4 KiB
//! tmp/                   what is not whole yet
//! ```
//!
//! Several processes may have it open: the server, and `deploy cluster image`.

mod disk;
mod error;
mod index;
mod layer;
mod load;
mod prune;
mod users;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_model::image::manifest::{Document, ManifestError};
use deploy_model::image::{Digest, Reference};

pub use self::error::StoreError;
pub use self::load::Loaded;
pub use self::prune::Pruned;
pub use self::users::{User, UserError, user_in};

use self::disk::Sharing;
use self::index::{Index, Record, Stamp};
use crate::config::Config;
use crate::hash;

/// The layout of the folder; another number is another program's.
const FORMAT: &str = "1\n";

/// An image that is whole: its layers are there, ready for an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration, which is what Kubernetes calls the image's id.
    pub id: Digest,
    /// Its full names with a tag.
    pub tags: Vec<Reference>,
    /// Its full names with the digest of the manifest by which it came.
    pub digests: Vec<Reference>,
    /// Bytes of its layers as they lie on the disk, plus its configuration.
    pub size: u64,
    /// What it runs.
    pub config: Config,
    /// Lower folders for an overlay, topmost first.
    pub layers: Vec<PathBuf>,
}

/// A layer that is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its plain tar.
    pub diff_id: Digest,
    /// Its files.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub size: u64,
}

/// As long as it lives no layer is removed, named by an image or not. Whoever pulls holds one.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

/// A folder on the store's file system, as long as it lives.
#[derive(Debug)]
pub struct Workspace {
    scratch: disk::Scratch,
}

impl Workspace {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.scratch.path
    }
}

/// The disk that the store is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskUsage {
    /// All bytes of the file system.
    pub capacity: u64,
    /// Bytes that may still be written.
    pub available: u64,
}

/// The store of images in a folder.
pub struct Store {
    root: PathBuf,
    state: Mutex<State>,
}

/// The index as it was last read, and how its file looked then.
#[derive(Default)]
struct State {
    stamp: Option<Stamp>,
    index: Index,
    images: Vec<Arc<Image>>,
}

impl Store {
    /// Opens the folder, makes it if need be, and removes what a crash left.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in ["documents", "layers", "tmp"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|error| StoreError::disk(&path, error))?;
        }
        disk::close_to_others(root)?;
        let format = root.join("format");
        match fs::read_to_string(&format) {
            Ok(text) if text == FORMAT => {}
            Ok(_) => return Err(StoreError::Format { path: format }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                disk::replace(root, "format", FORMAT.as_bytes())?;
            }
            Err(error) => return Err(StoreError::disk(&format, error)),
        }
        disk::sweep(&root.join("tmp"))?;
        let store = Self {
            root: root.to_owned(),
            state: Mutex::default(),
        };
        drop(store.current()?);
        Ok(store)
    }

    /// The image of this name (`nginx`, `host/a:1`, `name@sha256:...`) or id (`sha256:...`, 64 digits).
    pub fn find(&self, text: &str) -> Option<Arc<Image>> {
        let state = self.current().ok()?;
        let id = text.strip_prefix("sha256:").unwrap_or(text);
        if let Ok(id) = format!("sha256:{id}").parse::<Digest>() {
            return state.images.iter().find(|image| image.id == id).cloned();
        }
        let reference: Reference = text.parse().ok()?;
        state.named(&reference)
    }

    /// Every image, in order of its first name.
    pub fn list(&self) -> Result<Vec<Arc<Image>>, StoreError> {
        Ok(self.current()?.images.clone())
    }

    /// How full the disk of the store is.
    pub fn disk_usage(&self) -> Result<DiskUsage, StoreError> {
        let status =
            rustix::fs::statvfs(&self.root).map_err(|errno| StoreError::disk(&self.root, errno.into()))?;
        Ok(DiskUsage {
            capacity: status.f_blocks.saturating_mul(status.f_frsize),
            available: status.f_bavail.saturating_mul(status.f_frsize),
        })
    }

    /// Keeps layers from being removed until it is dropped.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let lock = disk::lock(&self.root.join("lock"), Sharing::Shared)?;
        Ok(Hold { _lock: lock })
    }

    /// Whether the layer with this digest of its plain tar is unpacked.
    pub fn has_layer(&self, diff_id: &Digest) -> bool {
        layer::find(&self.root, diff_id).is_some()
    }

    /// Unpacks a layer from a stream of its packed bytes, unless it is there already. Both digests are checked before it
    /// counts; `packed` is left out where nobody stated it. Whatever goes wrong, nothing is left.
    pub fn ingest(
        &self,
        packed: Option<&Digest>,
        diff_id: &Digest,
        bytes: &mut dyn Read,
    ) -> Result<Layer, StoreError> {
        layer::ingest(&self.root, packed, diff_id, bytes)
    }

    /// The layer with this digest of its plain tar, if it is unpacked.
    pub fn layer(&self, diff_id: &Digest) -> Option<Layer> {
        layer::find(&self.root, diff_id)
    }

    /// Takes a folder inside a [`Store::workspace`] as the layer with this digest of its plain tar: it moves, and is not
    /// packed and unpacked again. Whoever calls has computed the digest with [`crate::pack_upper`] from this folder;
    /// `size` is that of its files.
    pub fn adopt(&self, diff_id: &Digest, folder: &Path, size: u64) -> Result<Layer, StoreError> {
        layer::adopt(&self.root, diff_id, folder, size)
    }

    /// A new folder on the store's file system, for what becomes a layer. It is gone when it is dropped, or, after a
    /// crash, when the store is opened again.
    pub fn workspace(&self) -> Result<Workspace, StoreError> {
        let scratch = disk::Scratch::new(&self.root.join("tmp"))?;
        Ok(Workspace { scratch })
    }

    /// The manifest (none for images of docker's archives) and the configuration of an image, byte for byte.
    pub fn documents(&self, image: &Image) -> Result<(Option<Vec<u8>>, Vec<u8>), StoreError> {
        let read = |digest: &str| {
            let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
            let path = self.root.join("documents").join(hex);
            fs::read(&path).map_err(|error| StoreError::disk(&path, error))
        };
        let manifest = {
            let state = self.current()?;
            let record = state
                .index
                .images
                .iter()
                .find(|record| record.id == image.id.as_str());
            record
                .map(|record| record.manifest.clone())
                .filter(|digest| !digest.is_empty())
        };
        let manifest = manifest.map(|digest| read(&digest)).transpose()?;
        Ok((manifest, read(image.id.as_str())?))
    }

    /// Makes an image of layers that are there, under these names. Another image that had one of them loses it.
    pub fn commit(
        &self,
        names: &[Reference],
        manifest: &[u8],
        config: &[u8],
    ) -> Result<Arc<Image>, StoreError> {
        let Document::Manifest(parsed) = Document::parse(manifest)? else {
            return Err(ManifestError::Field("layers").into());
        };
        let expected = parsed.config.digest;
        let found = Digest::of(expected.algorithm(), config);
        if found != expected {
            return Err(StoreError::Digest {
                what: "configuration",
                expected,
                found,
            });
        }
        let (_, diff_ids) = Config::parse(config)?;
        if diff_ids.len() != parsed.layers.len() {
            return Err(StoreError::LayerCount {
                manifest: parsed.layers.len(),
                config: diff_ids.len(),
            });
        }
        self.record(names, Some(manifest), config)
    }

    /// The same without a manifest, which docker's archives lack.
    fn record(
        &self,
        names: &[Reference],
        manifest: Option<&[u8]>,
        config: &[u8],
    ) -> Result<Arc<Image>, StoreError> {
        let (_, diff_ids) = Config::parse(config)?;
        let id = hash::of(config);
        let (digests, tags): (Vec<&Reference>, Vec<&Reference>) =
            names.iter().partition(|name| name.digest().is_some());
        let texts = |names: Vec<&Reference>| names.into_iter().map(Reference::to_string).collect();
        let manifest = manifest.map(|bytes| (hash::of(bytes), bytes));
        let record = Record {
            id: id.to_string(),
            tags: texts(tags),
            digests: texts(digests),
            manifest: manifest
                .as_ref()
                .map_or_else(String::new, |(digest, _)| digest.to_string()),
            layers: diff_ids.iter().map(Digest::to_string).collect(),
        };
        self.change(|index| {
            if let Some(diff_id) = diff_ids.iter().find(|diff_id| !self.has_layer(diff_id)) {
                return Err(StoreError::LayerMissing {
                    diff_id: diff_id.clone(),
                });
            }
            let documents = self.root.join("documents");
            if let Some((digest, bytes)) = &manifest {
                disk::replace(&documents, digest.hex(), bytes)?;
            }
            disk::replace(&documents, id.hex(), config)?;
            index.add(record);
            Ok(())
        })?;
        self.find(id.as_str())
            .ok_or(StoreError::NoImage { name: id.to_string() })
    }

    /// Changes the index on the disk, alone among all processes.
    fn change<T>(&self, change: impl FnOnce(&mut Index) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _lock = disk::lock(&self.root.join("index.lock"), Sharing::Alone)?;
        let mut index = Index::read(&self.root)?;
        let outcome = change(&mut index)?;
        index.write(&self.root)?;
        Ok(outcome)
    }

    /// What the index says now: read again only where another has replaced it.
    fn current(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.root)?;
        if stamp.is_none() || state.stamp != stamp {
            let index = Index::read(&self.root)?;
            state.images = index
                .images
                .iter()
                .filter_map(|record| self.image(record))
                .map(Arc::new)
                .collect();
            state
                .images
                .sort_by(|a, b| (&a.tags, &a.digests, &a.id).cmp(&(&b.tags, &b.digests, &b.id)));
            state.index = index;
            state.stamp = stamp;
        }
        Ok(state)
    }

    /// An image of the index; none if something of it is gone, so that it is pulled anew.
    fn image(&self, record: &Record) -> Option<Image> {
        let id: Digest = record.id.parse().ok()?;
        let bytes = fs::read(self.root.join("documents").join(id.hex())).ok()?;
        if hash::of(&bytes) != id {
            return None;
        }
        let (config, _) = Config::parse(&bytes).ok()?;
        let layers: Vec<Layer> = record
            .layers
            .iter()
            .map(|layer| layer::find(&self.root, &layer.parse().ok()?))
            .collect::<Option<_>>()?;
        let references = |names: &[String]| names.iter().filter_map(|name| name.parse().ok()).collect();
        Some(Image {
            id,
            tags: references(&record.tags),
            digests: references(&record.digests),
            size: layers.iter().map(|layer| layer.size).sum::<u64>() + bytes.len() as u64,
            config,
            layers: layers.into_iter().rev().map(|layer| layer.folder).collect(),
        })
    }
}

impl State {
    /// The image of a full name. Where it has a digest the tag does not count, as for containerd; the digest is that of
    /// a name it was pulled by, or of the manifest of an image that has a tag in the same repository.
    fn named(&self, reference: &Reference) -> Option<Arc<Image>> {
        let Some(digest) = reference.digest() else {
            return self
                .images
                .iter()
                .find(|image| image.tags.contains(reference))
                .cloned();
        };
        let plain = reference.at(digest.clone());
        let by_name = self.images.iter().find(|image| image.digests.contains(&plain));
        let by_manifest = || {
            let record = self
                .index
                .images
                .iter()
                .find(|record| record.manifest == digest.as_str())?;
            self.images.iter().find(|image| {
                let same = |tag: &Reference| tag.name() == reference.name();
                image.id.as_str() == record.id && image.tags.iter().any(same)
            })
        };
        by_name.or_else(by_manifest).cloned()
    }
}
