//! Pods that do not put up with a NoExecute taint of their node leave it, at once or after the time that they tolerate it
//! (`pkg/controller/tainteviction`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{NODE, POD};
use crate::scheduler::filter::tolerates;
use crate::view::View;
use crate::{condition, object};

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "taint-eviction-controller",
    watches: &[
        Watch {
            kind: POD,
            keys: of_placed_pod,
        },
        Watch {
            kind: NODE,
            keys: of_tainted_node,
        },
    ],
    reconcile,
    workers: 2,
};

/// Pods on nodes without such taints, which are nearly all, are no business of ours.
fn of_placed_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let name = change.object["spec"]["nodeName"].as_str().unwrap_or_default();
    let node = (!change.deleted && !name.is_empty())
        .then(|| view.get(&NODE, "", name))
        .flatten();
    let tainted = node.is_some_and(|node| evicting(&node).next().is_some());
    if tainted {
        vec![Key::of(change.object)]
    } else {
        Vec::new()
    }
}

fn of_tainted_node(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let taints = |node: &Value| -> Vec<Value> { evicting(node).cloned().collect() };
    let now = taints(change.object);
    if change.deleted || now.is_empty() || change.previous.is_some_and(|before| taints(before) == now) {
        return Vec::new();
    }
    let name = object::name(change.object);
    let pods = view.list(&POD, None);
    let placed = pods.iter().filter(|pod| pod["spec"]["nodeName"] == name);
    placed.map(|pod| Key::of(pod)).collect()
}

/// The taints that drive pods away.
fn evicting(node: &Value) -> impl Iterator<Item = &Value> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.filter(|taint| taint["effect"] == "NoExecute")
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(pod) = look.view.get(&POD, &look.key.namespace, &look.key.name) else {
        return outcome;
    };
    let name = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    let Some(node) = look.view.get(&NODE, "", name).filter(|_| !name.is_empty()) else {
        return outcome;
    };
    if object::is_deleting(&pod) {
        return outcome;
    }
    let Some(patience) = patience(&pod, &node) else {
        return outcome;
    };
    let since = evicting(&node).map(|taint| added(taint, &node)).max();
    let left = patience - look.now.duration_since(since.unwrap_or(look.now));
    if left.is_positive() {
        let left = Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1);
        outcome.again_within(left);
    } else {
        evict(&pod, look.now, &mut outcome);
    }
    outcome
}

/// How long the pod stays under these taints: no time where it does not tolerate one of them, none (for ever) where all
/// that it tolerates them by has no end.
fn patience(pod: &Value, node: &Value) -> Option<SignedDuration> {
    let tolerations = || pod["spec"]["tolerations"].as_array().into_iter().flatten();
    let mut shortest: Option<i64> = None;
    for taint in evicting(node) {
        let Some(toleration) = tolerations().find(|toleration| tolerates(toleration, taint)) else {
            return Some(SignedDuration::ZERO);
        };
        if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
            shortest = Some(shortest.map_or(seconds, |known| known.min(seconds)).max(0));
        }
    }
    shortest.map(SignedDuration::from_secs)
}

/// When a taint came. Who taints by hand mostly does not say; then it is the last time that somebody wrote the taints.
fn added(taint: &Value, node: &Value) -> Timestamp {
    let written = node["metadata"]["managedFields"].as_array().into_iter().flatten();
    let written = written.filter(|entry| !entry["fieldsV1"]["f:spec"]["f:taints"].is_null());
    let said = object::time(&taint["timeAdded"]);
    said.or_else(|| written.filter_map(|entry| object::time(&entry["time"])).max())
        .unwrap_or_else(|| object::created(node))
}

