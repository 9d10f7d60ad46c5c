//! Endpoints that somebody has written by hand, for a Service without a selector, as EndpointSlices
//! (`pkg/controller/endpointslicemirroring`): those who lead to Services read only these.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::TRIGGER_TIME;
use super::slices::{MANAGED_BY, SERVICE_NAME, delete, of_slice};
use crate::controller::{self, Controller, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{ENDPOINT_SLICE, ENDPOINTS, SERVICE};
use crate::object;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "endpointslicemirroring-controller",
    watches: &[
        Watch {
            kind: ENDPOINTS,
            keys: controller::itself,
        },
        Watch {
            kind: SERVICE,
            keys: controller::itself,
        },
        Watch {
            kind: ENDPOINT_SLICE,
            keys: of_slice,
        },
    ],
    reconcile,
    workers: 2,
};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `--mirroring-max-endpoints-per-subset`
const ADDRESSES_MAX: usize = 1000;

/// The slices that are wanted: endpoints by the type of their addresses and their ports as text.
type Wanted = BTreeMap<(&'static str, String), (Value, Vec<Value>)>;

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let existing = existing(look);
    let Some(endpoints) = mirrored(look) else {
        outcome.effects.extend(existing.iter().map(|slice| delete(slice)));
        return outcome;
    };
    let mut stale = existing;
    let mut missing = Vec::new();
    for ((address_type, _), (ports, wanted)) in wanted(&endpoints, &mut outcome) {
        let slice = new_slice(&endpoints, address_type, ports, wanted);
        let fits = |known: &Value| known["addressType"] == address_type && known["ports"] == slice["ports"];
        match stale.iter().position(|known| fits(known)) {
            Some(place) => update(&stale.remove(place), slice, &mut outcome),
            None => missing.push(slice),
        }
    }
    for slice in missing {
        // One that nothing is left for is used again.
        let same_type = |known: &Arc<Value>| known["addressType"] == slice["addressType"];
        match stale.iter().position(same_type) {
            Some(place) => update(&stale.remove(place), slice, &mut outcome),
            None if object::is_deleting(&endpoints) => {}
            None => outcome.push(Effect::Create {
                kind: ENDPOINT_SLICE,
                object: slice,
                tell: None,
            }),
        }
    }
    outcome.effects.extend(stale.iter().map(|slice| delete(slice)));
    outcome
}

/// The slices that we made for the endpoints of the key.
fn existing(look: &Look<'_>) -> Vec<Arc<Value>> {
    let mut slices = look.view.list(&ENDPOINT_SLICE, Some(&look.key.namespace));
    slices.retain(|slice| {
        object::label(slice, SERVICE_NAME) == Some(&*look.key.name)
            && object::label(slice, MANAGED_BY) == Some(MANAGER)
            && !object::is_deleting(slice)
    });
    slices
}

/// The endpoints of the key, if somebody has written them who is not a controller, for a Service.
fn mirrored(look: &Look<'_>) -> Option<Arc<Value>> {
    let (namespace, name) = (&*look.key.namespace, &*look.key.name);
    let endpoints = look.view.get(&ENDPOINTS, namespace, name)?;
    if object::label(&endpoints, SKIP) == Some("true") || object::annotation(&endpoints, LEADER).is_some() {
        return None;
    }
    let service = look.view.get(&SERVICE, namespace, name)?;
    service["spec"]["selector"].is_null().then_some(endpoints)
}

