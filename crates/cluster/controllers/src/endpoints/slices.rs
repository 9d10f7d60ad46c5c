//! EndpointSlices: up to a hundred endpoints each, one set of slices per list of ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Backend, TRIGGER_TIME, backends, hostname, labels, reference, selecting_service, services_of_pod,
    trigger_time,
};
use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{ENDPOINT_SLICE, NODE, POD, SERVICE};
use crate::object;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "endpointslice-controller",
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
            kind: ENDPOINT_SLICE,
            keys: of_slice,
        },
        Watch {
            kind: NODE,
            keys: of_new_node,
        },
    ],
    reconcile,
    workers: 5,
};

pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// `--max-endpoints-per-slice`
const ENDPOINTS_MAX: usize = 100;

pub(super) fn of_slice(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let Some(service) = object::label(change.object, SERVICE_NAME) else {
        return Vec::new();
    };
    vec![Key {
        namespace: object::namespace(change.object).into(),
        name: service.into(),
    }]
}

/// Pods on a node that is not known have no endpoints until it is.
fn of_new_node(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if change.previous.is_some() && !change.deleted {
        return Vec::new();
    }
    view.list(&SERVICE, None)
        .iter()
        .map(|service| Key::of(service))
        .collect()
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let Some((service, selector)) = selecting_service(look.view, look.key) else {
        return Outcome::nothing();
    };
    let backends = backends(look.view, &service, &selector);
    let mut wanted: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
    for backend in &backends {
        let Some(endpoint) = endpoint(look.view, &service, backend) else {
            continue;
        };
        let ports = Value::Array(backend.ports.clone());
        wanted
            .entry(ports.to_string())
            .or_insert_with(|| (ports, Vec::new()))
            .1
            .push(endpoint);
    }
    let none = wanted.is_empty();
    let existing = existing(look.view, &service);
    let (mut kept, stale): (Vec<_>, Vec<_>) = existing
        .into_iter()
        .partition(|slice| wanted.contains_key(&slice["ports"].to_string()));
    let mut plan = Plan {
        service: &service,
        trigger: trigger_time(&service, &backends),
        stale,
        outcome: Outcome::nothing(),
    };
    for (ports, endpoints) in wanted.into_values() {
        let same: Vec<Arc<Value>> = kept.extract_if(.., |slice| slice["ports"] == ports).collect();
        plan.spread(&ports, endpoints, same);
    }
    plan.stale.append(&mut kept);
    if none {
        plan.placeholder();
    }
    let gone = plan.stale.iter().map(|slice| delete(slice));
    plan.outcome.effects.extend(gone);
    plan.outcome
}

/// `None`: the pod's node is not known (yet).
fn endpoint(view: &dyn View, service: &Value, backend: &Backend) -> Option<Value> {
    let mut endpoint = json!({
        "addresses": [backend.address],
        "conditions": {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating},
        "targetRef": reference(&backend.pod),
    });
    if let Some(name) = backend.pod["spec"]["nodeName"].as_str() {
        let node = view.get(&NODE, "", name)?;
        endpoint["nodeName"] = json!(name);
        if let Some(zone) = object::label(&node, "topology.kubernetes.io/zone") {
            endpoint["zone"] = json!(zone);
        }
    }
    if let Some(hostname) = hostname(service, &backend.pod) {
        endpoint["hostname"] = json!(hostname);
    }
    Some(endpoint)
}

/// The slices of a Service that we made.
fn existing(view: &dyn View, service: &Value) -> Vec<Arc<Value>> {
    let mut slices = view.list(&ENDPOINT_SLICE, Some(object::namespace(service)));
    slices.retain(|slice| {
        object::label(slice, SERVICE_NAME) == Some(object::name(service))
            && object::label(slice, MANAGED_BY) == Some(MANAGER)
            && !object::is_deleting(slice)
    });
    slices
}

