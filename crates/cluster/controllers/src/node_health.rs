//! Nodes that have fallen silent (`pkg/controller/nodelifecycle`): a node renews its lease in `kube-node-lease`, or its
//! status. Once it has not done so for too long, nobody knows how it is, and its pods are ready no more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controller::{Change, Key, Look};
use crate::effect::{Effect, Outcome};
use crate::kind::{LEASE, NODE, POD};
use crate::view::View;
use crate::{condition, object};

/// So long a node may be silent (`--node-monitor-grace-period`).
const GRACE: Duration = Duration::from_secs(50);

/// So long a new one may be silent (`--node-startup-grace-period`).
const STARTUP_GRACE: Duration = Duration::from_secs(60);

const LEASES: &str = "kube-node-lease";

/// What a node tells of itself, and what nobody knows when it is silent.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The node whose lease was renewed.
pub fn of_lease(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if object::namespace(change.object) != LEASES {
        return Vec::new();
    }
    vec![Key {
        namespace: "".into(),
        name: object::name(change.object).into(),
    }]
}

/// What becomes of a node that is silent; nothing but a time to look again for all others.
pub fn look(look: &Look<'_>, node: &Value) -> Outcome {
    let mut outcome = Outcome::nothing();
    let ready = object::condition(node, "Ready");
    let grace = if ready.is_some() { GRACE } else { STARTUP_GRACE };
    let silent = look.now.duration_since(last_sign(look, node, ready));
    let left = SignedDuration::try_from(grace).unwrap_or_default() - silent;
    if left.is_positive() {
        // A second more: times in objects have no fractions.
        let left = Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1);
        outcome.again_within(left);
        return outcome;
    }
    let was_ready = ready.is_some_and(|ready| ready["status"] == "True");
    let (conditions, changed) = unknown(node, look.now);
    if changed {
        let mut silent = node.clone();
        silent["status"]["conditions"] = Value::Array(conditions);
        outcome.push(Effect::UpdateStatus {
            kind: NODE,
            object: silent,
        });
    }
    if was_ready {
        let message = format!("Node {} status is now: NodeNotReady", object::name(node));
        outcome.event(node, "Normal", "NodeNotReady", message);
    }
    for pod in look.view.list(&POD, None) {
        if pod["spec"]["nodeName"] == object::name(node) && object::is_true(&pod, "Ready") {
            outcome.push(Effect::UpdateStatus {
                kind: POD,
                object: not_ready(&pod, look.now),
            });
            outcome.event(&pod, "Warning", "NodeNotReady", "Node is not ready".to_owned());
        }
    }
    outcome
}

/// When the node was last heard of: when its lease or its heartbeat was first seen to be what it is. The clock of the node
/// need not be ours, and what it told before somebody listened counts from then on.
fn last_sign(look: &Look<'_>, node: &Value, ready: Option<&Value>) -> Timestamp {
    let name = object::name(node);
    let lease = look.view.get(&LEASE, LEASES, name);
    let renewed = lease.map(|lease| lease["spec"]["renewTime"].clone());
    let told = ready.map(|ready| &ready["lastHeartbeatTime"]);
    let sign = format!("{} {renewed:?} {told:?}", object::uid(node));
    look.view.first_seen(name, &sign, look.now)
}

/// The conditions of a node that is silent, and whether any is new.
fn unknown(node: &Value, now: Timestamp) -> (Vec<Value>, bool) {
    let mut conditions = condition::list(node);
    let mut changed = false;
    for r#type in CONDITIONS {
        match conditions
            .iter_mut()
            .find(|condition| condition["type"] == r#type)
        {
            Some(known) if known["status"] == "Unknown" => {}
            Some(known) => {
                known["status"] = json!("Unknown");
                known["reason"] = json!("NodeStatusUnknown");
                known["message"] = json!("Kubelet stopped posting node status.");
                known["lastTransitionTime"] = object::shown(now);
                changed = true;
            }
            None => {
                conditions.push(json!({
                    "type": r#type, "status": "Unknown", "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                    "lastHeartbeatTime": node["metadata"]["creationTimestamp"],
                    "lastTransitionTime": object::shown(now),
                }));
                changed = true;
            }
        }
    }
    (conditions, changed)
}

