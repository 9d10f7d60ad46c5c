//! Where the shell gets images from.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::pod::{ImageFacts, PullFailure};

/// An image whose layers lie on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadyImage {
    /// What the status says of it.
    pub facts: ImageFacts,
    /// What always comes first.
    pub entrypoint: Vec<String>,
    /// What a manifest's `args` replace.
    pub cmd: Vec<String>,
    /// `NAME=value`
    pub env: Vec<String>,
    /// Empty for `/`.
    pub working_dir: String,
    /// `name`, `uid`, `name:group`, `uid:gid`; empty for root.
    pub user: String,
    /// Topmost first.
    pub layers: Vec<PathBuf>,
}

/// Whom a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Further groups that the image gives the user.
    pub groups: Vec<u32>,
}

/// What a container asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The pod; its imagePullSecrets count.
    pub pod: Arc<Value>,
    /// As the manifest names it.
    pub image: String,
    /// `Always`, `IfNotPresent`, `Never`
    pub policy: String,
}

/// What people are told meanwhile: reason, text, and whether something is wrong.
pub type Tell<'a> = &'a (dyn Fn(&str, &str, bool) + Send + Sync);

/// Gives all pods of the node.
pub type PodsNow = Box<dyn Fn() -> Vec<Arc<Value>> + Send + Sync>;

/// Takes reason and text of a warning about the node.
pub type Warn = Box<dyn Fn(&str, &str) + Send + Sync>;

/// A future of this module.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Has images, or gets them.
pub trait ImageSource: Send + Sync {
    /// The image that a container asks for, pulled where its policy wants that. Tells `Pulling`, `Pulled`, `Failed`,
    /// `InspectFailed`, `ErrImageNeverPull` in upstream's words; the back-off between pulls is the engine's.
    fn ensure<'a>(&'a self, ask: &'a Ask, tell: Tell<'a>) -> Answer<'a, Result<ReadyImage, PullFailure>>;

    /// The user of an image, as its files know it: `name` is empty for root, a name, a number, each with a group or
    /// without. Blocks shortly.
    ///
    /// # Errors
    /// A name that its files do not know.
    fn identity(&self, image: &ReadyImage, name: &str) -> Result<Identity, String>;

    /// All images, as names and bytes, the largest first.
    fn list(&self) -> Vec<(Vec<String>, u64)>;

    /// From now on sees to it that images do not fill the disk, until [`ImageSource::shut_down`].
    fn start_cleaning(self: Arc<Self>, pods: PodsNow, warn: Warn);

    /// Ends what runs by itself, and waits for what still writes.
    fn shut_down(&self) -> Answer<'_, ()>;
}
