//! Images of containers: pull policies, bounded and shared pulls, the reasons of failures, garbage collection.
//!
//! [`Images::ensure`] has an image or says why not, in the kubelet's words; waiting between failed pulls is the pod
//! engine's business. [`collect::plan`] decides what goes when the disk is full, [`Images::collect`] carries it out.
//! The store is deploy-image's, the registry deploy-registry-client's.

pub mod cleaning;
pub mod collect;
pub mod keyring;
pub mod limits;
pub mod policy;
mod pull;
mod source;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use deploy_image::{Image, Store, StoreError};
use deploy_model::image::Digest;
use deploy_registry_client::Client;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::collect::{Collected, Ledger};
use self::keyring::Keyring;
pub use self::policy::PullPolicy;
use self::policy::{Check, check};
pub use self::pull::PullError;
use self::pull::Pulls;
use crate::pod::back_off::shown;

/// Gives the secret of a namespace and name.
pub type Secrets = Box<dyn Fn(&str, &str) -> Option<Arc<Value>> + Send + Sync>;

/// The images of a node.
pub struct Images {
    store: Arc<Store>,
    pulls: Pulls,
    secrets: Secrets,
    stop: CancellationToken,
    ledger: Mutex<Ledger>,
}

/// Something that people see as an event of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `Warning`, else `Normal`.
    pub warning: bool,
    /// `Pulling`, `Pulled`, `Failed` ...
    pub reason: &'static str,
    /// The kubelet's words.
    pub message: String,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsureError {
    /// `ErrImagePull`, `ErrImageNeverPull`, `InvalidImageName`: the reason in the status.
    pub reason: &'static str,
    /// Of the status.
    pub message: String,
    /// Whether a registry was asked, so that the next time waits longer.
    pub pulled: bool,
}

impl Images {
    /// Images of this store, pulled with this client; `secrets` finds what pods name as their `imagePullSecrets`.
    pub fn new(store: Arc<Store>, client: Client, secrets: Secrets) -> Self {
        Self {
            pulls: Pulls::new(Arc::clone(&store), client),
            store,
            secrets,
            stop: CancellationToken::new(),
            ledger: Mutex::default(),
        }
    }

    /// The store itself.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Has the image that a container names, by its policy; pulls it with what the keyring holds for it. `notice` is
    /// told what becomes an event of the pod, in order (pkg/kubelet/images/image_manager.go, `EnsureImageExists`).
    pub async fn ensure(
        &self,
        requested: &str,
        policy: PullPolicy,
        keyring: &Keyring,
        notice: &(dyn Fn(Notice) + Send + Sync),
    ) -> Result<Arc<Image>, EnsureError> {
        let tell = |warning, reason, message: &str| {
            notice(Notice {
                warning,
                reason,
                message: message.to_owned(),
            });
        };
        let refuse = |reason, message| EnsureError {
            reason,
            message,
            pulled: false,
        };
        let reference = match requested.parse() {
            Ok(reference) => reference,
            Err(error) => {
                let message = policy::invalid_name(requested, &error);
                tell(true, "InspectFailed", &message);
                return Err(refuse("InvalidImageName", message));
            }
        };
        match check(policy, self.store.find(requested)) {
            Check::Present(image) => {
                tell(false, "Pulled", &policy::present(requested));
                return Ok(image);
            }
            Check::Never => {
                let message = policy::never(requested);
                tell(true, "ErrImageNeverPull", &message);
                return Err(refuse("ErrImageNeverPull", message));
            }
            Check::Pull => {}
        }
        tell(false, "Pulling", &format!("Pulling image \"{requested}\""));
        let start = Instant::now();
        match self
            .pulls
            .pull(&reference, &keyring.lookup(&reference.name()))
            .await
        {
            Ok(pulled) => {
                let (own, whole) = (shown(pulled.took), shown(policy::in_ms(start.elapsed())));
                let size = pulled.image.size;
                let message = format!(
                    "Successfully pulled image \"{requested}\" in {own} ({whole} including waiting). Image size: {size} bytes."
                );
                tell(false, "Pulled", &message);
                Ok(pulled.image)
            }
            Err(error) => {
                let message = error.to_string();
                tell(
                    true,
                    "Failed",
                    &format!("Failed to pull image \"{requested}\": {message}"),
                );
                Err(EnsureError {
                    reason: "ErrImagePull",
                    message,
                    pulled: true,
                })
            }
        }
    }

    /// Removes images that no container uses, if the disk is fuller than it should be. To be called every five
    /// minutes, as the kubelet does; it also learns what is used since when.
    pub fn collect(&self, in_use: &HashSet<Digest>, now: Timestamp) -> Result<Collected, StoreError> {
        let images = self.store.list()?;
        let usage = self.store.disk_usage()?;
        let plan = {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.observe(&images, in_use, now);
            collect::plan(&ledger, usage, in_use, now)
        };
        let mut collected = Collected {
            wanted: plan.wanted,
            ..Collected::default()
        };
        if !plan.remove.is_empty() {
            let pruned = self.store.prune(&|image| plan.remove.contains(&image.id))?;
            collected.freed = pruned.images.iter().map(|image| image.size).sum();
            collected.removed = pruned.images;
        }
        Ok(collected)
    }

    /// Ends the cleaning, and waits for what still writes. Pulls that nobody waits for any more end by themselves.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.pulls.shut_down().await;
    }
}

/// The `image` of a container's status: the image's first tag, else its first digest, else what was asked for
/// (containerd, pkg/cri/server/container_status.go).
pub fn status_name(image: &Image, requested: &str) -> String {
    let name = image.tags.first().or(image.digests.first());
    name.map_or_else(|| requested.to_owned(), ToString::to_string)
}

/// The `imageID` of a container's status: the name by digest, else the id of an image that no registry gave.
pub fn status_id(image: &Image) -> String {
    let name = image.digests.first().map(ToString::to_string);
    name.unwrap_or_else(|| image.id.to_string())
}
