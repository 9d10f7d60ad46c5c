//! The claims of a StatefulSet's pods: made before the pod, and owned as the retention policy says
//! (`stateful_pod_control.go`, `stateful_set_utils.go`).

use serde_json::{Map, Value, json};

use super::identity::{claim_name, claim_templates};
use crate::effect::{Effect, Tell};
use crate::kind::{Kind, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET};
use crate::object;
use crate::view::View;

/// Why a pod cannot be made yet.
pub enum Held {
    /// A claim still belongs to an earlier pod of that name, and goes with it.
    Stale,
    /// A claim of this name is being deleted.
    Deleting(String),
}

/// The claims of a pod that are missing; an error where one of them stands in the way.
pub fn missing(view: &dyn View, set: &std::sync::Arc<Value>, ordinal: i64) -> Result<Vec<Effect>, Held> {
    let mut effects = Vec::new();
    for template in claim_templates(set) {
        let name = claim_name(set, template, ordinal);
        match view.get(&PERSISTENT_VOLUME_CLAIM, object::namespace(set), &name) {
            Some(claim) if object::is_deleting(&claim) => return Err(Held::Deleting(name)),
            Some(_) => {}
            None => effects.push(Effect::Create {
                kind: PERSISTENT_VOLUME_CLAIM,
                object: new(set, template, &name),
                tell: Some(tell(set, &name, ordinal)),
            }),
        }
    }
    Ok(effects)
}

/// Whether a claim still refers to an earlier pod of this name.
pub fn is_stale(view: &dyn View, set: &Value, pod: &Value, ordinal: i64) -> bool {
    policy(set).1
        && existing(view, set, ordinal)
            .iter()
            .any(|claim| refers_to_another(claim, pod, &POD))
}

/// Claims whose owners are not what the policy asks for, as they should be.
pub fn to_own(view: &dyn View, set: &Value, pod: &Value, ordinal: i64, in_range: bool) -> Vec<Effect> {
    existing(view, set, ordinal)
        .into_iter()
        .filter_map(|claim| {
            let owners = wanted_owners(&claim, set, pod, in_range)?;
            let mut changed = claim;
            let metadata = changed["metadata"].as_object_mut()?;
            metadata.insert("ownerReferences".to_owned(), Value::Array(owners));
            Some(Effect::Update {
                kind: PERSISTENT_VOLUME_CLAIM,
                object: changed,
            })
        })
        .collect()
}

fn existing(view: &dyn View, set: &Value, ordinal: i64) -> Vec<Value> {
    claim_templates(set)
        .filter_map(|template| {
            let name = claim_name(set, template, ordinal);
            let claim = view.get(&PERSISTENT_VOLUME_CLAIM, object::namespace(set), &name)?;
            Some(Value::clone(&claim))
        })
        .collect()
}

fn new(set: &Value, template: &Value, name: &str) -> Value {
    let mut claim = template.clone();
    claim["apiVersion"] = json!("v1");
    claim["kind"] = json!("PersistentVolumeClaim");
    claim["metadata"]["name"] = json!(name);
    claim["metadata"]["namespace"] = json!(object::namespace(set));
    let mut labels = claim["metadata"]["labels"]
        .as_object()
        .cloned()
        .unwrap_or_else(Map::new);
    if let Some(selected) = set["spec"]["selector"]["matchLabels"].as_object() {
        labels.extend(selected.clone());
    }
    if !labels.is_empty() {
        claim["metadata"]["labels"] = Value::Object(labels);
    }
    claim
}

fn tell(set: &std::sync::Arc<Value>, claim: &str, ordinal: i64) -> Tell {
    let set_name = object::name(set);
    let pod = format!("Pod {set_name}-{ordinal} in StatefulSet {set_name}");
    Tell {
        about: set.clone(),
        done: (
            "SuccessfulCreate",
            format!("create Claim {claim} {pod} success").into(),
        ),
        failed: (
            "FailedCreate",
            format!("create Claim {claim} for {pod} failed error: {{error}}").into(),
        ),
    }
}

/// Whether claims go with the set, and whether they go when it shrinks.
fn policy(set: &Value) -> (bool, bool) {
    let policy = &set["spec"]["persistentVolumeClaimRetentionPolicy"];
    (
        policy["whenDeleted"] == "Delete",
        policy["whenScaled"] == "Delete",
    )
}

fn owners(claim: &Value) -> impl Iterator<Item = &Value> {
    claim["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
}

fn names(reference: &Value, owner: &Value, kind: &Kind) -> bool {
    reference["apiVersion"] == kind.api_version()
        && reference["kind"] == *kind.kind
        && reference["name"] == object::name(owner)
}

fn refers_to_another(claim: &Value, owner: &Value, kind: &Kind) -> bool {
    owners(claim)
        .find(|reference| names(reference, owner, kind))
        .is_some_and(|reference| reference["uid"] != object::uid(owner))
}

/// The owners that a claim should have; `None` where it has them, or is not ours to touch.
fn wanted_owners(claim: &Value, set: &Value, pod: &Value, in_range: bool) -> Option<Vec<Value>> {
    if refers_to_another(claim, set, &STATEFUL_SET) || refers_to_another(claim, pod, &POD) {
        return None;
    }
    let is_ours = |reference: &Value| names(reference, set, &STATEFUL_SET) || names(reference, pod, &POD);
    let (when_deleted, when_scaled) = policy(set);
    let controlled_by_others = (when_deleted || when_scaled)
        && owners(claim).any(|reference| !is_ours(reference) && reference["controller"] == true);
    let mut wanted: Vec<Value> = owners(claim)
        .filter(|reference| !is_ours(reference))
        .cloned()
        .collect();
    if !controlled_by_others {
        if when_scaled && !in_range {
            wanted.push(object::owner_reference(&POD, pod));
        } else if when_deleted {
            wanted.push(object::owner_reference(&STATEFUL_SET, set));
        }
    }
    let ours = |list: &mut dyn Iterator<Item = &Value>| -> Vec<(String, bool)> {
        list.filter(|reference| is_ours(reference))
            .map(|reference| (reference["uid"].to_string(), reference["controller"] == true))
            .collect()
    };
    let same = ours(&mut owners(claim)) == ours(&mut wanted.iter());
    (!same).then_some(wanted)
}
