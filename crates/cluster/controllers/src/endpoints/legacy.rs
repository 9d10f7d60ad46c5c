//! Endpoints: all addresses of a Service in one object, grouped by ports.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Backend, TRIGGER_TIME, backends, hostname, labels, reference, selecting_service, services_of_pod,
    trigger_time,
};
use crate::controller::{self, Controller, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{ENDPOINTS, POD, SERVICE};
use crate::object;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "endpoint-controller",
    watches: &[
        Watch {
            kind: SERVICE,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: services_of_pod,
        },
        Watch {
            kind: ENDPOINTS,
            keys: controller::itself,
        },
    ],
    reconcile,
    workers: 5,
};

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// More addresses are cut off, and the object says so.
const ADDRESSES_MAX: usize = 1000;

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let (namespace, name) = (&look.key.namespace, &look.key.name);
    let current = look.view.get(&ENDPOINTS, namespace, name);
    if look.view.get(&SERVICE, namespace, name).is_none() {
        // Those that somebody made by hand stay.
        if let Some(current) = current.filter(|current| object::label(current, MANAGED_BY).is_some()) {
            outcome.push(Effect::Delete {
                kind: ENDPOINTS,
                namespace: namespace.to_string(),
                name: name.to_string(),
                uid: object::uid(&current).to_owned(),
                propagation: None,
                grace_seconds: None,
                tell: None,
            });
        }
        return outcome;
    }
    let Some((service, selector)) = selecting_service(look.view, look.key) else {
        return outcome;
    };
    let publish_all = service["spec"]["publishNotReadyAddresses"] == true;
    let mut backends = backends(look.view, &service, &selector);
    backends.retain(|backend| publish_all || !backend.terminating);
    let truncated = backends.len() > ADDRESSES_MAX;
    backends.truncate(ADDRESSES_MAX);
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": &**name,
            "namespace": &**namespace,
            "labels": labels(&service, &[(MANAGED_BY, "endpoint-controller")]),
            "annotations": {TRIGGER_TIME: trigger_time(&service, &backends)},
        },
    });
    if truncated {
        object["metadata"]["annotations"][OVER_CAPACITY] = json!("truncated");
    }
    let subsets = subsets(&service, &backends);
    if !subsets.is_empty() {
        object["subsets"] = Value::Array(subsets);
    }
    match current {
        None => outcome.push(Effect::Create {
            kind: ENDPOINTS,
            object,
            tell: None,
        }),
        Some(current) => {
            let same = ["/subsets", "/metadata/labels"]
                .iter()
                .all(|part| current.pointer(part) == object.pointer(part));
            if !same {
                let mut changed = Value::clone(&current);
                changed["metadata"]["labels"] = object["metadata"]["labels"].take();
                changed["metadata"]["annotations"] = object["metadata"]["annotations"].take();
                if let Value::Object(fields) = &mut changed {
                    fields.remove("subsets");
                    fields.extend(
                        object["subsets"]
                            .is_array()
                            .then(|| ("subsets".to_owned(), object["subsets"].take())),
                    );
                }
                outcome.push(Effect::Update {
                    kind: ENDPOINTS,
                    object: changed,
                });
            }
        }
    }
    outcome
}

/// Ports that all have the same addresses stand together.
fn subsets(service: &Value, backends: &[Backend]) -> Vec<Value> {
    let headless_without_ports = service["spec"]["ports"].as_array().is_none_or(Vec::is_empty);
    let mut by_port: BTreeMap<String, (Option<Value>, Vec<&Backend>)> = BTreeMap::new();
    for backend in backends {
        if headless_without_ports {
            by_port
                .entry(String::new())
                .or_insert_with(|| (None, Vec::new()))
                .1
                .push(backend);
        }
        for port in &backend.ports {
            let port = without_empty_name(port);
            by_port
                .entry(port.to_string())
                .or_insert_with(|| (Some(port), Vec::new()))
                .1
                .push(backend);
        }
    }
    let mut groups: BTreeMap<Addresses<'_>, (Vec<Value>, Vec<&Backend>)> = BTreeMap::new();
    for (port, mut members) in by_port.into_values() {
        members.sort_by(|a, b| a.address.cmp(&b.address));
        let key = members
            .iter()
            .map(|backend| (backend.address.as_str(), backend.ready))
            .collect();
        let group = groups.entry(key).or_insert_with(|| (Vec::new(), members));
        group.0.extend(port);
    }
    groups
        .into_values()
        .map(|(ports, members)| subset(service, ports, &members))
        .collect()
}

/// Addresses that share ports, each with whether it is ready.
type Addresses<'a> = Vec<(&'a str, bool)>;

fn subset(service: &Value, ports: Vec<Value>, members: &[&Backend]) -> Value {
    let mut subset = Map::new();
    for (name, ready) in [("addresses", true), ("notReadyAddresses", false)] {
        let listed: Vec<Value> = members
            .iter()
            .filter(|b| b.ready == ready)
            .map(|backend| address(service, backend))
            .collect();
        if !listed.is_empty() {
            subset.insert(name.to_owned(), Value::Array(listed));
        }
    }
    if !ports.is_empty() {
        subset.insert("ports".to_owned(), Value::Array(ports));
    }
    Value::Object(subset)
}

fn address(service: &Value, backend: &Backend) -> Value {
    let mut address = json!({"ip": backend.address, "targetRef": reference(&backend.pod)});
    if let Some(node) = backend.pod["spec"]["nodeName"].as_str() {
        address["nodeName"] = json!(node);
    }
    if let Some(hostname) = hostname(service, &backend.pod) {
        address["hostname"] = json!(hostname);
    }
    address
}

fn without_empty_name(port: &Value) -> Value {
    let mut port = port.clone();
    if let Some(fields) = port
        .as_object_mut()
        .filter(|fields| fields.get("name") == Some(&json!("")))
    {
        fields.remove("name");
    }
    port
}
