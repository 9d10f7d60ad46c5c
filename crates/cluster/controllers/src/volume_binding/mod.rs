//! Persistent volumes and their claims find each other (`pkg/controller/volume/persistentvolume`).
//!
//! One worker looks at claims and at volumes, so that no two claims are given one volume. Upstream looks again at everything
//! every 15 seconds; here whatever makes a difference wakes it.

mod bind;
mod claim;
pub mod matching;
mod volume;

pub use self::bind::reserve;

use serde_json::Value;

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::Outcome;
use crate::kind::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS};
use crate::object;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "persistent-volume-binder",
    watches: &[
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: of_claim,
        },
        Watch {
            kind: PERSISTENT_VOLUME,
            keys: of_volume,
        },
        Watch {
            kind: STORAGE_CLASS,
            keys: waiting,
        },
    ],
    reconcile,
    workers: 1,
};

/// The lifecycle of a claim has passed its beginning: losing its volume now is a loss.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The binding was made by this controller, and may be undone by it.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// The scheduler's choice, which lets a volume be made there.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Who made a volume.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Who is asked to make a volume.
pub const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The class of a claim or a volume, empty where it names none.
pub fn class_of(object: &Value) -> &str {
    object::annotation(object, BETA_CLASS)
        .or_else(|| object["spec"]["storageClassName"].as_str())
        .unwrap_or_default()
}

/// Whether the claims of this class wait for a pod that uses them.
pub fn waits_for_consumer(view: &dyn View, claim: &Value) -> bool {
    let class = class_of(claim);
    !class.is_empty()
        && view
            .get(&STORAGE_CLASS, "", class)
            .is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// A claim that has its volume, and both know.
pub fn is_bound(claim: &Value) -> bool {
    object::annotation(claim, BIND_COMPLETED).is_some() && claim["spec"]["volumeName"].is_string()
}

fn of_claim(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let mut keys = controller::itself(view, change);
    for claim in [Some(change.object), change.previous].into_iter().flatten() {
        if let Some(name) = claim["spec"]["volumeName"].as_str() {
            keys.push(volume_key(name));
        }
    }
    if change.deleted {
        // A volume may refer to a claim that never knew of it.
        let refers = |volume: &Value| volume["spec"]["claimRef"]["uid"] == object::uid(change.object);
        let volumes = view.list(&PERSISTENT_VOLUME, None);
        keys.extend(
            volumes
                .iter()
                .filter(|volume| refers(volume))
                .map(|volume| Key::of(volume)),
        );
    }
    keys.dedup();
    keys
}

fn of_volume(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let mut keys = controller::itself(view, change);
    for volume in [Some(change.object), change.previous].into_iter().flatten() {
        let reference = &volume["spec"]["claimRef"];
        if let Some(name) = reference["name"].as_str() {
            keys.push(Key {
                namespace: reference["namespace"].as_str().unwrap_or_default().into(),
                name: name.into(),
            });
        }
    }
    if change.object["status"]["phase"] == "Available" && !change.deleted {
        keys.extend(waiting(view, change));
    }
    keys.dedup();
    keys
}

/// The claims that have no volume yet.
fn waiting(view: &dyn View, _: &Change<'_>) -> Vec<Key> {
    let claims = view.list(&PERSISTENT_VOLUME_CLAIM, None);
    let unbound = claims
        .iter()
        .filter(|claim| object::annotation(claim, BIND_COMPLETED).is_none());
    unbound.map(|claim| Key::of(claim)).collect()
}

fn volume_key(name: &str) -> Key {
    Key {
        namespace: "".into(),
        name: name.into(),
    }
}

fn reconcile(look: &Look<'_>) -> Outcome {
    if look.failure.is_some() {
        return Outcome::nothing();
    }
    let (view, key) = (look.view, look.key);
    let found = if key.namespace.is_empty() {
        view.get(&PERSISTENT_VOLUME, "", &key.name)
            .map(|volume| volume::sync(view, &volume))
    } else {
        view.get(&PERSISTENT_VOLUME_CLAIM, &key.namespace, &key.name)
            .map(|claim| claim::sync(view, &claim))
    };
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests;
