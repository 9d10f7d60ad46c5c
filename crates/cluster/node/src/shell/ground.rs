//! What all pods of the node stand on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::client::Client;
use deploy_cluster_net::network::Network;
use deploy_sandbox::{Sandbox, Sandboxes};
use tokio::sync::Semaphore;

use super::events::Recorder;
use super::source::{ImageSource, ReadyImage};
use crate::environment::Lookups;
use crate::environment::dns::{ClusterDns, Resolver};
use crate::node_object::Facts;
use crate::pod::Pod;
use crate::volumes::mounts::Prepared;
use crate::volumes::shell::Volumes;

/// The parts that effects are carried out with.
pub(super) struct Ground {
    pub client: Client,
    pub sandboxes: Sandboxes,
    pub network: Network,
    pub images: Arc<dyn ImageSource>,
    pub volumes: Arc<Volumes>,
    pub lookups: Arc<dyn Lookups>,
    pub recorder: Recorder,
    pub facts: Facts,
    pub dns: ClusterDns,
    /// Of the machine.
    pub resolver: Resolver,
    pub logs: PathBuf,
    /// Seccomp profiles that manifests name.
    pub profiles: PathBuf,
    /// Of the kernel's work that starts something.
    pub starts: Semaphore,
}

impl Ground {
    /// The folder of a pod's logs (`BuildPodLogsDirectory`).
    pub fn log_folder(&self, pod: &Pod) -> PathBuf {
        self.logs
            .join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid))
    }

    /// The log of an attempt.
    pub fn log_path(&self, pod: &Pod, container: &str, attempt: u32) -> PathBuf {
        self.log_folder(pod)
            .join(container)
            .join(format!("{attempt}.log"))
    }
}

/// What a pod has on the node, for its worker and for those who look into it.
#[derive(Default)]
pub(super) struct Place {
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub sandbox: Option<Sandbox>,
    pub prepared: Option<Arc<Prepared>>,
    /// By container.
    pub images: HashMap<String, ReadyImage>,
    /// Attempts whose program cannot be run, and why: people see that as a start that failed, as with containerd.
    pub doomed: HashMap<String, String>,
}

impl Place {
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sandbox(&self) -> Option<Sandbox> {
        self.lock().sandbox.clone()
    }
}
