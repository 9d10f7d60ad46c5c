//! Removes pods that nobody else will: those of nodes that are gone, those that end before they were placed, and the
//! oldest of very many that have ended (`pkg/controller/podgc`).

use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{NODE, POD};
use crate::view::View;
use crate::{condition, object};

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "pod-garbage-collector",
    watches: &[
        Watch {
            kind: POD,
            keys: of_pod,
        },
        Watch {
            kind: NODE,
            keys: of_lost_node,
        },
    ],
    reconcile,
    workers: 1,
};

/// So many ended pods are kept (`--terminated-pod-gc-threshold`).
const ENDED_MAX: usize = 12_500;

/// A node that is not there may be about to come: pods on it are left alone for so long (`quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);

fn everything() -> Vec<Key> {
    vec![Key {
        namespace: "".into(),
        name: "".into(),
    }]
}

/// Pods that run on a node which is there are no business of ours, and they are most of all changes.
fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let pod = change.object;
    let placed = node_of(pod);
    let concerns = has_ended(pod)
        || (placed.is_empty() && object::is_deleting(pod))
        || (!placed.is_empty() && view.get(&NODE, "", placed).is_none());
    if concerns && !change.deleted {
        everything()
    } else {
        Vec::new()
    }
}

fn of_lost_node(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if change.deleted { everything() } else { Vec::new() }
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let pods = look.view.list(&POD, None);
    let mut ended: Vec<&Value> = pods
        .iter()
        .map(|pod| &**pod)
        .filter(|pod| has_ended(pod))
        .collect();
    ended.sort_by_key(|pod| (pod["status"]["reason"] != "Evicted", object::created(pod)));
    for pod in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
        remove(pod, None, look, &mut outcome);
    }
    for pod in &pods {
        let node = node_of(pod);
        if node.is_empty() {
            if object::is_deleting(pod) {
                remove(pod, None, look, &mut outcome);
            }
        } else if look.view.get(&NODE, "", node).is_none() {
            let age = look
                .now
                .as_second()
                .saturating_sub(object::created(pod).as_second());
            let left = QUARANTINE
                .as_secs()
                .saturating_sub(u64::try_from(age).unwrap_or_default());
            if left > 0 {
                outcome.again_within(Duration::from_secs(left));
            } else {
                let reason = ("DeletionByPodGC", "PodGC: node no longer exists");
                remove(pod, Some(reason), look, &mut outcome);
            }
        }
    }
    outcome
}

/// A pod that has not ended is marked as failed first, so that its owner counts it.
fn remove(pod: &Value, disruption: Option<(&str, &str)>, look: &Look<'_>, outcome: &mut Outcome) {
    if !has_ended(pod) {
        let mut failed = pod.clone();
        failed["status"]["phase"] = json!("Failed");
        if let Some((reason, message)) = disruption {
            let mut conditions = condition::list(pod);
            condition::remove(&mut conditions, "DisruptionTarget");
            conditions.push(json!({
                "type": "DisruptionTarget", "status": "True", "reason": reason, "message": message,
                "lastProbeTime": null, "lastTransitionTime": object::shown(look.now),
                "observedGeneration": object::generation(pod),
            }));
            failed["status"]["conditions"] = json!(conditions);
        }
        outcome.push(Effect::UpdateStatus {
            kind: POD,
            object: failed,
        });
    }
    outcome.push(Effect::Delete {
        kind: POD,
        namespace: object::namespace(pod).to_owned(),
        name: object::name(pod).to_owned(),
        uid: object::uid(pod).to_owned(),
        propagation: None,
        grace_seconds: Some(0),
        tell: None,
    });
}

fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn pod(name: &str, node: &str, deleting: bool) -> Value {
        let mut pod = json!({
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {},
            "status": {"phase": "Pending"},
        });
        if !node.is_empty() {
            pod["spec"]["nodeName"] = json!(node);
        }
        if deleting {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:10Z");
        }
        pod
    }

    fn look_at(pods: Vec<Value>, now: &str) -> Outcome {
        let mut memory = Memory::of(pods);
        memory.put(json!({"kind": "Node", "metadata": {"name": "n"}}));
        let key = Key {
            namespace: "".into(),
            name: "".into(),
        };
        reconcile(&Look {
            view: &memory,
            key: &key,
            now: now.parse().expect("a time"),
            failure: None,
        })
    }

    fn removed(outcome: &Outcome) -> Vec<&str> {
        let names = outcome.effects.iter().filter_map(|effect| match effect {
            Effect::Delete {
                name,
                grace_seconds: Some(0),
                ..
            } => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }

    #[test]
    fn pods_that_end_before_they_were_placed_go_at_once() {
        let outcome = look_at(
            vec![pod("a", "", true), pod("b", "", false), pod("c", "n", true)],
            "2026-01-01T00:00:01Z",
        );
        assert_eq!(removed(&outcome), ["a"]);
    }

    #[test]
    fn pods_of_lost_nodes_go_after_a_while() {
        let early = look_at(vec![pod("a", "lost", false)], "2026-01-01T00:00:10Z");
        assert_eq!(
            (removed(&early).len(), early.again_after),
            (0, Some(Duration::from_secs(30)))
        );
        let late = look_at(vec![pod("a", "lost", false)], "2026-01-01T00:01:00Z");
        assert_eq!(removed(&late), ["a"]);
        let Effect::UpdateStatus { object, .. } = &late.effects[0] else {
            panic!("it is marked first")
        };
        assert_eq!(object["status"]["phase"], "Failed");
        assert_eq!(object["status"]["conditions"][0]["reason"], "DeletionByPodGC");
    }

    #[test]
    fn ended_pods_are_kept_up_to_a_number() {
        let ended = (0..ENDED_MAX + 3).map(|number| {
            let mut pod = pod(&format!("p{number:05}"), "n", false);
            pod["status"]["phase"] = json!("Succeeded");
            pod
        });
        assert_eq!(
            removed(&look_at(ended.collect(), "2026-01-01T00:01:00Z")).len(),
            3
        );
    }
}
