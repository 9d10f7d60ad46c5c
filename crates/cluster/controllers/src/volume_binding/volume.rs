//! One look at a volume (`pv_controller.go syncVolume`).

use serde_json::Value;

use super::{PROVISIONED_BY, bind, matching};
use crate::effect::Outcome;
use crate::kind::PERSISTENT_VOLUME_CLAIM;
use crate::object;
use crate::view::View;

/// What a volume needs.
pub fn sync(view: &dyn View, volume: &Value) -> Outcome {
    let mut outcome = Outcome::nothing();
    let reference = &volume["spec"]["claimRef"];
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    if reference.is_null() || text("uid").is_empty() {
        // Nobody's, or kept for a claim that will find it.
        bind::phase(volume, "Available", &mut outcome);
        return outcome;
    }
    let claim = view
        .get(&PERSISTENT_VOLUME_CLAIM, text("namespace"), text("name"))
        .filter(|claim| object::uid(claim) == text("uid"));
    let Some(claim) = claim else {
        released(volume, &mut outcome);
        return outcome;
    };
    match claim["spec"]["volumeName"].as_str().unwrap_or_default() {
        "" => half_bound(volume, &claim, &mut outcome),
        name if name == object::name(volume) => bind::phase(volume, "Bound", &mut outcome),
        _ if is_spare(volume) => released(volume, &mut outcome),
        _ => bind::release(volume, &mut outcome),
    }
    outcome
}

/// The claim will find its volume at its own look; unless it never can.
fn half_bound(volume: &Value, claim: &Value, outcome: &mut Outcome) {
    if matching::mode(&claim["spec"]) == matching::mode(&volume["spec"]) {
        return;
    }
    let of_volume = format!(
        "Cannot bind PersistentVolume to requested PersistentVolumeClaim {:?} due to incompatible volumeMode.",
        object::name(claim)
    );
    let of_claim = format!(
        "Cannot bind PersistentVolume {:?} to requested PersistentVolumeClaim due to incompatible volumeMode.",
        object::name(volume)
    );
    outcome.event(volume, "Warning", "VolumeMismatch", of_volume);
    outcome.event(claim, "Warning", "VolumeMismatch", of_claim);
}

/// It was made for a claim that has got another one.
fn is_spare(volume: &Value) -> bool {
    object::annotation(volume, PROVISIONED_BY).is_some() && policy(volume) == "Delete"
}

fn policy(volume: &Value) -> &str {
    volume["spec"]["persistentVolumeReclaimPolicy"]
        .as_str()
        .unwrap_or_default()
}

/// Its claim is gone.
fn released(volume: &Value, outcome: &mut Outcome) {
    if !matches!(volume["status"]["phase"].as_str(), Some("Released" | "Failed")) {
        bind::phase(volume, "Released", outcome);
        // What is to be done with it is looked at when it is known to be released.
        return;
    }
    match policy(volume) {
        "Retain" => {}
        "Recycle" => {
            let message = "No recycler plugin found for the volume!";
            bind::failed(volume, "VolumeFailedRecycle", message, outcome);
        }
        "Delete" => {
            let provisioner = object::annotation(volume, PROVISIONED_BY).unwrap_or_default();
            // Whoever made it removes it.
            if provisioner.is_empty() || provisioner.starts_with("kubernetes.io/") {
                bind::failed(volume, "VolumeFailedDelete", &not_deletable(volume), outcome);
            }
        }
        _ => {
            let message = "Volume has unrecognized PersistentVolumeReclaimPolicy";
            bind::failed(volume, "VolumeUnknownReclaimPolicy", message, outcome);
        }
    }
}

/// Nobody removes what people have put there. Upstream removes folders of the controller manager's own `/tmp`.
fn not_deletable(volume: &Value) -> String {
    match volume["spec"]["hostPath"]["path"].as_str() {
        Some(path) if path.starts_with("/tmp/") => {
            format!("host_path volumes are not removed by this cluster: {path} is left to you")
        }
        Some(path) => format!("host_path deleter only supports /tmp/.+ but received provided {path}"),
        None => format!(
            "error getting deleter volume plugin for volume {:?}: no deletable volume plugin matched",
            object::name(volume)
        ),
    }
}
