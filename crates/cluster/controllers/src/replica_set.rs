//! ReplicaSets, and ReplicationControllers, their elders: as many active pods as `spec.replicas` says
//! (`pkg/controller/replicaset/replica_set.go`, `pkg/controller/replication`).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Failure, Outcome};
use crate::kind::{Kind, POD, REPLICA_SET, REPLICATION_CONTROLLER};
use crate::pods::{self, claim};
use crate::selector::Selector;
use crate::view::View;
use crate::{condition, object};

/// The row for ReplicationControllers.
pub const ELDER: Controller = Controller {
    name: "replication-controller",
    watches: &[
        Watch {
            kind: REPLICATION_CONTROLLER,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: of_elders_pod,
        },
    ],
    reconcile: |look| balance(look, &REPLICATION_CONTROLLER),
    workers: 2,
};

/// The row for ReplicaSets.
pub const CONTROLLER: Controller = Controller {
    name: "replicaset-controller",
    watches: &[
        Watch {
            kind: REPLICA_SET,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: of_pod,
        },
    ],
    reconcile: |look| balance(look, &REPLICA_SET),
    workers: 5,
};

/// At most this many pods are made or removed in one go (`BurstReplicas`).
const BURST: usize = 500;

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &REPLICA_SET)
}

fn of_elders_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &REPLICATION_CONTROLLER)
}

fn balance(look: &Look<'_>, kind: &Kind) -> Outcome {
    let Some(set) = look.view.get(kind, &look.key.namespace, &look.key.name) else {
        return Outcome::nothing();
    };
    let Some(selector) = Selector::of_owner(kind, &set) else {
        return Outcome::nothing();
    };
    let mut outcome = Outcome::nothing();
    let candidates = look.view.list(&POD, Some(object::namespace(&set)));
    let active: Vec<Arc<Value>> = candidates
        .into_iter()
        .filter(|pod| object::is_active(pod))
        .collect();
    let mut claims = Outcome::nothing();
    let active = claim(kind, &set, &selector, active, &mut claims);
    // The status first: who sees a pod released sees it counted no more.
    report(kind, &set, &active, look, &mut outcome);
    outcome.effects.append(&mut claims.effects);
    if look.failure.is_none() && !object::is_deleting(&set) {
        manage(look, kind, &set, &active, &mut outcome);
    }
    outcome
}

/// Makes the pods that are missing, or removes those that are too many.
fn manage(look: &Look<'_>, kind: &Kind, set: &Arc<Value>, active: &[Arc<Value>], outcome: &mut Outcome) {
    let wanted = usize::try_from(object::integer(set, "/spec/replicas")).unwrap_or_default();
    let missing = wanted.saturating_sub(active.len()).min(BURST);
    outcome.effects.extend((0..missing).map(|_| Effect::Create {
        kind: POD,
        object: pods::from_template(kind, set, &set["spec"]["template"]),
        tell: Some(pods::tell_create(set)),
    }));
    let surplus = active.len().saturating_sub(wanted).min(BURST);
    if surplus > 0 {
        let related = related_pods(look.view, set);
        let chosen = pods::to_delete(active, &related, surplus, look.now);
        outcome.effects.extend(
            chosen
                .into_iter()
                .map(|pod| pods::delete(&pod, Some(pods::tell_delete(set)))),
        );
    }
}

/// Pods of all ReplicaSets that have the same owner: how crowded a node is decides who goes first.
fn related_pods(view: &dyn View, set: &Value) -> Vec<Arc<Value>> {
    let Some(owner) = object::controller(set) else {
        return view.controlled_by(&POD, set);
    };
    let same_owner = |other: &Value| object::controller(other).is_some_and(|o| o["uid"] == owner["uid"]);
    let sets = view.list(&REPLICA_SET, Some(object::namespace(set)));
    sets.iter()
        .filter(|other| same_owner(other))
        .flat_map(|other| view.controlled_by(&POD, other))
        .collect()
}

/// Brings the status up to date, and asks for another look where pods become available with time alone.
fn report(kind: &Kind, set: &Value, active: &[Arc<Value>], look: &Look<'_>, outcome: &mut Outcome) {
    let min_ready = object::integer(set, "/spec/minReadySeconds");
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let fully_labeled = active.iter().filter(|pod| carries(pod, labels)).count();
    let ready: Vec<&Arc<Value>> = active
        .iter()
        .filter(|pod| object::is_true(pod, "Ready"))
        .collect();
    let available = ready
        .iter()
        .filter(|pod| pods::is_available(pod, min_ready, look.now))
        .count();
    let mut status = json!({
        "replicas": active.len(),
        "fullyLabeledReplicas": fully_labeled,
        "readyReplicas": ready.len(),
        "availableReplicas": available,
        "observedGeneration": object::generation(set),
    });
    // Counts of zero are not written, as in Go: all but `replicas` are omitempty.
    if let Value::Object(fields) = &mut status {
        fields.retain(|name, value| name == "replicas" || *value != 0);
    }
    let mut conditions = condition::list(set);
    tell_failure(&mut conditions, look.failure, look.now, active.len(), set);
    condition::store(&mut status, conditions);
    if status != set["status"] {
        let mut changed = set.clone();
        changed["status"] = status;
        outcome.push(Effect::UpdateStatus {
            kind: kind.clone(),
            object: changed,
        });
    }
    if min_ready > 0 && available < ready.len() {
        outcome.again_within(pods::next_availability(&ready, min_ready, look.now));
    }
}