fn wanted(endpoints: &Value, outcome: &mut Outcome) -> Wanted {
    let mut wanted = Wanted::new();
    let (mut invalid, mut skipped) = (0, 0);
    for subset in endpoints["subsets"].as_array().into_iter().flatten() {
        let ports = Value::Array(
            subset["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .map(port)
                .collect(),
        );
        let mut taken = 0;
        for (list, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in subset[list].as_array().into_iter().flatten() {
                let parsed = address["ip"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
                match parsed {
                    _ if taken >= ADDRESSES_MAX => skipped += 1,
                    None => invalid += 1,
                    Some(ip) => {
                        taken += 1;
                        let address_type = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
                        let slot = wanted.entry((address_type, ports.to_string()));
                        let (_, endpoints) = slot.or_insert_with(|| (ports.clone(), Vec::new()));
                        let endpoint = endpoint(address, ip, ready);
                        if !endpoints.iter().any(|known| same_target(known, &endpoint)) {
                            endpoints.push(endpoint);
                        }
                    }
                }
            }
        }
    }
    if invalid > 0 {
        let message = format!("Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices");
        outcome.event(endpoints, "Warning", "InvalidIPAddress", message);
    }
    if skipped > 0 {
        let message = format!(
            "A max of {ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. {} addresses were \
             skipped",
            skipped + invalid
        );
        outcome.event(endpoints, "Warning", "TooManyAddressesToMirror", message);
    }
    wanted
}

fn port(port: &Value) -> Value {
    let mut found = json!({
        "name": port["name"].as_str().unwrap_or_default(),
        "port": port["port"],
        "protocol": port["protocol"].as_str().unwrap_or("TCP"),
    });
    if let Some(application) = port["appProtocol"].as_str() {
        found["appProtocol"] = json!(application);
    }
    found
}

fn endpoint(address: &Value, ip: IpAddr, ready: bool) -> Value {
    let mut endpoint = json!({"addresses": [ip.to_string()], "conditions": {"ready": ready}});
    for field in ["targetRef", "nodeName", "hostname"] {
        if !address[field].is_null() && address[field] != "" {
            endpoint[field] = address[field].clone();
        }
    }
    endpoint
}

fn same_target(one: &Value, other: &Value) -> bool {
    ["addresses", "targetRef", "hostname"]
        .iter()
        .all(|field| one[field] == other[field])
}

fn new_slice(endpoints: &Value, address_type: &str, ports: Value, mut wanted: Vec<Value>) -> Value {
    wanted.truncate(ADDRESSES_MAX);
    let map = |field: &str| -> Map<String, Value> {
        endpoints["metadata"][field]
            .as_object()
            .cloned()
            .unwrap_or_default()
    };
    let mut labels = map("labels");
    labels.insert(SERVICE_NAME.to_owned(), object::name(endpoints).into());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    let mut annotations = map("annotations");
    annotations.remove(TRIGGER_TIME);
    annotations.remove(LAST_APPLIED);
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", object::name(endpoints)),
            "namespace": object::namespace(endpoints),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [object::owner_reference(&ENDPOINTS, endpoints)],
        },
        "addressType": address_type,
        "endpoints": wanted,
        "ports": ports,
    })
}