pub(super) fn delete(slice: &Value) -> Effect {
    Effect::Delete {
        kind: ENDPOINT_SLICE,
        namespace: object::namespace(slice).to_owned(),
        name: object::name(slice).to_owned(),
        uid: object::uid(slice).to_owned(),
        propagation: None,
        grace_seconds: None,
        tell: None,
    }
}

struct Plan<'a> {
    service: &'a Value,
    trigger: Value,
    /// Slices that nothing is left for; they are used again before new ones are made.
    stale: Vec<Arc<Value>>,
    outcome: Outcome,
}

impl Plan<'_> {
    /// Endpoints stay in the slice that they are in; new ones go where there is room, the rest into new slices.
    fn spread(&mut self, ports: &Value, endpoints: Vec<Value>, slices: Vec<Arc<Value>>) {
        let mut left: BTreeMap<String, Value> = endpoints
            .into_iter()
            .map(|endpoint| (identity(&endpoint), endpoint))
            .collect();
        let mut filled: Vec<(Arc<Value>, Vec<Value>)> = Vec::new();
        for slice in slices {
            let present = slice["endpoints"].as_array().into_iter().flatten();
            let stay = present
                .filter_map(|endpoint| left.remove(&identity(endpoint)))
                .collect();
            filled.push((slice, stay));
        }
        let mut left = left.into_values();
        for (_, endpoints) in &mut filled {
            let room = ENDPOINTS_MAX.saturating_sub(endpoints.len());
            endpoints.extend(left.by_ref().take(room));
        }
        for (slice, endpoints) in filled {
            if endpoints.is_empty() {
                self.outcome.push(delete(&slice));
            } else {
                self.update(&slice, endpoints, ports);
            }
        }
        let left: Vec<Value> = left.collect();
        for chunk in left.chunks(ENDPOINTS_MAX) {
            match self.stale.pop() {
                Some(slice) => self.update(&slice, chunk.to_vec(), ports),
                None => self.create(json!(chunk), ports.clone()),
            }
        }
    }

    fn update(&mut self, slice: &Value, endpoints: Vec<Value>, ports: &Value) {
        let labels = self.labels();
        if slice["endpoints"] == json!(endpoints)
            && slice["metadata"]["labels"] == labels
            && slice["ports"] == *ports
        {
            return;
        }
        let mut changed = slice.clone();
        changed["endpoints"] = json!(endpoints);
        changed["ports"] = ports.clone();
        changed["metadata"]["labels"] = labels;
        changed["metadata"]["annotations"] = json!({TRIGGER_TIME: self.trigger});
        self.outcome.push(Effect::Update {
            kind: ENDPOINT_SLICE,
            object: changed,
        });
    }

    fn create(&mut self, endpoints: Value, ports: Value) {
        let object = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": format!("{}-", object::name(self.service)),
                "namespace": object::namespace(self.service),
                "labels": self.labels(),
                "annotations": {TRIGGER_TIME: self.trigger},
                "ownerReferences": [object::owner_reference(&SERVICE, self.service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        });
        self.outcome.push(Effect::Create {
            kind: ENDPOINT_SLICE,
            object,
            tell: None,
        });
    }

    /// A Service without endpoints has one empty slice, so that readers know it was seen.
    fn placeholder(&mut self) {
        let empty = |slice: &Value| slice["endpoints"].as_array().is_none_or(Vec::is_empty);
        let known = self.stale.iter().position(|slice| {
            empty(slice) && slice["ports"].is_null() && slice["metadata"]["labels"] == self.labels()
        });
        match known {
            Some(place) => drop(self.stale.remove(place)),
            None => self.create(Value::Null, Value::Null),
        }
    }

    fn labels(&self) -> Value {
        labels(
            self.service,
            &[(SERVICE_NAME, object::name(self.service)), (MANAGED_BY, MANAGER)],
        )
    }
}

/// What makes an endpoint the same one: its pod and its addresses.
fn identity(endpoint: &Value) -> String {
    format!("{}{}", endpoint["targetRef"]["uid"], endpoint["addresses"])
}