fn not_ready(pod: &Value, now: Timestamp) -> Value {
    let mut pod = pod.clone();
    let conditions = pod["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        if condition["type"] == "Ready" {
            condition["status"] = json!("False");
            condition["lastTransitionTime"] = object::shown(now);
        }
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    const START: &str = "2026-01-01T00:00:00Z";

    fn world(conditions: &Value, renewed: Option<&str>) -> Memory {
        let mut memory = Memory::of([
            json!({"kind": "Node", "metadata": {"name": "n", "creationTimestamp": START},
                   "status": {"conditions": conditions}}),
            json!({"kind": "Pod", "metadata": {"namespace": "d", "name": "p"}, "spec": {"nodeName": "n"},
                   "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            json!({"kind": "Pod", "metadata": {"namespace": "d", "name": "q"}, "spec": {"nodeName": "m"},
                   "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        ]);
        if let Some(renewed) = renewed {
            memory.put(lease(renewed));
        }
        memory
    }

    fn lease(renewed: &str) -> Value {
        json!({"kind": "Lease", "metadata": {"namespace": LEASES, "name": "n"}, "spec": {"renewTime": renewed}})
    }

    fn at(memory: &Memory, now: &str) -> Outcome {
        let key = Key {
            namespace: "".into(),
            name: "n".into(),
        };
        let node = memory.get(&NODE, "", "n").expect("it is there");
        let seen = Look {
            view: memory,
            key: &key,
            now: now.parse().expect("a time"),
            failure: None,
        };
        look(&seen, &node)
    }

    #[test]
    fn a_node_that_renews_its_lease_is_left_alone() {
        let ready = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": START}]);
        let mut memory = world(&ready, Some("1999-01-01T00:00:00.000000Z"));
        let first = at(&memory, START);
        assert_eq!(first.effects, [], "what was told before counts from now on");
        let left = Some(Duration::from_secs(31));
        assert_eq!(at(&memory, "2026-01-01T00:00:20Z").again_after, left);
        memory.put(lease("1999-01-01T00:00:10.000000Z"));
        let outcome = at(&memory, "2026-01-01T00:00:49Z");
        let left = Some(Duration::from_secs(51));
        assert_eq!((outcome.effects, outcome.again_after), (vec![], left));
    }

    #[test]
    fn a_silent_node_is_unknown_and_its_pods_are_not_ready() {
        let ready = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": START}]);
        let memory = world(&ready, Some(START));
        at(&memory, "2026-01-01T00:05:00Z");
        let outcome = at(&memory, "2026-01-01T00:05:50Z");
        let [
            Effect::UpdateStatus { object: node, .. },
            Effect::Event { message, .. },
            rest @ ..,
        ] = &outcome.effects[..]
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(message, "Node n status is now: NodeNotReady");
        let told: Vec<_> = condition::list(node)
            .iter()
            .map(|condition| (condition["type"].clone(), condition["reason"].clone()))
            .collect();
        assert_eq!(told[0], (json!("Ready"), json!("NodeStatusUnknown")));
        assert_eq!(told[3], (json!("PIDPressure"), json!("NodeStatusNeverUpdated")));
        let [
            Effect::UpdateStatus { object: pod, .. },
            Effect::Event { reason, .. },
        ] = rest
        else {
            panic!("{rest:?}");
        };
        assert_eq!((object::name(pod), *reason), ("p", "NodeNotReady"));
        assert!(!object::is_true(pod, "Ready"));
    }

    #[test]
    fn what_has_been_said_is_not_said_again() {
        let unknown: Vec<Value> = CONDITIONS
            .iter()
            .map(|r#type| json!({"type": r#type, "status": "Unknown", "lastHeartbeatTime": START}))
            .collect();
        let mut memory = world(&json!(unknown), None);
        memory.remove("Pod", "d", "p");
        at(&memory, START);
        assert_eq!(at(&memory, "2026-01-01T00:05:50Z"), Outcome::nothing());
    }

    #[test]
    fn a_new_node_has_a_minute() {
        let memory = world(&json!([]), None);
        at(&memory, START);
        assert_eq!(at(&memory, "2026-01-01T00:00:59Z").effects, []);
        assert!(!at(&memory, "2026-01-01T00:01:00Z").effects.is_empty());
    }
}
