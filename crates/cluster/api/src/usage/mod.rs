//! `metrics.k8s.io`: what nodes and pods use now. Elsewhere that is metrics-server, behind the aggregator; here whoever
//! measures the machine is asked in this process, and the group is served as long as there is somebody to ask.
//!
//! Facts: `kubernetes-sigs/metrics-server pkg/api`, `k8s.io/metrics/pkg/apis/metrics/v1beta1`.

mod answer;
mod objects;
mod register;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use answer::{answer, is_asked};
pub(crate) use register::{forget, resources};

use crate::api::Api;
use crate::status::StatusError;

/// The group.
pub const GROUP: &str = "metrics.k8s.io";
/// Its version.
pub const VERSION: &str = "v1beta1";

/// What something uses: a rate over a window, and an amount at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// The end of the window.
    pub at: Timestamp,
    /// The time between the two measurements that the rate is made of.
    pub window: Duration,
    /// 10^-9 cores.
    pub cpu_nanocores: u64,
    /// Working set.
    pub memory_bytes: u64,
}

/// Measures nodes and pods. None: there are no two measurements yet.
pub trait Measures: Send + Sync {
    /// A node.
    fn node(&self, name: &str) -> Option<Used>;

    /// The containers of a pod by name; none where one of them has no rate yet.
    fn pod(&self, namespace: &str, name: &str) -> Option<Vec<(String, Used)>>;
}

/// Who is asked.
#[derive(Default)]
pub(crate) struct Measurer {
    connected: RwLock<Option<Arc<dyn Measures>>>,
}

impl Measurer {
    fn set(&self, measures: Option<Arc<dyn Measures>>) {
        *self.connected.write().unwrap_or_else(PoisonError::into_inner) = measures;
    }

    pub fn find(&self) -> Option<Arc<dyn Measures>> {
        self.connected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Api {
    /// Serves `metrics.k8s.io` from these measurements, with the role that lets those who may view read them.
    ///
    /// # Errors
    /// What the writes met.
    pub async fn connect_measures(&self, measures: Arc<dyn Measures>) -> Result<(), StatusError> {
        self.inner.measurer.set(Some(measures));
        self.inner.definitions.add(resources());
        register::write(self).await
    }

    /// From now on the group is not served.
    pub async fn disconnect_measures(&self) {
        self.inner.definitions.add(Vec::new());
        self.inner.measurer.set(None);
        // Whoever starts next looks again.
        forget(self).await.ok();
    }
}
