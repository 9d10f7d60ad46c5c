//! Takes samples, and tells what follows from the last two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::options::Query;
use deploy_cluster_api::request::Request;
use deploy_cluster_api::usage::{Measures, Used};
use serde_json::Value;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::rates::{Points, Rates};
use super::{cadvisor, collect, disk, resource, summary};
use crate::limits;
use crate::shell::View;

/// Measures one node; clones share what was measured.
#[derive(Clone)]
pub struct Meter {
    inner: Arc<Inner>,
}

struct Inner {
    view: View,
    rates: Mutex<Rates>,
}

impl Meter {
    /// Of the node that `view` shows; nothing is measured before [`Meter::serve`].
    pub fn new(view: View) -> Meter {
        Meter {
            inner: Arc::new(Inner {
                view,
                rates: Mutex::default(),
            }),
        }
    }

    /// Measures at once, and again and again until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(limits::MEASURE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let work = async {
            loop {
                ticks.tick().await;
                let sample = collect(&self.inner.view).await;
                self.rates().store(Points::of(&sample));
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// `/metrics/cadvisor`
    pub async fn cadvisor(&self) -> String {
        cadvisor::text(&collect(&self.inner.view).await, self.inner.view.facts())
    }

    /// `/metrics/resource`
    pub async fn resource(&self) -> String {
        resource::text(&collect(&self.inner.view).await)
    }

    /// `/stats/summary`, with what the disks hold unless the query asks for `only_cpu_and_memory`.
    pub async fn summary(&self, request: &Request) -> Value {
        let sample = collect(&self.inner.view).await;
        let short = Query::parse(&request.query).first("only_cpu_and_memory") == Some("true");
        let disks = if short {
            None
        } else {
            let (view, sample) = (self.inner.view.clone(), sample.clone());
            let read = tokio::task::spawn_blocking(move || disk::read(&view, &sample)).await;
            Some(read.unwrap_or_default())
        };
        let rates = self.rates().clone();
        summary::document(&sample, self.inner.view.facts(), &rates, disks.as_ref())
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.inner.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measures for Meter {
    fn node(&self, name: &str) -> Option<Used> {
        (name == self.inner.view.name())
            .then(|| self.rates().node())
            .flatten()
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<Vec<(String, Used)>> {
        self.rates().pod(namespace, name)
    }
}
