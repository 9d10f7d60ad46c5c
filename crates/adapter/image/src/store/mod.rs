//! The store on the disk, and what may be done with it.
//!
//! ```text
//! format                 the version of this layout
//! lock                   held shared by whoever brings layers, exclusively by whoever removes them
//! index.json, .lock      images, their names and layers; replaced as a whole
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

use deploy_model::image::{Digest, Reference};

pub use self::error::StoreError;
pub use self::load::Loaded;
pub use self::prune::Pruned;
pub use self::users::{User, UserError};
use self::index::{Index, LayerRecord, Record, Stamp};
use crate::config::Config;
use crate::limits;
use crate::manifest::{Descriptor, Manifest};
use crate::{hash, platform};

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
        store.current()?;
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

    /// Keeps layers from being removed until it is dropped.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let path = self.root.join("lock");
        let lock = disk::lock(&path, disk::Sharing::Shared)?;
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

    /// Makes an image of layers that are there. The reference gets it as its tag or digest; another image that had the
    /// tag loses it.
    pub fn commit(
        &self,
        reference: &Reference,
        manifest: &[u8],
        config: &[u8],
    ) -> Result<Arc<Image>, StoreError> {
        let parsed = Manifest::parse(manifest)?;
        let digest = hash::of(manifest);
        if let Some(expected) = reference.digest()
            && *expected != hash::of_kind(expected.algorithm(), manifest)
        {
            return Err(StoreError::Digest {
                what: "manifest",
                expected: expected.clone(),
                found: digest,
            });
        }
        let names = [Some(reference.clone()), Some(reference.at(digest.clone()))];
        self.commit_as(&names.map(Option::unwrap_or_else_never), &parsed, manifest, config)
    }
}
