//! What a job's root is made of: layers, mounts, and the variables that go with it.

mod host;
mod mask;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use deploy_image::{Hold, Store};
use deploy_sandbox::Mount;

use crate::error::JobsError;
use crate::labels::Place;
use crate::room::locked;
pub(crate) use host::Machine;

/// Layers for an overlay, and what comes with them.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// Lower folders, topmost first.
    pub(crate) lower: Vec<PathBuf>,
    /// Parts of the machine that no overlay can reach.
    pub(crate) mounts: Vec<Mount>,
    /// `PATH`, `HOME` and what an image sets.
    pub(crate) environment: BTreeMap<String, String>,
    /// Keeps the image's layers from being removed.
    _hold: Option<Arc<Hold>>,
}

/// Where roots come from.
pub(crate) struct Roots {
    machine: Machine,
    images: PathBuf,
    /// Opened once, when the first job wants an image.
    store: Mutex<Option<Arc<Store>>>,
}

/// Without a word from an image or the machine (Docker's default).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Roots {
    /// `folder` takes the masks of the machine, `images` is the store of images.
    pub(crate) fn new(folder: &Path, images: &Path, machine: Machine) -> Roots {
        Roots {
            machine: machine.kept_in(folder),
            images: images.to_owned(),
            store: Mutex::default(),
        }
    }

    /// The root that a label stands for. Blocks: it walks the machine's `/etc`, or opens the store.
    pub(crate) fn make(&self, place: &Place) -> Result<Root, JobsError> {
        match place {
            Place::Host => self.machine.root(),
            Place::Image(name) => self.image(name),
        }
    }

    fn store(&self) -> Result<Arc<Store>, JobsError> {
        let mut store = locked(&self.store);
        if let Some(store) = store.as_ref() {
            return Ok(store.clone());
        }
        let opened = Arc::new(Store::open(&self.images)?);
        Ok(store.insert(opened).clone())
    }

    fn image(&self, name: &str) -> Result<Root, JobsError> {
        let store = self.store()?;
        let hold = store.hold()?;
        let image = store.find(name).ok_or_else(|| JobsError::NoImage {
            name: name.to_owned(),
        })?;
        let mut environment: BTreeMap<String, String> = [("PATH".to_owned(), PATH.to_owned())].into();
        let pairs = image.config.env.iter().filter_map(|pair| pair.split_once('='));
        environment.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Root {
            lower: image.layers.clone(),
            mounts: Vec::new(),
            environment,
            _hold: Some(Arc::new(hold)),
        })
    }
}