fn tell_failure(
    conditions: &mut Vec<Value>,
    failure: Option<&Failure>,
    now: Timestamp,
    active: usize,
    set: &Value,
) {
    let Some(failure) = failure else {
        condition::remove(conditions, "ReplicaFailure");
        return;
    };
    let known = conditions
        .iter()
        .any(|condition| condition["type"] == "ReplicaFailure");
    if known {
        return;
    }
    let wanted = object::integer(set, "/spec/replicas");
    let reason = match i64::try_from(active).unwrap_or(i64::MAX).cmp(&wanted) {
        std::cmp::Ordering::Less => "FailedCreate",
        std::cmp::Ordering::Greater => "FailedDelete",
        std::cmp::Ordering::Equal => "",
    };
    conditions.push(json!({
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": object::shown(now),
        "reason": reason,
        "message": failure.message,
    }));
}

fn carries(pod: &Value, labels: &Value) -> bool {
    labels.as_object().is_none_or(|labels| {
        labels
            .iter()
            .all(|(key, value)| pod["metadata"]["labels"][key] == *value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn set(replicas: i64) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web", "namespace": "shop", "uid": "rs", "generation": 1},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            },
        })
    }

    fn pod(name: &str, ready: bool) -> Value {
        let status = if ready { "True" } else { "False" };
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"},
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": true}],
            },
            "spec": {"nodeName": "n"},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ]},
        })
    }

    fn outcome(objects: impl IntoIterator<Item = Value>, failure: Option<&Failure>) -> Outcome {
        let memory = Memory::of(objects);
        let key = Key {
            namespace: "shop".into(),
            name: "web".into(),
        };
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        balance(
            &Look {
                view: &memory,
                key: &key,
                now,
                failure,
            },
            &REPLICA_SET,
        )
    }

    fn deleted(outcome: &Outcome) -> Vec<&str> {
        let names = outcome.effects.iter().filter_map(|effect| match effect {
            Effect::Delete { name, .. } => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }

    #[test]
    fn missing_pods_are_made() {
        let outcome = outcome([set(3), pod("a", true)], None);
        let created = outcome
            .effects
            .iter()
            .filter(|e| matches!(e, Effect::Create { kind, .. } if *kind == POD));
        assert_eq!(created.count(), 2);
    }

    #[test]
    fn pods_that_are_not_ready_go_first() {
        let outcome = outcome([set(1), pod("a", true), pod("b", false), pod("c", true)], None);
        assert_eq!(deleted(&outcome).len(), 2);
        assert_eq!(deleted(&outcome)[0], "b");
    }

    #[test]
    fn pods_of_others_are_left_alone() {
        let mut other = pod("other", true);
        other["metadata"]["ownerReferences"][0]["uid"] = json!("somebody");
        let outcome = outcome([set(0), other], None);
        assert_eq!(deleted(&outcome), Vec::<&str>::new());
    }

    #[test]
    fn replication_controllers_select_by_a_plain_map() {
        let mut elder = set(2);
        elder["kind"] = json!("ReplicationController");
        elder["spec"]["selector"] = json!({"app": "web"});
        let memory = Memory::of([elder, pod("a", true)]);
        let key = Key {
            namespace: "shop".into(),
            name: "web".into(),
        };
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        let look = Look {
            view: &memory,
            key: &key,
            now,
            failure: None,
        };
        let outcome = balance(&look, &REPLICATION_CONTROLLER);
        let [Effect::UpdateStatus { .. }, Effect::Create { object, .. }] = &outcome.effects[..] else {
            panic!("one pod is there: {outcome:?}")
        };
        assert_eq!(
            object::controller(object).map(|owner| &owner["apiVersion"]),
            Some(&json!("v1"))
        );
    }

    #[test]
    fn the_status_counts() {
        let outcome = outcome([set(2), pod("a", true), pod("b", false)], None);
        let [Effect::UpdateStatus { object, .. }] = &outcome.effects[..] else {
            panic!("only the status changes: {outcome:?}")
        };
        let expected = json!({
            "replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 1,
            "observedGeneration": 1,
        });
        assert_eq!(object["status"], expected);
    }

    #[test]
    fn a_failure_is_told_and_nothing_else_is_tried() {
        let effect = Effect::Bind {
            namespace: String::new(),
            name: String::new(),
            uid: String::new(),
            node: String::new(),
        };
        let failure = Failure {
            effect,
            message: "exceeded quota".to_owned(),
        };
        let outcome = outcome([set(2), pod("a", true)], Some(&failure));
        let [Effect::UpdateStatus { object, .. }] = &outcome.effects[..] else {
            panic!("only the status changes: {outcome:?}")
        };
        assert_eq!(object["status"]["conditions"][0]["reason"], "FailedCreate");
        assert_eq!(object["status"]["conditions"][0]["message"], "exceeded quota");
    }
}
