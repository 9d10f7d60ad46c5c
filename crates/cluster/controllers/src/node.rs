//! Nodes: what their conditions say becomes taints (`pkg/controller/nodelifecycle`, `TaintNodesByCondition`). One that has
//! fallen silent says nothing any more: [`node_health`] says it.

use serde_json::{Value, json};

use crate::controller::{self, Controller, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{LEASE, NODE};
use crate::{node_health, object};

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "node-controller",
    watches: &[
        Watch {
            kind: NODE,
            keys: controller::itself,
        },
        Watch {
            kind: LEASE,
            keys: node_health::of_lease,
        },
    ],
    reconcile,
    workers: 2,
};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Type and status of a condition, and the taint that it asks for.
const BY_CONDITION: &[(&str, &str, &str)] = &[
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    (
        "NetworkUnavailable",
        "True",
        "node.kubernetes.io/network-unavailable",
    ),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(node) = look.view.get(&NODE, "", &look.key.name) else {
        look.view.forget(&look.key.name);
        return outcome;
    };
    let health = node_health::look(look, &node);
    if !health.effects.is_empty() {
        // The taints follow when the node says that it is silent.
        return health;
    }
    outcome.again_after = health.again_after;
    let wanted = wanted(&node);
    let known: Vec<&Value> = node["spec"]["taints"].as_array().into_iter().flatten().collect();
    let is_wanted = |taint: &Value| wanted.iter().any(|(key, effect)| same(taint, key, effect));
    let mut taints: Vec<Value> = known
        .iter()
        .filter(|taint| !is_ours(taint) || is_wanted(taint))
        .map(|taint| Value::clone(taint))
        .collect();
    for (key, effect) in &wanted {
        if !known.iter().any(|taint| same(taint, key, effect)) {
            taints.push(json!({"key": key, "effect": effect, "timeAdded": object::shown(look.now)}));
        }
    }
    if taints.iter().collect::<Vec<_>>() == known {
        return outcome;
    }
    let mut changed = Value::clone(&node);
    if let Some(spec) = changed["spec"].as_object_mut() {
        if taints.is_empty() {
            spec.remove("taints");
        } else {
            spec.insert("taints".to_owned(), Value::Array(taints));
        }
        outcome.push(Effect::Update {
            kind: NODE,
            object: changed,
        });
    }
    outcome
}

/// Keys and effects of the taints that a node shall have.
fn wanted(node: &Value) -> Vec<(&'static str, &'static str)> {
    let holds = |r#type: &str, status: &str| {
        object::condition(node, r#type).is_some_and(|condition| condition["status"] == status)
    };
    let mut wanted: Vec<(&str, &str)> = BY_CONDITION
        .iter()
        .filter(|(r#type, status, _)| holds(r#type, status))
        .map(|(_, _, key)| (*key, "NoSchedule"))
        .collect();
    if node["spec"]["unschedulable"] == true {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    // Pods that do not tolerate these go.
    for (status, key) in [("False", NOT_READY), ("Unknown", UNREACHABLE)] {
        if holds("Ready", status) {
            wanted.push((key, "NoExecute"));
        }
    }
    wanted
}

/// A taint that nobody but this controller manages.
fn is_ours(taint: &Value) -> bool {
    let by_condition = BY_CONDITION.iter().any(|(_, _, key)| taint["key"] == *key);
    match taint["effect"].as_str() {
        Some("NoSchedule") => by_condition || taint["key"] == UNSCHEDULABLE,
        Some("NoExecute") => taint["key"] == NOT_READY || taint["key"] == UNREACHABLE,
        _ => false,
    }
}

fn same(taint: &Value, key: &str, effect: &str) -> bool {
    taint["key"] == key && taint["effect"] == effect
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Key;
    use crate::view::memory::Memory;

    /// The taints after a look, `None` where nothing is to be done.
    fn taints(conditions: &Value, taints: &Value, unschedulable: bool) -> Option<Value> {
        let memory = Memory::of([json!({
            "kind": "Node", "metadata": {"name": "n"},
            "spec": {"taints": taints, "unschedulable": unschedulable},
            "status": {"conditions": conditions},
        })]);
        let key = Key {
            namespace: "".into(),
            name: "n".into(),
        };
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let look = Look {
            view: &memory,
            key: &key,
            now,
            failure: None,
        };
        match reconcile(&look).effects.pop() {
            Some(Effect::Update { object, .. }) => Some(object["spec"]["taints"].clone()),
            _ => None,
        }
    }

    #[test]
    fn a_ready_node_loses_the_taint_of_a_new_one() {
        let new = json!([{"key": NOT_READY, "effect": "NoSchedule"}, {"key": "x", "effect": "NoSchedule"}]);
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(
            taints(&ready, &new, false),
            Some(json!([{"key": "x", "effect": "NoSchedule"}]))
        );
    }

    #[test]
    fn conditions_and_cordons_become_taints() {
        let conditions =
            json!([{"type": "Ready", "status": "False"}, {"type": "DiskPressure", "status": "True"}]);
        let found = taints(&conditions, &json!([]), true).expect("there are taints to add");
        let shown: Vec<(&Value, &Value)> = found
            .as_array()
            .expect("a list")
            .iter()
            .map(|taint| (&taint["key"], &taint["effect"]))
            .collect();
        let expected = [
            (json!(NOT_READY), json!("NoSchedule")),
            (json!("node.kubernetes.io/disk-pressure"), json!("NoSchedule")),
            (json!(UNSCHEDULABLE), json!("NoSchedule")),
            (json!(NOT_READY), json!("NoExecute")),
        ];
        assert_eq!(shown, expected.iter().map(|(k, e)| (k, e)).collect::<Vec<_>>());
        assert_eq!(taints(&conditions, &found, true), None, "nothing is left to do");
    }
}
