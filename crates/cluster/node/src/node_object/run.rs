//! Keeps the API server informed about this machine.

use std::path::PathBuf;
use std::time::Duration;

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::object::uid;
use deploy_cluster_api::status::StatusError;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::object::labels;
use super::{Facts, lease, machine, node, status};
use crate::limits;

static NODES: ResourceId = ResourceId::new("", "v1", "nodes");
static LEASES: ResourceId = ResourceId::new("coordination.k8s.io", "v1", "leases");
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The node could not be registered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the node {name} cannot be registered: {source}")]
pub struct NodeError {
    name: String,
    source: StatusError,
}

/// Images as names and bytes, the largest first.
pub type Images = Box<dyn Fn() -> Vec<(Vec<String>, u64)> + Send + Sync>;

/// Says that the node lives.
pub struct Heart {
    client: Client,
    facts: Facts,
    /// A folder of the file system that counts.
    data: PathBuf,
    images: Images,
}

impl Heart {
    /// For the machine of these facts.
    pub fn new(client: Client, facts: Facts, data: PathBuf, images: Images) -> Heart {
        Heart {
            client,
            facts,
            data,
            images,
        }
    }

    /// Registers the node as ready, or makes the one that is there say so.
    ///
    /// # Errors
    /// Where the API server refuses it.
    pub async fn register(&self) -> Result<(), NodeError> {
        let failed = |source| NodeError {
            name: self.facts.name.clone(),
            source,
        };
        let now = Timestamp::now();
        match self.client.get(&NODES, "", &self.facts.name) {
            None => {
                let new = node(&self.facts, machine::pressure(&self.data), now);
                self.client.create(&NODES, new).await.map_err(failed)?;
            }
            Some(_) => {
                let patch = json!({"metadata": {"labels": labels(&self.facts)}});
                let name = &self.facts.name;
                let patched = self.client.patch(&NODES, "", name, "", PatchKind::Merge, patch);
                patched.await.map_err(failed)?;
            }
        }
        self.report(true).await.map_err(failed)?;
        self.renew().await.map_err(failed)
    }

    /// Renews the lease and looks at the machine, until it is told to stop.
    pub async fn beat(self, stop: CancellationToken) {
        let mut unsaid = Duration::ZERO;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(limits::HEARTBEAT) => {}
            }
            unsaid += limits::HEARTBEAT;
            let due = unsaid >= limits::STATUS_REPORT;
            // What fails now is tried again at the next beat.
            if self.report(due).await == Ok(true) {
                unsaid = Duration::ZERO;
            }
            if self.client.get(&NODES, "", &self.facts.name).is_none() {
                // Somebody has deleted the object of a node that lives.
                self.register().await.ok();
            }
            self.renew().await.ok();
        }
    }

    /// Writes the status where it says something new, or where `due`. Whether it was written.
    async fn report(&self, due: bool) -> Result<bool, StatusError> {
        let name = &self.facts.name;
        let Some(known) = self.client.get(&NODES, "", name) else {
            return Ok(false);
        };
        let (images, now) = ((self.images)(), Timestamp::now());
        let new = status(
            &self.facts,
            machine::pressure(&self.data),
            &known["status"],
            &images,
            now,
        );
        if !due && without_beats(&new) == without_beats(&known["status"]) {
            return Ok(false);
        }
        let patch = json!({"status": new});
        self.client
            .patch(&NODES, "", name, "status", PatchKind::Merge, patch)
            .await?;
        Ok(true)
    }

    async fn renew(&self) -> Result<(), StatusError> {
        let name = &self.facts.name;
        let Some(node) = self.client.get(&NODES, "", name) else {
            return Ok(());
        };
        let new = lease(name, uid(&node), Timestamp::now());
        if self.client.get(&LEASES, LEASE_NAMESPACE, name).is_none() {
            return self.client.create(&LEASES, new).await.map(|_| ());
        }
        let patch =
            json!({"spec": new["spec"], "metadata": {"ownerReferences": new["metadata"]["ownerReferences"]}});
        let patched = self
            .client
            .patch(&LEASES, LEASE_NAMESPACE, name, "", PatchKind::Merge, patch);
        patched.await.map(|_| ())
    }
}

/// A status without what changes all the time.
fn without_beats(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastHeartbeatTime"] = Value::Null;
    }
    for name in [
        "volumesInUse",
        "volumesAttached",
        "config",
        "features",
        "runtimeHandlers",
    ] {
        if let Some(fields) = status.as_object_mut() {
            fields.remove(name);
        }
    }
    status
}