fn evict(pod: &Value, now: Timestamp, outcome: &mut Outcome) {
    let (namespace, name) = (object::namespace(pod), object::name(pod));
    let message = format!("Marking for deletion Pod {namespace}/{name}");
    outcome.event(pod, "Normal", "TaintManagerEviction", message);
    let mut marked = pod.clone();
    let mut conditions = condition::list(pod);
    condition::remove(&mut conditions, "DisruptionTarget");
    conditions.push(json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastProbeTime": null, "lastTransitionTime": object::shown(now),
        "observedGeneration": object::generation(pod),
    }));
    marked["status"]["conditions"] = json!(conditions);
    outcome.push(Effect::UpdateStatus {
        kind: POD,
        object: marked,
    });
    outcome.push(Effect::Delete {
        kind: POD,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: object::uid(pod).to_owned(),
        propagation: None,
        grace_seconds: None,
        tell: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    const TAINTED: &str = "2026-01-01T00:00:00Z";

    fn after(tolerations: &Value, taints: &Value, now: &str) -> Outcome {
        let memory = Memory::of([
            json!({"kind": "Node", "metadata": {"name": "n", "managedFields": [
                       {"time": TAINTED, "fieldsV1": {"f:spec": {"f:taints": {}}}},
                       {"time": "2026-01-01T00:09:00Z", "fieldsV1": {"f:status": {}}}]},
                   "spec": {"taints": taints}}),
            json!({"kind": "Pod", "metadata": {"namespace": "d", "name": "p", "uid": "u"},
                   "spec": {"nodeName": "n", "tolerations": tolerations}}),
        ]);
        let key = Key {
            namespace: "d".into(),
            name: "p".into(),
        };
        reconcile(&Look {
            view: &memory,
            key: &key,
            now: now.parse().expect("a time"),
            failure: None,
        })
    }

    fn reasons(outcome: &Outcome) -> Vec<&'static str> {
        let effects = outcome.effects.iter().map(|effect| match effect {
            Effect::Event { reason, .. } => reason,
            Effect::UpdateStatus { .. } => "marked",
            Effect::Delete { .. } => "deleted",
            _ => "other",
        });
        effects.collect()
    }

    #[test]
    fn who_tolerates_nothing_leaves_at_once() {
        let taints = json!([{"key": "k", "value": "v", "effect": "NoExecute"}]);
        for tolerations in [
            json!([]),
            json!([{"key": "k", "operator": "Equal", "value": "w"}]),
        ] {
            let outcome = after(&tolerations, &taints, TAINTED);
            assert_eq!(reasons(&outcome), ["TaintManagerEviction", "marked", "deleted"]);
        }
        let harmless = json!([{"key": "k", "effect": "NoSchedule"}]);
        assert_eq!(after(&json!([]), &harmless, TAINTED), Outcome::nothing());
    }

    #[test]
    fn who_tolerates_for_a_time_leaves_then() {
        let taints = json!([{"key": "k", "effect": "NoExecute", "timeAdded": "2026-01-01T00:01:00Z"}]);
        let tolerations =
            json!([{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]);
        let outcome = after(&tolerations, &taints, "2026-01-01T00:02:00Z");
        assert_eq!(
            (reasons(&outcome), outcome.again_after),
            (vec![], Some(Duration::from_secs(241)))
        );
        let outcome = after(&tolerations, &taints, "2026-01-01T00:06:00Z");
        assert_eq!(reasons(&outcome), ["TaintManagerEviction", "marked", "deleted"]);
        let by_hand = json!([{"key": "k", "effect": "NoExecute"}]);
        let outcome = after(&tolerations, &by_hand, "2026-01-01T00:02:00Z");
        assert_eq!(outcome.again_after, Some(Duration::from_secs(181)));
    }

    #[test]
    fn the_shortest_patience_counts_and_no_end_is_for_ever() {
        let taints = json!([{"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"}]);
        let both = json!([{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists", "tolerationSeconds": 60}]);
        let outcome = after(&both, &taints, TAINTED);
        assert_eq!(outcome.again_after, Some(Duration::from_secs(61)));
        let all = json!([{"operator": "Exists"}]);
        assert_eq!(after(&all, &taints, "2027-01-01T00:00:00Z"), Outcome::nothing());
    }
}
