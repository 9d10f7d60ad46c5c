//! Images and layers go.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use deploy_model::image::{Digest, Reference};

use super::disk::{self, Scratch, Sharing};
use super::{Image, Store, StoreError, layer};

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images that are gone.
    pub images: Vec<Arc<Image>>,
    /// Layers that no image needs any more.
    pub layers: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// Somebody brings layers now, so that none was removed: the next prune does.
    pub busy: bool,
}

impl Store {
    /// Removes the images that `goes` names, and every layer that no image needs any more. Whoever calls knows which
    /// images are in use: an overlay does not survive the removal of its lower folders.
    pub fn prune(&self, goes: &dyn Fn(&Image) -> bool) -> Result<Pruned, StoreError> {
        let images: Vec<Arc<Image>> = self.list()?.into_iter().filter(|image| goes(image)).collect();
        let ids: HashSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        if !ids.is_empty() {
            self.change(|index| {
                index.images.retain(|record| !ids.contains(record.id.as_str()));
                Ok(())
            })?;
        }
        let mut pruned = self.remove_unused()?;
        pruned.images = images;
        Ok(pruned)
    }

    /// Takes a name away; the image goes with its last one. An id takes the image with all its names.
    pub fn remove(&self, text: &str) -> Result<Pruned, StoreError> {
        let image = self.find(text).ok_or_else(|| StoreError::NoImage {
            name: text.to_owned(),
        })?;
        let by_id = text.strip_prefix("sha256:").unwrap_or(text) == image.id.hex();
        let name = match text.parse::<Reference>() {
            Ok(reference) if !by_id => Some(reference.to_string()),
            _ => None,
        };
        let gone = self.change(|index| {
            let Some(at) = index
                .images
                .iter()
                .position(|record| record.id == image.id.as_str())
            else {
                return Ok(false);
            };
            let record = &mut index.images[at];
            if let Some(name) = &name {
                record.tags.retain(|tag| tag != name);
                record.digests.retain(|digest| digest != name);
            }
            let goes = name.is_none() || record.tags.is_empty();
            if goes {
                index.images.remove(at);
            }
            Ok(goes)
        })?;
        let mut pruned = self.remove_unused()?;
        if gone {
            pruned.images.push(image);
        }
        Ok(pruned)
    }

    fn remove_unused(&self) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        let Some(_alone) = disk::try_lock(&self.root.join("lock"))? else {
            pruned.busy = true;
            return Ok(pruned);
        };
        // The index does not change meanwhile: whoever commits finds its layers or fails.
        let _index = disk::lock(&self.root.join("index.lock"), Sharing::Alone)?;
        let index = super::index::Index::read(&self.root)?;
        let mut layers = HashSet::new();
        let mut documents = HashSet::new();
        for record in &index.images {
            documents.extend([record.id.as_str(), record.manifest.as_str()].map(hex_of));
            for id in &record.layers {
                if let Ok(id) = id.parse::<Digest>() {
                    layers.insert(layer::folder(&self.root, &id));
                }
            }
        }
        let scratch = Scratch::new(&self.root.join("tmp"))?;
        for path in entries(&self.root.join("layers"))? {
            if layers.contains(&path) {
                continue;
            }
            pruned.layers += 1;
            pruned.bytes += layer::size(&path);
            // First away from its name, in one step: half of a layer must never have one.
            let aside = scratch.path.join(pruned.layers.to_string());
            fs::rename(&path, &aside).map_err(|error| StoreError::disk(&path, error))?;
        }
        for path in entries(&self.root.join("documents"))? {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if !documents.contains(name) {
                fs::remove_file(&path).map_err(|error| StoreError::disk(&path, error))?;
            }
        }
        Ok(pruned)
    }
}

fn hex_of(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

fn entries(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>, StoreError> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| StoreError::disk(folder, error))
}
