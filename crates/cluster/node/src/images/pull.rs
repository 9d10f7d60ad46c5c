//! Pulls: bounded, and one for all who want the same.

use deploy_model::with_causes;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deploy_image::{Config, Image, Store, StoreError};
use deploy_model::image::manifest::{Descriptor, Platform};
use deploy_model::image::{Digest, Reference};
use deploy_registry_client::{Client, Credentials, RegistryError, Resolved};
use hyper::body::Bytes;
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::limits;
use super::policy::in_ms;

/// Why a pull failed, in containerd's words, which people search for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// The registry did not give the manifest.
    #[error("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {reason}")]
    Resolve {
        /// The full name.
        image: String,
        /// The registry's part of it.
        reason: String,
    },
    /// The image is for other machines.
    #[error("failed to pull and unpack image \"{image}\": {reason}")]
    Platform {
        /// The full name.
        image: String,
        /// Which one is missing.
        reason: String,
    },
    /// A layer did not come.
    #[error("failed to pull and unpack image \"{image}\": failed to copy: {reason}")]
    Fetch {
        /// The full name.
        image: String,
        /// Why.
        reason: String,
    },
    /// A layer could not be unpacked, or the image not be recorded.
    #[error("failed to pull and unpack image \"{image}\": failed to extract layer: {reason}")]
    Unpack {
        /// The full name.
        image: String,
        /// Why.
        reason: String,
    },
}

/// An image, and how long its own pull took.
#[derive(Clone, Debug)]
pub struct Pulled {
    pub image: Arc<Image>,
    pub took: Duration,
}

type Outcome = Result<Pulled, PullError>;

/// What makes two pulls the same: others' credentials must not open an image.
type Key = (Reference, Vec<Credentials>);

/// The pulls of a node.
pub struct Pulls {
    store: Arc<Store>,
    client: Client,
    running: Mutex<HashMap<Key, Arc<OnceCell<Outcome>>>>,
    places: Semaphore,
    /// Threads that unpack.
    tasks: TaskTracker,
}

impl Pulls {
    pub fn new(store: Arc<Store>, client: Client) -> Self {
        Self {
            store,
            client,
            running: Mutex::default(),
            places: Semaphore::new(limits::PULLS_MAX),
            tasks: TaskTracker::new(),
        }
    }

