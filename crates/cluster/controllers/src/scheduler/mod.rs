//! The scheduler: which node a pod goes to (`pkg/scheduler`).
//!
//! One look places all waiting pods, the most important first: what the first takes, the next one sees. The shell binds
//! them side by side. With one node, filters matter and scores hardly do: the node with the most room left wins.

pub mod affinity;
mod claims;
pub mod filter;
mod room;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::claims::{Claims, Steps};
use self::filter::Refusal;
use self::room::Room;
use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{NODE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS};
use crate::object;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: NAME,
    watches: &[
        Watch {
            kind: POD,
            keys: everything,
        },
        Watch {
            kind: NODE,
            keys: everything,
        },
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: everything,
        },
        Watch {
            kind: PERSISTENT_VOLUME,
            keys: everything,
        },
        Watch {
            kind: STORAGE_CLASS,
            keys: everything,
        },
    ],
    reconcile,
    workers: 1,
};

const NAME: &str = "default-scheduler";

/// Events about pods that wait are updated when the reason changes, not at each look.
const REASON: &str = "Unschedulable";

/// There is one queue of waiting pods, so there is one key. Pods that a node has already and that only report their status
/// wake nobody.
fn everything(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let placed = |object: &Value| !node_of(object).is_empty();
    let of_pod = change.object["kind"] == "Pod";
    let only_status = of_pod
        && placed(change.object)
        && change.previous.is_some_and(placed)
        && !change.deleted
        && !has_ended(change.object);
    if only_status {
        return Vec::new();
    }
    vec![Key {
        namespace: "".into(),
        name: "".into(),
    }]
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let pods = look.view.list(&POD, None);
    let mut waiting: Vec<&Arc<Value>> = pods.iter().filter(|pod| waits(pod)).collect();
    if waiting.is_empty() {
        return Outcome::nothing();
    }
    let priority = |pod: &Value| object::integer(pod, "/spec/priority");
    waiting.sort_by_key(|pod| (std::cmp::Reverse(priority(pod)), object::created(pod)));
    let nodes = look.view.list(&NODE, None);
    let mut rooms: BTreeMap<&str, Room<'_>> = nodes
        .iter()
        .map(|node| (object::name(node), Room::of(node)))
        .collect();
    for pod in pods.iter().filter(|pod| !has_ended(pod)) {
        if let Some(room) = rooms.get_mut(node_of(pod)) {
            room.take(pod);
        }
    }
    let (mut bound, mut volumes, mut told) = (Vec::new(), Vec::new(), Outcome::nothing());
    for pod in waiting {
        let claims = Claims::of(look.view, pod);
        match place(look.view, pod, &claims, &rooms) {
            Ok(node) => {
                let steps = match (&claims, rooms.get_mut(node.as_str())) {
                    (Ok(claims), Some(room)) => {
                        room.take(pod);
                        claims.steps(look.view, room.node).unwrap_or_default()
                    }
                    _ => Steps::default(),
                };
                // A pod whose claims are on their way keeps its place meanwhile, and comes again when they are bound.
                if steps.waits {
                    volumes.extend(steps.effects);
                } else {
                    bound.push((pod, node));
                }
            }
            Err(message) => tell(pod, &message, look.now, &mut told),
        }
    }
    let mut outcome = Outcome::nothing();
    outcome
        .effects
        .extend(bound.iter().map(|(pod, node)| bind(pod, node)));
    for (pod, node) in bound {
        let text = format!(
            "Successfully assigned {}/{} to {node}",
            object::namespace(pod),
            object::name(pod)
        );
        outcome.event(pod, "Normal", "Scheduled", text);
    }
    outcome.effects.extend(volumes);
    outcome.effects.extend(told.effects);
    outcome
}

/// It is ours, has no node, and nothing holds it back.
fn waits(pod: &Value) -> bool {
    node_of(pod).is_empty()
        && pod["spec"]["schedulerName"] == NAME
        && !object::is_deleting(pod)
        && !has_ended(pod)
        && pod["spec"]["schedulingGates"]
            .as_array()
            .is_none_or(Vec::is_empty)
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

/// The node for a pod, or why there is none, in upstream's words.
fn place(
    view: &dyn View,
    pod: &Value,
    claims: &Result<Claims, String>,
    rooms: &BTreeMap<&str, Room<'_>>,
) -> Result<String, String> {
    if rooms.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let claims = match claims {
        Ok(claims) => claims,
        Err(claim) => {
            let nodes = rooms.len();
            return Err(format!("0/{nodes} nodes are available: {claim}. not found"));
        }
    };
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut best: Option<(i128, &str)> = None;
    for (name, room) in rooms {
        let Some(refusal) = filter::refuse(view, pod, claims, room) else {
            let free = room.free_with(pod);
            if best.is_none_or(|(most, _)| free > most) {
                best = Some((free, name));
            }
            continue;
        };
        refusals.push(refusal);
    }
    match best {
        Some((_, node)) => Ok(node.to_owned()),
        None => Err(explain(&refusals, rooms.len())),
    }
}

/// `0/1 nodes are available: 1 Insufficient cpu. ...` (`framework/types.go FitError`).
fn explain(refusals: &[Refusal], nodes: usize) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in refusals.iter().flat_map(|refusal| &refusal.reasons) {
        *counts.entry(reason).or_default() += 1;
    }
    let listed = |mut parts: Vec<String>| {
        parts.sort();
        parts.join(", ")
    };
    let reasons = listed(
        counts
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect(),
    );
    let hopeless = refusals.iter().filter(|refusal| !refusal.room_would_help).count();
    let mut preemption = Vec::new();
    if hopeless > 0 {
        preemption.push(format!("{hopeless} Preemption is not helpful for scheduling"));
    }
    if hopeless < refusals.len() {
        preemption.push(format!(
            "{} No preemption victims found for incoming pod",
            refusals.len() - hopeless
        ));
    }
    format!(
        "0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are \
         available: {}.",
        listed(preemption)
    )
}

fn bind(pod: &Value, node: &str) -> Effect {
    Effect::Bind {
        namespace: object::namespace(pod).to_owned(),
        name: object::name(pod).to_owned(),
        uid: object::uid(pod).to_owned(),
        node: node.to_owned(),
    }
}

/// Says once why a pod waits: in its status, and as an event.
fn tell(pod: &Value, message: &str, now: Timestamp, outcome: &mut Outcome) {
    let known = object::condition(pod, "PodScheduled");
    let same = known.is_some_and(|known| {
        known["status"] == "False" && known["reason"] == REASON && known["message"] == message
    });
    if same {
        return;
    }
    let since = match known {
        Some(known) if known["status"] == "False" => known["lastTransitionTime"].clone(),
        _ => object::shown(now),
    };
    let mut changed = pod.clone();
    let mut conditions = crate::condition::list(pod);
    crate::condition::remove(&mut conditions, "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled", "status": "False", "reason": REASON, "message": message,
        "lastProbeTime": null, "lastTransitionTime": since,
        "observedGeneration": object::generation(pod),
    }));
    changed["status"]["conditions"] = Value::Array(conditions);
    outcome.event(pod, "Warning", "FailedScheduling", message.to_owned());
    outcome.push(Effect::UpdateStatus {
        kind: POD,
        object: changed,
    });
}

#[cfg(test)]
mod tests;
