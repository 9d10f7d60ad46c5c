//! Where the pods of a Service answer: EndpointSlices, and Endpoints for older readers
//! (`pkg/controller/endpointslice`, `pkg/controller/endpoint`).

pub mod legacy;
pub mod mirror;
pub mod slices;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controller::{Change, Key};
use crate::kind::{POD, SERVICE};
use crate::object;
use crate::selector::Selector;
use crate::view::View;

/// Written by the server when a Service or a pod last made a difference.
const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// Says that the Service has no address of its own.
const HEADLESS: &str = "service.kubernetes.io/headless";

/// A pod of a Service that has an address.
struct Backend {
    pod: Arc<Value>,
    address: String,
    ready: bool,
    serving: bool,
    terminating: bool,
    /// What the Service's ports are on this pod; ports with a name that the pod does not have are left out.
    ports: Vec<Value>,
}

/// The keys of all Services that select this pod, or did before the change.
fn services_of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let selects = |service: &Value| {
        Selector::of_map(&service["spec"]["selector"]).is_some_and(|selector| {
            selector.matches(change.object) || change.previous.is_some_and(|pod| selector.matches(pod))
        })
    };
    let services = view.list(&SERVICE, Some(object::namespace(change.object)));
    services
        .iter()
        .filter(|service| selects(service))
        .map(|service| Key::of(service))
        .collect()
}

/// The Service of a key, if its endpoints are ours to write.
fn selecting_service(view: &dyn View, key: &Key) -> Option<(Arc<Value>, Selector)> {
    let service = view.get(&SERVICE, &key.namespace, &key.name)?;
    if service["spec"]["type"] == "ExternalName" || object::is_deleting(&service) {
        return None;
    }
    let selector = Selector::of_map(&service["spec"]["selector"])?;
    Some((service, selector))
}

fn backends(view: &dyn View, service: &Value, selector: &Selector) -> Vec<Backend> {
    let publish_all = service["spec"]["publishNotReadyAddresses"] == true;
    let pods = view.list(&POD, Some(object::namespace(service)));
    pods.into_iter()
        .filter(|pod| selector.matches(pod))
        .filter(|pod| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
        .filter_map(|pod| {
            let address = address(&pod)?;
            let serving = object::is_true(&pod, "Ready");
            let terminating = object::is_deleting(&pod);
            let ports = ports(service, &pod);
            let ready = publish_all || (serving && !terminating);
            Some(Backend {
                pod,
                address,
                ready,
                serving,
                terminating,
                ports,
            })
        })
        .collect()
}

/// The pod's IPv4 address.
fn address(pod: &Value) -> Option<String> {
    let listed = pod["status"]["podIPs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|ip| ip["ip"].as_str());
    let all = listed.chain(pod["status"]["podIP"].as_str());
    all.into_iter()
        .find(|ip| ip.parse::<std::net::Ipv4Addr>().is_ok())
        .map(str::to_owned)
}

fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let listed = service["spec"]["ports"].as_array().into_iter().flatten();
    listed
        .filter_map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            let number = target(&port["targetPort"], protocol, pod).or_else(|| {
                port["targetPort"]
                    .is_null()
                    .then(|| port["port"].as_i64())
                    .flatten()
            })?;
            let mut found = json!({
                "name": port["name"].as_str().unwrap_or_default(),
                "port": number,
                "protocol": protocol,
            });
            if let Some(app) = port["appProtocol"].as_str() {
                found["appProtocol"] = json!(app);
            }
            Some(found)
        })
        .collect()
}

/// The number of a target port on a pod: itself, or the container's port of that name and protocol.
fn target(port: &Value, protocol: &str, pod: &Value) -> Option<i64> {
    if let Some(number) = port.as_i64() {
        return Some(number);
    }
    let name = port.as_str()?;
    let sidecars = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let sidecars = sidecars.filter(|container| container["restartPolicy"] == "Always");
    let containers = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(sidecars);
    containers
        .flat_map(|container| container["ports"].as_array().into_iter().flatten())
        .find(|port| port["name"] == name && port["protocol"].as_str().unwrap_or("TCP") == protocol)
        .and_then(|port| port["containerPort"].as_i64())
}

/// The pod's own name below the Service's, where it asks for one.
fn hostname<'a>(service: &Value, pod: &'a Value) -> Option<&'a str> {
    let name = pod["spec"]["hostname"].as_str().filter(|name| !name.is_empty())?;
    (pod["spec"]["subdomain"] == object::name(service)).then_some(name)
}

fn reference(pod: &Value) -> Value {
    json!({
        "kind": "Pod",
        "namespace": object::namespace(pod),
        "name": object::name(pod),
        "uid": object::uid(pod),
    })
}

/// The labels that the objects of a Service carry: the Service's own and `more`.
fn labels(service: &Value, more: &[(&str, &str)]) -> Value {
    let mut labels = service["metadata"]["labels"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    labels.remove(HEADLESS);
    if service["spec"]["clusterIP"] == "None" {
        labels.insert(HEADLESS.to_owned(), json!(""));
    }
    for (name, value) in more {
        labels.insert((*name).to_owned(), json!(value));
    }
    Value::Object(labels)
}

/// When the newest of these pods became what it is; for a Service without any, when that was made.
fn trigger_time(service: &Value, backends: &[Backend]) -> Value {
    let changes = backends
        .iter()
        .filter_map(|backend| object::time(&object::condition(&backend.pod, "Ready")?["lastTransitionTime"]));
    let newest = changes.chain([object::created(service)]).max();
    newest.map_or(Value::Null, object::shown)
}

#[cfg(test)]
mod tests;
