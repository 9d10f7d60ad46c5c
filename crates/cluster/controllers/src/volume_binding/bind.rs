//! What is written where a claim and a volume become each other's, and where they cease to be.

use serde_json::{Map, Value, json};

use super::matching::is_meant_for;
use super::{BIND_COMPLETED, BOUND_BY_CONTROLLER};
use crate::effect::{Effect, Outcome};
use crate::kind::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM};
use crate::object;

/// Binds both: the volume first, so that nobody else takes it.
pub fn both(volume: &Value, claim: &Value, outcome: &mut Outcome) {
    outcome.effects.extend(reserve(volume, claim));
    phase(volume, "Bound", outcome);
    outcome.effects.extend(name_volume(claim, volume));
    claim_status(claim, "Bound", Some(volume), outcome);
}

/// Makes a volume a claim's (`GetBindVolumeToClaim`); `None` where it is.
pub fn reserve(volume: &Value, claim: &Value) -> Option<Effect> {
    let known = &volume["spec"]["claimRef"];
    let is_exact = known["name"] == object::name(claim)
        && known["namespace"] == object::namespace(claim)
        && known["uid"] == object::uid(claim);
    let mut changes = Map::new();
    if !is_exact {
        changes.insert("spec".to_owned(), json!({"claimRef": reference(claim)}));
    }
    let by_us = !is_meant_for(volume, claim) && object::annotation(volume, BOUND_BY_CONTROLLER).is_none();
    if changes.is_empty() && !by_us {
        return None;
    }
    let mut metadata = json!({"resourceVersion": object::text(volume, "resourceVersion")});
    if by_us {
        metadata["annotations"] = json!({BOUND_BY_CONTROLLER: "yes"});
    }
    changes.insert("metadata".to_owned(), metadata);
    Some(patch_volume(volume, "", Value::Object(changes)))
}

/// How a volume refers to its claim.
pub fn reference(claim: &Value) -> Value {
    json!({
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": object::namespace(claim),
        "name": object::name(claim),
        "uid": object::uid(claim),
        "resourceVersion": object::text(claim, "resourceVersion"),
    })
}

fn name_volume(claim: &Value, volume: &Value) -> Option<Effect> {
    let mut annotations = Map::new();
    let mut patch = json!({});
    if claim["spec"]["volumeName"] != object::name(volume) {
        patch["spec"] = json!({"volumeName": object::name(volume)});
        annotations.insert(BOUND_BY_CONTROLLER.to_owned(), json!("yes"));
    }
    if object::annotation(claim, BIND_COMPLETED).is_none() {
        annotations.insert(BIND_COMPLETED.to_owned(), json!("yes"));
    }
    if annotations.is_empty() {
        return None;
    }
    patch["metadata"] = json!({
        "resourceVersion": object::text(claim, "resourceVersion"),
        "annotations": annotations,
    });
    Some(patch_claim(claim, "", patch))
}

/// The phase of a volume, where it is another one.
pub fn phase(volume: &Value, phase: &str, outcome: &mut Outcome) {
    if volume["status"]["phase"] != phase {
        let patch = json!({"status": {"phase": phase, "message": null}});
        outcome.push(patch_volume(volume, "status", patch));
    }
}

/// A volume that cannot be reclaimed: its phase and an event, once.
pub fn failed(volume: &Value, reason: &'static str, message: &str, outcome: &mut Outcome) {
    if volume["status"]["phase"] != "Failed" {
        let patch = json!({"status": {"phase": "Failed", "message": message}});
        outcome.push(patch_volume(volume, "status", patch));
        outcome.event(volume, "Warning", reason, message.to_owned());
    }
}

/// The phase of a claim and what it has of its volume, where that is not so yet.
pub fn claim_status(claim: &Value, phase: &str, volume: Option<&Value>, outcome: &mut Outcome) {
    let known = &claim["status"];
    let mut status = Map::new();
    let is_new = known["phase"] != phase;
    if is_new {
        status.insert("phase".to_owned(), json!(phase));
    }
    match volume {
        None => {
            for field in ["accessModes", "capacity", "currentVolumeAttributesClassName"] {
                if !known[field].is_null() {
                    status.insert(field.to_owned(), Value::Null);
                }
            }
        }
        Some(volume) => {
            let modes = &volume["spec"]["accessModes"];
            if known["accessModes"] != *modes {
                status.insert("accessModes".to_owned(), modes.clone());
            }
            // A claim that is bound already may deliberately have another size.
            let capacity = &volume["spec"]["capacity"];
            if is_new && known["capacity"] != *capacity {
                status.insert("capacity".to_owned(), capacity.clone());
            }
            let attributes = &volume["spec"]["volumeAttributesClassName"];
            if is_new
                && known["phase"] == "Pending"
                && known["currentVolumeAttributesClassName"] != *attributes
            {
                status.insert("currentVolumeAttributesClassName".to_owned(), attributes.clone());
            }
        }
    }
    if !status.is_empty() {
        outcome.push(patch_claim(claim, "status", json!({"status": status})));
    }
}

/// Gives a volume back: one that this controller had bound is free, one that a person had reserved stays so
/// (`unbindVolume`).
pub fn release(volume: &Value, outcome: &mut Outcome) {
    let version = object::text(volume, "resourceVersion");
    let patch = if object::annotation(volume, BOUND_BY_CONTROLLER).is_some() {
        json!({
            "metadata": {"resourceVersion": version, "annotations": {BOUND_BY_CONTROLLER: null}},
            "spec": {"claimRef": null},
        })
    } else {
        json!({"metadata": {"resourceVersion": version}, "spec": {"claimRef": {"uid": null}}})
    };
    outcome.push(patch_volume(volume, "", patch));
    phase(volume, "Available", outcome);
}

/// A patch of a claim.
pub fn patch_claim(claim: &Value, subresource: &'static str, patch: Value) -> Effect {
    Effect::Patch {
        kind: PERSISTENT_VOLUME_CLAIM,
        namespace: object::namespace(claim).to_owned(),
        name: object::name(claim).to_owned(),
        subresource,
        patch,
    }
}

/// A patch of a volume.
pub fn patch_volume(volume: &Value, subresource: &'static str, patch: Value) -> Effect {
    Effect::Patch {
        kind: PERSISTENT_VOLUME,
        namespace: String::new(),
        name: object::name(volume).to_owned(),
        subresource,
        patch,
    }
}