/// Makes a slice what it shall be, if it is not.
fn update(known: &Value, wanted: Value, outcome: &mut Outcome) {
    let metadata = |field: &str| {
        let of = |slice: &Value| slice["metadata"][field].as_object().cloned().unwrap_or_default();
        of(known) == of(&wanted)
    };
    let sorted = |slice: &Value| {
        let mut texts: Vec<String> = slice["endpoints"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect();
        texts.sort();
        texts
    };
    let owner = |slice: &Value| slice["metadata"]["ownerReferences"][0]["uid"].clone();
    if metadata("labels")
        && metadata("annotations")
        && owner(known) == owner(&wanted)
        && known["ports"] == wanted["ports"]
        && sorted(known) == sorted(&wanted)
    {
        return;
    }
    let mut changed = known.clone();
    for field in ["endpoints", "ports"] {
        changed[field] = wanted[field].clone();
    }
    for field in ["labels", "annotations", "ownerReferences"] {
        changed["metadata"][field] = wanted["metadata"][field].clone();
    }
    outcome.push(Effect::Update {
        kind: ENDPOINT_SLICE,
        object: changed,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Key;
    use crate::view::memory::Memory;

    fn service(selector: &Value) -> Value {
        json!({"kind": "Service", "metadata": {"namespace": "d", "name": "s"}, "spec": {"selector": selector}})
    }

    fn endpoints() -> Value {
        json!({
            "kind": "Endpoints",
            "metadata": {"namespace": "d", "name": "s", "uid": "e", "labels": {"a": "b"},
                         "annotations": {LAST_APPLIED: "x", "kept": "y"}},
            "subsets": [{
                "addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1", "hostname": "h"}],
                "notReadyAddresses": [{"ip": "10.0.0.2"}],
                "ports": [{"name": "web", "port": 80}],
            }],
        })
    }

    fn run(memory: &Memory) -> Vec<Effect> {
        let key = Key {
            namespace: "d".into(),
            name: "s".into(),
        };
        let look = Look {
            view: memory,
            key: &key,
            now: jiff::Timestamp::UNIX_EPOCH,
            failure: None,
        };
        reconcile(&look).effects
    }

    /// Carries creates out, as the server would.
    fn create(memory: &mut Memory, effects: &[Effect]) {
        for (number, effect) in effects.iter().enumerate() {
            let Effect::Create { object, .. } = effect else {
                panic!("{effect:?}");
            };
            let mut object = object.clone();
            object["metadata"]["name"] = json!(format!("s-{number}"));
            memory.put(object);
        }
    }

    #[test]
    fn each_type_of_address_has_a_slice() {
        let mut memory = Memory::of([service(&json!(null)), endpoints()]);
        let effects = run(&memory);
        let [
            Effect::Create { object: v4, .. },
            Effect::Create { object: v6, .. },
        ] = &effects[..]
        else {
            panic!("{effects:?}");
        };
        assert_eq!(
            (&v4["addressType"], &v6["addressType"]),
            (&json!("IPv4"), &json!("IPv6"))
        );
        let ready: Vec<&Value> = v4["endpoints"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|e| &e["conditions"]["ready"])
            .collect();
        assert_eq!(ready, [&json!(true), &json!(false)]);
        assert_eq!(v6["endpoints"][0]["hostname"], "h");
        assert_eq!(v4["metadata"]["annotations"], json!({"kept": "y"}));
        assert_eq!(
            v4["metadata"]["labels"],
            json!({"a": "b", SERVICE_NAME: "s", MANAGED_BY: MANAGER})
        );
        create(&mut memory, &effects);
        assert_eq!(run(&memory), [], "nothing is left to do");
        let mut fewer = endpoints();
        fewer["subsets"][0]["addresses"] = json!([{"ip": "10.0.0.1"}]);
        memory.put(fewer);
        let effects = run(&memory);
        assert!(
            matches!(&effects[..], [Effect::Delete { name, .. }] if name == "s-1"),
            "{effects:?}"
        );
        let mut others = endpoints();
        others["subsets"][0]["ports"] = json!([{"name": "web", "port": 81}]);
        memory.put(others);
        let effects = run(&memory);
        assert!(
            matches!(&effects[..], [Effect::Update { .. }, Effect::Update { .. }]),
            "slices are used again: {effects:?}"
        );
    }

    #[test]
    fn what_controllers_write_is_not_mirrored() {
        let mut memory = Memory::of([service(&json!(null)), endpoints()]);
        let effects = run(&memory);
        create(&mut memory, &effects);
        let gone = |memory: &Memory| {
            run(memory)
                .iter()
                .filter(|effect| matches!(effect, Effect::Delete { .. }))
                .count()
        };
        memory.put(service(&json!({"a": "b"})));
        assert_eq!(gone(&memory), 2);
        memory.put(service(&json!(null)));
        for (field, name, value) in [("labels", SKIP, "true"), ("annotations", LEADER, "{}")] {
            let mut skipped = endpoints();
            skipped["metadata"][field] = json!({name: value});
            memory.put(skipped);
            assert_eq!(gone(&memory), 2, "{name}");
        }
        memory.remove("Endpoints", "d", "s");
        assert_eq!(gone(&memory), 2);
    }
}
