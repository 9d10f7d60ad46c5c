//! What all controllers of pods share: claiming, making, choosing whom to delete
//! (`pkg/controller/controller_utils.go`, `controller_ref_manager.go`).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::controller::{self, Change, Key};
use crate::effect::{Effect, Outcome, Tell};
use crate::kind::{Kind, POD};
use crate::object;
use crate::selector::Selector;
use crate::view::View;

/// The keys that a change of a pod concerns: its owner of this kind before and after; for an orphan, every owner whose
/// selector matches, which may adopt it.
pub fn owners(view: &dyn View, change: &Change<'_>, kind: &Kind) -> Vec<Key> {
    let owners = controller::owner_of_kind(change, kind);
    if !owners.is_empty() || change.deleted || object::controller(change.object).is_some() {
        return owners;
    }
    view.list(kind, Some(object::namespace(change.object)))
        .iter()
        .filter(|owner| {
            Selector::of_owner(kind, owner)
                .is_some_and(|selector| !selector.is_empty() && selector.matches(change.object))
        })
        .map(|owner| Key::of(owner))
        .collect()
}

/// Of these objects, those that belong to `owner`. Orphans that its selector matches are adopted; its own that no longer
/// match are released.
pub fn claim(
    kind: &Kind,
    owner: &Value,
    selector: &Selector,
    objects: Vec<Arc<Value>>,
    outcome: &mut Outcome,
) -> Vec<Arc<Value>> {
    let mut claimed = Vec::new();
    for candidate in objects {
        let matches = selector.matches(&candidate);
        match object::controller(&candidate) {
            Some(reference) if reference["uid"] != object::uid(owner) => {}
            Some(_) if matches => claimed.push(candidate),
            Some(_) if !object::is_deleting(owner) => outcome.push(release(owner, &candidate)),
            Some(_) => {}
            None if matches && !object::is_deleting(owner) && !object::is_deleting(&candidate) => {
                outcome.push(adopt(kind, owner, &candidate));
                claimed.push(candidate);
            }
            None => {}
        }
    }
    claimed
}

fn kind_of(candidate: &Value) -> Kind {
    crate::kind::ALL
        .iter()
        .find(|kind| candidate["kind"] == *kind.kind)
        .cloned()
        .unwrap_or(POD)
}

