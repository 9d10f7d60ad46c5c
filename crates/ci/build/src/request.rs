//! What is asked of the builder, what it works with, and what comes out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use deploy_image::Store;
use deploy_model::image::manifest::Platform;
use deploy_model::image::{Digest, Reference};
use deploy_registry_client::{Client, Credentials};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that COPY takes files from.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: PathBuf,
    /// A stage; none is the last one.
    pub target: Option<String>,
    /// `--build-arg`.
    pub arguments: BTreeMap<String, String>,
    /// `--secret`: by their ids. They have no text form.
    pub secrets: BTreeMap<String, Secret>,
    /// Names of the image.
    pub tags: Vec<Reference>,
    /// Labels of the image, over those of the Dockerfile.
    pub labels: BTreeMap<String, String>,
    /// Every tag is pushed to its registry.
    pub push: bool,
    /// An OCI archive to write.
    pub output: Option<PathBuf>,
    /// No time in the image is later: equal input gives equal bytes.
    pub source_date_epoch_s: Option<u64>,
    /// What the image is for.
    pub platform: Platform,
    /// Nothing is taken from the cache.
    pub no_cache: bool,
    /// Base images are asked for at their registries, even if they are here.
    pub pull: bool,
}

impl Request {
    /// The Dockerfile in the context, for this machine.
    pub fn new(context: impl Into<PathBuf>) -> Self {
        let context = context.into();
        Self {
            dockerfile: context.join("Dockerfile"),
            context,
            target: None,
            arguments: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tags: Vec::new(),
            labels: BTreeMap::new(),
            push: false,
            output: None,
            source_date_epoch_s: None,
            platform: Platform::own(),
            no_cache: false,
            pull: false,
        }
    }
}

/// Something that is in no layer, log or process list.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// These bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Finds the credentials for a repository.
pub type Keyring = Arc<dyn Fn(&Reference) -> Option<Credentials> + Send + Sync>;

/// What the builder works with.
#[derive(Clone)]
pub struct Parts {
    /// Where base images are and the image comes to.
    pub store: Arc<Store>,
    /// The builder's own folder: packed layers, the cache, cache mounts.
    pub folder: PathBuf,
    /// What is executed as a shim: a program whose `main` begins with `deploy_sandbox::shim::dispatch`.
    pub program: PathBuf,
    /// Asks registries, and brings images to them.
    pub client: Client,
    /// Who we are there.
    pub keyring: Keyring,
    /// Where the sandbox's connections live. The build itself blocks its thread.
    pub runtime: Handle,
    /// Ends the build.
    pub cancel: CancellationToken,
}

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of its configuration: its id.
    pub id: Digest,
    /// Layers, those of its base included.
    pub layers: usize,
    /// Bytes of its packed layers.
    pub size: u64,
    /// Steps that make layers.
    pub steps: usize,
    /// Those of them that were not carried out, because their layers were there.
    pub cached: usize,
    /// Arguments that were given and that the Dockerfile does not declare.
    pub unused_arguments: Vec<String>,
}

/// What happens meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Step {
        /// Of all steps of needed stages, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its stage.
        stage: String,
        /// As it is written.
        text: String,
        /// Its layer is there: nothing is done.
        cached: bool,
    },
    /// It says a line.
    Output {
        /// Of which step.
        number: usize,
        /// Without its end.
        line: String,
    },
    /// It is done.
    Done {
        /// Which one.
        number: usize,
        /// Milliseconds.
        took_ms: u64,
    },
    /// A base image is fetched.
    Pulling {
        /// Its name.
        name: String,
    },
    /// A tag is pushed.
    Pushing {
        /// Its name.
        name: String,
    },
}

/// Hears what happens.
pub type Progress<'a> = dyn FnMut(Event) + 'a;
