//! The volume that suits a claim best (`component-helpers/storage/volume/pv_helpers.go FindMatchingVolume`).

use std::collections::BTreeSet;
use std::sync::Arc;

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::Value;

use super::class_of;
use crate::kind::PERSISTENT_VOLUME;
use crate::object;
use crate::scheduler::affinity;
use crate::selector::Selector;
use crate::view::View;

/// How a volume is looked for.
pub enum Seeker<'a> {
    /// The controller, for a claim that is bound at once.
    Controller,
    /// The controller, for a claim that waits for its pod: only a volume that is meant for it.
    Patient,
    /// The scheduler, for a node, beside volumes that are given away already.
    Scheduler(&'a Value, &'a BTreeSet<String>),
}

/// The volume that is meant for the claim, else the smallest that suits.
pub fn best(view: &dyn View, claim: &Value, seeker: &Seeker<'_>) -> Option<Arc<Value>> {
    let wanted = size(&claim["spec"]["resources"]["requests"]["storage"]);
    let class = class_of(claim);
    let selector = Selector::of(&claim["spec"]["selector"]);
    let mut found: Option<(usize, Quantity, Arc<Value>)> = None;
    for volume in view.list(&PERSISTENT_VOLUME, None) {
        let meant = is_meant_for(&volume, claim);
        let capacity = size(&volume["spec"]["capacity"]["storage"]);
        let is_out = match seeker {
            Seeker::Scheduler(_, taken) => taken.contains(object::name(&volume)),
            _ => false,
        };
        if is_out
            || (!volume["spec"]["claimRef"].is_null() && !meant)
            || capacity < wanted
            || mode(&claim["spec"]) != mode(&volume["spec"])
            || attributes(claim) != attributes(&volume)
            || object::is_deleting(&volume)
        {
            continue;
        }
        let reaches = match seeker {
            Seeker::Scheduler(node, _) => reaches(&volume, node),
            _ => true,
        };
        let has_modes = has_access_modes(claim, &volume);
        if meant && (matches!(seeker, Seeker::Scheduler(..)) || has_modes) {
            return reaches.then_some(volume);
        }
        let suits = !matches!(seeker, Seeker::Patient)
            && volume["status"]["phase"] == "Available"
            && (claim["spec"]["selector"].is_null() || selector.as_ref().is_some_and(|s| s.matches(&volume)))
            && class_of(&volume) == class
            && reaches
            && has_modes;
        // The fewest access modes come first: what can do more is kept for those who need it.
        let modes = match seeker {
            Seeker::Scheduler(..) => 0,
            _ => access_modes(&volume).count(),
        };
        let is_better = |known: &(usize, Quantity, Arc<Value>)| (modes, &capacity) < (known.0, &known.1);
        if suits && found.as_ref().is_none_or(is_better) {
            found = Some((modes, capacity, volume));
        }
    }
    found.map(|(_, _, volume)| volume)
}

/// A volume that names this claim, and no other of its name (`IsVolumeBoundToClaim`).
pub fn is_meant_for(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    let uid = reference["uid"].as_str().unwrap_or_default();
    reference.is_object()
        && reference["name"] == object::name(claim)
        && reference["namespace"] == object::namespace(claim)
        && (uid.is_empty() || uid == object::uid(claim))
}

/// Why a volume that a claim names cannot be its (`checkVolumeSatisfyClaim`).
pub fn mismatch(volume: &Value, claim: &Value) -> Option<String> {
    let wanted = size(&claim["spec"]["resources"]["requests"]["storage"]);
    let why = if object::is_deleting(volume) {
        return Some(format!(
            "the volume is marked for deletion {:?}",
            object::name(volume)
        ));
    } else if size(&volume["spec"]["capacity"]["storage"]) < wanted {
        "requested PV is too small"
    } else if class_of(volume) != class_of(claim) {
        "storageClassName does not match"
    } else if attributes(volume) != attributes(claim) {
        "volumeAttributesClassName does not match"
    } else if mode(&claim["spec"]) != mode(&volume["spec"]) {
        "incompatible volumeMode"
    } else if !has_access_modes(claim, volume) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Whether a volume can be had on a node.
pub fn reaches(volume: &Value, node: &Value) -> bool {
    let required = &volume["spec"]["nodeAffinity"]["required"];
    required.is_null() || affinity::matches_terms(required, node)
}

/// `Filesystem` or `Block`, of a claim's or a volume's spec.
pub fn mode(spec: &Value) -> &str {
    spec["volumeMode"].as_str().unwrap_or("Filesystem")
}

fn attributes(object: &Value) -> &str {
    object["spec"]["volumeAttributesClassName"]
        .as_str()
        .unwrap_or_default()
}

fn access_modes(object: &Value) -> impl Iterator<Item = &Value> {
    object["spec"]["accessModes"].as_array().into_iter().flatten()
}

fn has_access_modes(claim: &Value, volume: &Value) -> bool {
    access_modes(claim).all(|wanted| access_modes(volume).any(|mode| mode == wanted))
}

fn size(value: &Value) -> Quantity {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Quantity::ZERO,
    };
    Quantity::parse(&text).unwrap_or(Quantity::ZERO)
}