/// Makes an orphan the owner's.
pub fn adopt(kind: &Kind, owner: &Value, candidate: &Value) -> Effect {
    let mut owners = candidate["metadata"]["ownerReferences"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    owners.push(object::owner_reference(kind, owner));
    patch_owners(candidate, owners)
}

fn release(owner: &Value, candidate: &Value) -> Effect {
    let mut owners = candidate["metadata"]["ownerReferences"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    owners.retain(|reference| reference["uid"] != object::uid(owner));
    patch_owners(candidate, owners)
}

fn patch_owners(candidate: &Value, owners: Vec<Value>) -> Effect {
    // The uid makes the patch fail where another object has taken the name.
    let uid = object::uid(candidate);
    Effect::Patch {
        kind: kind_of(candidate),
        namespace: object::namespace(candidate).to_owned(),
        name: object::name(candidate).to_owned(),
        subresource: "",
        patch: json!({"metadata": {"uid": uid, "ownerReferences": owners}}),
    }
}

/// A pod of a template, controlled by `owner`; the API server gives it a name.
pub fn from_template(kind: &Kind, owner: &Value, template: &Value) -> Value {
    let mut metadata = Map::new();
    metadata.insert("generateName".to_owned(), json!(prefix(object::name(owner))));
    metadata.insert("namespace".to_owned(), owner["metadata"]["namespace"].clone());
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    metadata.insert(
        "ownerReferences".to_owned(),
        json!([object::owner_reference(kind, owner)]),
    );
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// A name that is too long to take a hyphen is used as it is.
fn prefix(name: &str) -> String {
    const NAME_MAX: usize = 253;
    if name.len() < NAME_MAX {
        format!("{name}-")
    } else {
        name.to_owned()
    }
}

/// Events about pods that were made.
pub fn tell_create(about: &Arc<Value>) -> Tell {
    Tell {
        about: about.clone(),
        done: ("SuccessfulCreate", "Created pod: {name}".into()),
        failed: ("FailedCreate", "Error creating: {error}".into()),
    }
}

/// Events about pods that were deleted.
pub fn tell_delete(about: &Arc<Value>) -> Tell {
    Tell {
        about: about.clone(),
        done: ("SuccessfulDelete", "Deleted pod: {name}".into()),
        failed: ("FailedDelete", "Error deleting: {error}".into()),
    }
}

/// Deletes a pod with its own grace period.
pub fn delete(pod: &Value, tell: Option<Tell>) -> Effect {
    Effect::Delete {
        kind: POD,
        namespace: object::namespace(pod).to_owned(),
        name: object::name(pod).to_owned(),
        uid: object::uid(pod).to_owned(),
        propagation: None,
        grace_seconds: None,
        tell,
    }
}

/// Ready for at least `min_ready` seconds.
pub fn is_available(pod: &Value, min_ready: i64, now: Timestamp) -> bool {
    if !object::is_true(pod, "Ready") {
        return false;
    }
    min_ready == 0
        || ready_since(pod)
            .is_some_and(|since| now.as_second().saturating_sub(since.as_second()) >= min_ready)
}

/// How long until the next of these ready pods becomes available.
pub fn next_availability(ready: &[&Arc<Value>], min_ready: i64, now: Timestamp) -> Duration {
    let waits = ready.iter().filter_map(|pod| {
        let at = ready_since(pod)?.as_second().saturating_add(min_ready);
        u64::try_from(at.saturating_sub(now.as_second()))
            .ok()
            .filter(|wait| *wait > 0)
    });
    let longest = u64::try_from(min_ready).unwrap_or_default();
    Duration::from_secs(waits.min().unwrap_or(longest))
}

fn ready_since(pod: &Value) -> Option<Timestamp> {
    object::time(&object::condition(pod, "Ready")?["lastTransitionTime"])
}

/// `count` of the active pods, those that hurt least first. `related` are all pods of the same application: where many of
/// them share a node, one of those goes before others.
pub fn to_delete(
    active: &[Arc<Value>],
    related: &[Arc<Value>],
    count: usize,
    now: Timestamp,
) -> Vec<Arc<Value>> {
    if count >= active.len() {
        return active.to_vec();
    }
    let mut crowd: HashMap<&str, usize> = HashMap::new();
    for pod in related
        .iter()
        .filter(|pod| object::is_active(pod) && object::is_true(pod, "Ready"))
    {
        *crowd.entry(node(pod)).or_default() += 1;
    }
    let mut sorted = active.to_vec();
    sorted.sort_by(|a, b| {
        let rank = |pod: &Value| crowd.get(node(pod)).copied().unwrap_or_default();
        first_to_go(a, b, rank(a), rank(b), now)
    });
    sorted.truncate(count);
    sorted
}

fn node(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

/// The order of `ActivePodsWithRanks`: less goes first.
fn first_to_go(a: &Value, b: &Value, rank_a: usize, rank_b: usize, now: Timestamp) -> Ordering {
    let assigned = |pod: &Value| !node(pod).is_empty();
    let phase = |pod: &Value| match pod["status"]["phase"].as_str() {
        Some("Unknown") => 1,
        Some("Running") => 2,
        _ => 0,
    };
    let ready = |pod: &Value| object::is_true(pod, "Ready");
    let cost = |pod: &Value| {
        let cost = object::annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
        cost.and_then(|cost| cost.parse::<i32>().ok()).unwrap_or_default()
    };
    let by_state = assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| ready(a).cmp(&ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| rank_b.cmp(&rank_a));
    by_state
        .then_with(|| {
            if ready(a) && ready(b) {
                younger(ready_since(a), ready_since(b), now, a, b)
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| younger(Some(object::created(a)), Some(object::created(b)), now, a, b))
}

/// The younger goes first; ages of the same power of two count as equal, and the uid decides.
fn younger(
    a: Option<Timestamp>,
    b: Option<Timestamp>,
    now: Timestamp,
    pod_a: &Value,
    pod_b: &Value,
) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else {
        return b.is_some().cmp(&a.is_some()).reverse();
    };
    if a == b {
        return Ordering::Equal;
    }
    let magnitude = |then: Timestamp| {
        let nanoseconds = now.as_nanosecond().saturating_sub(then.as_nanosecond());
        u128::try_from(nanoseconds).ok().and_then(u128::checked_ilog2)
    };
    magnitude(a)
        .cmp(&magnitude(b))
        .then_with(|| object::uid(pod_a).cmp(object::uid(pod_b)))
}

fn restarts(pod: &Value) -> i64 {
    let statuses = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    statuses
        .filter_map(|status| status["restartCount"].as_i64())
        .max()
        .unwrap_or_default()
}
