//! What of a status is new: the patch that brings the API server's to ours, and nobody else's fields
//! (`pkg/util/pod/pod.go PatchPodStatus`).

use deploy_cluster_api::object::uid;
use serde_json::{Map, Value, json};

/// The fields that the node writes.
const FIELDS: [&str; 11] = [
    "phase",
    "reason",
    "message",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "startTime",
    "containerStatuses",
    "initContainerStatuses",
    "observedGeneration",
];

/// Lists that a strategic merge patch would add to (by `ip`): ours stand in the place of what was there, as when a pod has
/// got a new sandbox with a new address.
const REPLACED: [&str; 2] = ["hostIPs", "podIPs"];

/// The conditions that the node writes, in upstream's order.
const CONDITIONS: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// A strategic merge patch of the status; `None` where the pod has all that is wanted.
pub(super) fn patch(pod: &Value, wanted: &Value) -> Option<Value> {
    let known = &pod["status"];
    let mut status = Map::new();
    for field in FIELDS {
        if known[field] != wanted[field] {
            let mut value = wanted[field].clone();
            if let Some(items) = value.as_array_mut().filter(|_| REPLACED.contains(&field)) {
                items.push(json!({"$patch": "replace"}));
            }
            status.insert(field.to_owned(), value);
        }
    }
    let all = |value: &Value| value["conditions"].as_array().cloned().unwrap_or_default();
    let known = all(known);
    let own = |condition: &&Value| CONDITIONS.contains(&condition["type"].as_str().unwrap_or_default());
    let wanted = all(wanted);
    let new: Vec<&Value> = wanted
        .iter()
        .filter(own)
        .filter(|condition| !known.contains(condition))
        .collect();
    if !new.is_empty() {
        let others = known
            .iter()
            .filter(|condition| !own(condition))
            .map(|condition| &condition["type"]);
        let own = wanted.iter().filter(own).map(|condition| &condition["type"]);
        let order: Vec<Value> = others.chain(own).map(|name| json!({"type": name})).collect();
        status.insert("$setElementOrder/conditions".to_owned(), Value::Array(order));
        status.insert("conditions".to_owned(), new.into_iter().map(replaced).collect());
    }
    (!status.is_empty()).then(|| json!({"metadata": {"uid": uid(pod)}, "status": status}))
}

/// What a condition does not say any more has to be said.
fn replaced(condition: &Value) -> Value {
    let mut condition = condition.clone();
    for field in ["reason", "message"] {
        if condition[field].is_null() {
            condition[field] = Value::Null;
        }
    }
    condition
}

#[cfg(test)]
mod tests {
    use deploy_cluster_schema::merge::Shape;
    use deploy_cluster_schema::patch::strategic;
    use deploy_cluster_schema::registry::{GroupVersionKind, Registry};

    use super::*;

    #[test]
    fn only_what_is_new_is_written() {
        let ready = |status: &str| json!({"type": "Ready", "status": status, "lastProbeTime": null});
        let pod = json!({"metadata": {"uid": "u"}, "status": {
            "phase": "Pending", "podIP": "10.0.0.1", "reason": "x", "qosClass": "BestEffort",
            "conditions": [{"type": "gate", "status": "True"}, ready("False")]
        }});
        let same =
            json!({"phase": "Pending", "podIP": "10.0.0.1", "reason": "x", "conditions": [ready("False")]});
        assert_eq!(patch(&pod, &same), None);
        let wanted = json!({"phase": "Running", "podIP": "10.0.0.1", "conditions": [ready("True")]});
        assert_eq!(
            patch(&pod, &wanted),
            Some(json!({"metadata": {"uid": "u"}, "status": {
                "phase": "Running",
                "reason": null,
                "$setElementOrder/conditions": [{"type": "gate"}, {"type": "Ready"}],
                "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": null, "reason": null, "message": null}],
            }}))
        );
    }

    #[test]
    fn a_new_address_takes_the_place_of_the_old_one() {
        let addresses = |address: &str| json!({"podIP": address, "podIPs": [{"ip": address}]});
        let pod = json!({"metadata": {"uid": "u"}, "status": addresses("10.0.0.1")});
        let patch = patch(&pod, &addresses("10.0.0.2")).expect("something is new");
        let registry = Registry::builtin();
        let (schema, pods) = registry
            .types(&GroupVersionKind::new("", "v1", "Pod"))
            .expect("it is known");
        let patched = strategic(Shape::new(schema, pods), pod, patch).expect("it fits");
        assert_eq!(patched["status"], addresses("10.0.0.2"));
    }
}