    /// Pulls the image, or waits for the same pull of another.
    pub async fn pull(&self, reference: &Reference, credentials: &[Credentials]) -> Outcome {
        let key: Key = (reference.clone(), credentials.to_vec());
        let cell = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            // Pulls whose last waiter has gone away.
            running.retain(|_, cell| Arc::strong_count(cell) > 1);
            Arc::clone(running.entry(key.clone()).or_default())
        };
        // Whoever drives it may go away: then the next who waits starts it again, and finds the layers that are done.
        let outcome = cell
            .get_or_init(|| self.in_turn(reference, credentials))
            .await
            .clone();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.get(&key).is_some_and(|other| Arc::ptr_eq(other, &cell)) {
            running.remove(&key);
        }
        outcome
    }

    /// Runs a task that [`Pulls::shut_down`] waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Runs what blocks on a thread that [`Pulls::shut_down`] waits for.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.tasks.spawn_blocking(work).await
    }

    /// Waits for the threads that unpack; what feeds them is gone with the pulls.
    pub async fn shut_down(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn in_turn(&self, reference: &Reference, credentials: &[Credentials]) -> Outcome {
        let _place = self
            .places
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let start = Instant::now();
        let image = self.with_any(reference, credentials).await?;
        Ok(Pulled {
            image,
            took: in_ms(start.elapsed()),
        })
    }

    /// With one after the other of the credentials; without any if there are none.
    async fn with_any(
        &self,
        reference: &Reference,
        credentials: &[Credentials],
    ) -> Result<Arc<Image>, PullError> {
        let platform = Platform::own();
        let mut tries: Vec<Option<&Credentials>> = credentials.iter().map(Some).collect();
        if tries.is_empty() {
            tries.push(None);
        }
        let mut failures: Vec<RegistryError> = Vec::new();
        for credentials in tries {
            match self.client.resolve(reference, &platform, credentials).await {
                Ok(resolved) => return self.fetch(reference, resolved, credentials, &platform).await,
                Err(error) => {
                    if !failures.contains(&error) {
                        failures.push(error);
                    }
                }
            }
        }
        let image = reference.to_string();
        Err(match &failures[..] {
            [error @ RegistryError::Platform { .. }] => PullError::Platform {
                image,
                reason: error.to_string(),
            },
            [error] => PullError::Resolve {
                image,
                reason: error.to_string(),
            },
            several => {
                let all: Vec<String> = several.iter().map(ToString::to_string).collect();
                PullError::Resolve {
                    image,
                    reason: format!("[{}]", all.join(", ")),
                }
            }
        })
    }

    /// Brings the layers that are missing and records the image.
    async fn fetch(
        &self,
        reference: &Reference,
        resolved: Resolved,
        credentials: Option<&Credentials>,
        platform: &Platform,
    ) -> Result<Arc<Image>, PullError> {
        let image = reference.to_string();
        let no_unpack = |error: &dyn std::error::Error| PullError::Unpack {
            image: image.clone(),
            reason: with_causes(error),
        };
        let (config, diff_ids) = Config::parse(&resolved.config).map_err(|error| no_unpack(&error))?;
        let stated = config.platform();
        if !stated.os.is_empty() && !platform.runs(&stated) {
            return Err(PullError::Platform {
                image,
                reason: RegistryError::Platform {
                    platform: platform.clone(),
                }
                .to_string(),
            });
        }
        let layers = &resolved.parsed.layers;
        if layers.len() != diff_ids.len() {
            return Err(no_unpack(&StoreError::LayerCount {
                manifest: layers.len(),
                config: diff_ids.len(),
            }));
        }
        let store = Arc::clone(&self.store);
        let hold = self.tasks.spawn_blocking(move || store.hold());
        let _hold = hold
            .await
            .map_err(|error| no_unpack(&error))?
            .map_err(|error| no_unpack(&error))?;
        let wanted = layers.iter().cloned().zip(diff_ids.iter().cloned());
        self.layers(reference, wanted, credentials).await?;
        let mut names = vec![reference.at(resolved.digest.clone())];
        if reference.digest().is_none() {
            names.insert(0, reference.clone());
        }
        let store = Arc::clone(&self.store);
        let record = self
            .tasks
            .spawn_blocking(move || store.commit(&names, &resolved.manifest, &resolved.config));
        record
            .await
            .map_err(|error| no_unpack(&error))?
            .map_err(|error| no_unpack(&error))
    }

    /// Some at once. The first failure ends the others.
    async fn layers(
        &self,
        reference: &Reference,
        wanted: impl Iterator<Item = (Descriptor, Digest)>,
        credentials: Option<&Credentials>,
    ) -> Result<(), PullError> {
        let mut set = JoinSet::new();
        let mut wanted = wanted.filter(|(_, diff_id)| !self.store.has_layer(diff_id));
        loop {
            while set.len() < limits::LAYERS_AT_ONCE {
                let Some((layer, diff_id)) = wanted.next() else {
                    break;
                };
                let job = LayerJob {
                    store: Arc::clone(&self.store),
                    client: self.client.clone(),
                    tasks: self.tasks.clone(),
                    reference: reference.clone(),
                    credentials: credentials.cloned(),
                    layer,
                    diff_id,
                };
                set.spawn(job.run());
            }
            match set.join_next().await {
                None => return Ok(()),
                Some(Ok(outcome)) => outcome?,
                Some(Err(error)) => {
                    return Err(PullError::Unpack {
                        image: reference.to_string(),
                        reason: error.to_string(),
                    });
                }
            }
        }
    }
}

/// One layer on its way from the registry to the disk.
struct LayerJob {
    store: Arc<Store>,
    client: Client,
    tasks: TaskTracker,
    reference: Reference,
    credentials: Option<Credentials>,
    layer: Descriptor,
    diff_id: Digest,
}

impl LayerJob {
    async fn run(self) -> Result<(), PullError> {
        let no_copy = |error: RegistryError| PullError::Fetch {
            image: self.reference.to_string(),
            reason: error.to_string(),
        };
        let mut blob = self
            .client
            .blob(&self.reference, &self.layer, self.credentials.as_ref())
            .await
            .map_err(no_copy)?;
        let (sender, receiver) = mpsc::channel(limits::CHUNKS_IN_FLIGHT);
        let store = Arc::clone(&self.store);
        let (digest, diff_id) = (self.layer.digest.clone(), self.diff_id.clone());
        let unpacking = self.tasks.spawn_blocking(move || {
            let mut bytes = Chunks {
                receiver,
                current: Bytes::new(),
                ended: false,
            };
            store.ingest(Some(&digest), &diff_id, &mut bytes)
        });
        let mut broken = None;
        loop {
            let piece = match blob.next().await {
                Ok(Some(chunk)) => Piece::Bytes(chunk),
                Ok(None) => Piece::End,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            };
            let last = matches!(piece, Piece::End);
            // The other side has gone: it knows why.
            if sender.send(piece).await.is_err() || last {
                break;
            }
        }
        drop(sender);
        let unpacked = unpacking.await;
        if let Some(error) = broken {
            return Err(no_copy(error));
        }
        let no_unpack = |error: &dyn std::error::Error| PullError::Unpack {
            image: self.reference.to_string(),
            reason: with_causes(error),
        };
        unpacked
            .map_err(|error| no_unpack(&error))?
            .map_err(|error| no_unpack(&error))?;
        Ok(())
    }
}

enum Piece {
    Bytes(Bytes),
    End,
}

/// What the network brings, as the unpacking thread reads it. A channel that closes before the end is a failure:
/// half of a layer must not look like a whole one.
struct Chunks {
    receiver: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            match self.receiver.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::Error::other("the transfer was given up")),
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
