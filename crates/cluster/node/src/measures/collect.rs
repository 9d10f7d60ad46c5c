//! Reads a sample.

use std::collections::HashMap;
use std::sync::Arc;

use deploy_cluster_api::object::{name, namespace, uid};
use deploy_sandbox::{ContainerInfo, Sandbox};
use jiff::Timestamp;
use serde_json::Value;

use super::machine;
use super::sample::{Container, Pod, Sample, stamp};
use crate::pod::resources;
use crate::shell::View;

/// The node as it is now. Containers that end meanwhile are left out.
pub async fn collect(view: &View) -> Sample {
    let at = Timestamp::now();
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    let machine = tokio::task::spawn_blocking(machine::read)
        .await
        .unwrap_or_default();
    let objects: HashMap<String, Arc<Value>> = view
        .pods()
        .into_iter()
        .map(|pod| (uid(&pod).to_owned(), pod))
        .collect();
    let mut pods = Vec::new();
    for (id, sandbox) in view.sandboxes() {
        // A pod whose object is gone is ending.
        if let Some(object) = objects.get(&id) {
            pods.push(pod(object, &sandbox).await);
        }
    }
    Sample { at, machine, pods }
}

async fn pod(object: &Value, sandbox: &Sandbox) -> Pod {
    let mut containers = Vec::new();
    let mut process = None;
    for info in sandbox.containers() {
        if let Some(found) = container(object, sandbox, &info).await {
            process = process.or(info.pid);
            containers.push(found);
        }
    }
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    // A pod in the machine's own namespace has no links of its own.
    let process = process.filter(|_| sandbox.spec().network.is_some());
    let interfaces = match process {
        Some(process) => tokio::task::spawn_blocking(move || machine::interfaces_of(process))
            .await
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let started = object["status"]["startTime"].as_str();
    Pod {
        namespace: namespace(object).to_owned(),
        name: name(object).to_owned(),
        uid: uid(object).to_owned(),
        started: started.and_then(|text| text.parse().ok()),
        cgroup: format!("/{}", sandbox.spec().cgroup.display()),
        used: sandbox.usage_pod().await,
        interfaces,
        containers,
    }
}

async fn container(object: &Value, sandbox: &Sandbox, info: &ContainerInfo) -> Option<Container> {
    let (own, _attempt) = info.id.rsplit_once('.')?;
    let started = info.started_at.filter(|_| info.exit.is_none())?;
    let used = sandbox.usage(&info.id).await?;
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let mut all = lists
        .iter()
        .filter_map(|list| object["spec"][*list].as_array())
        .flatten();
    let limits = all
        .find(|container| container["name"] == own)
        .map(resources::of_container)
        .unwrap_or_default();
    Some(Container {
        name: own.to_owned(),
        id: info.id.clone(),
        image: info.labels.get("image").cloned().unwrap_or_default(),
        started: stamp(started),
        used,
        cpu_shares: limits.cpu_shares,
        cpu_quota: limits.cpu_quota,
        upper: info.upper.clone(),
    })
}
