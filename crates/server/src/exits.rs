//! The way out of jobs: the bridge and the table of the cluster's network, under a name of their own.

use deploy_model::with_causes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use deploy_cluster_net::addresses::Cidr;
use deploy_cluster_net::network::{Network, Options};
use deploy_jobs::{Later, NetworkExit, NetworkExits};

/// Jobs have no services. The network wants a range for them all the same: one that is for documents only (RFC 5737).
const NO_SERVICES: &str = "192.0.2.0/24";

/// Makes networks with a way out.
pub struct Exits;

struct Exit(Mutex<Option<Network>>);

impl NetworkExits for Exits {
    fn open(&self, id: &str) -> Later<'_, Result<Arc<dyn NetworkExit>, String>> {
        let options = Options {
            id: id.to_owned(),
            service_range: NO_SERVICES.parse::<Cidr>().expect("the constant is a range"),
            node_name: "ci".to_owned(),
        };
        Box::pin(async move {
            let started = tokio::task::spawn_blocking(move || Network::start(options)).await;
            let network = started
                .map_err(|error| error.to_string())?
                .map_err(|error| with_causes(&error))?;
            let exit: Arc<dyn NetworkExit> = Arc::new(Exit(Mutex::new(Some(network))));
            Ok(exit)
        })
    }

    fn sweep(&self, id: &str) -> Later<'_, ()> {
        let id = id.to_owned();
        Box::pin(async move {
            // Where there was no network there is none to remove, and nothing that could.
            let _ = tokio::task::spawn_blocking(move || Network::sweep(&id)).await;
        })
    }
}

impl Exit {
    fn network(&self) -> Result<Network, String> {
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        network.clone().ok_or_else(|| "the network is closed".to_owned())
    }
}

impl NetworkExit for Exit {
    fn join(&self, job: &str) -> Later<'_, Result<(PathBuf, String), String>> {
        let job = job.to_owned();
        Box::pin(async move {
            let attached = self
                .network()?
                .attach(&job)
                .await
                .map_err(|error| with_causes(&error))?;
            Ok((attached.netns, attached.address.to_string()))
        })
    }

    fn leave(&self, job: &str) -> Later<'_, Result<(), String>> {
        let job = job.to_owned();
        Box::pin(async move {
            self.network()?
                .detach(&job)
                .await
                .map_err(|error| with_causes(&error))
        })
    }

    fn close(&self) -> Later<'_, Result<(), String>> {
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            match network {
                Some(network) => network.down().await.map_err(|error| with_causes(&error)),
                None => Ok(()),
            }
        })
    }
}
