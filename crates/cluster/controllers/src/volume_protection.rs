//! Claims that pods use and volumes that claims have are not removed before they are free
//! (`pkg/controller/volume/pvcprotection`, `pvprotection`).

use serde_json::{Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{Kind, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD};
use crate::object;
use crate::view::View;

/// The row of the one that keeps claims.
pub const CLAIMS: Controller = Controller {
    name: "pvc-protection-controller",
    watches: &[
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: claims_of_pod,
        },
    ],
    reconcile: claim,
    workers: 2,
};

/// The row of the one that keeps volumes.
pub const VOLUMES: Controller = Controller {
    name: "pv-protection-controller",
    watches: &[Watch {
        kind: PERSISTENT_VOLUME,
        keys: controller::itself,
    }],
    reconcile: volume,
    workers: 2,
};

const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

/// The claims that a pod names, with whether each is made for the pod alone.
pub fn claim_names(pod: &Value) -> Vec<(String, bool)> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let claims = volumes.filter_map(|volume| {
        if volume["ephemeral"].is_object() {
            return Some((
                format!("{}-{}", object::name(pod), volume["name"].as_str()?),
                true,
            ));
        }
        let name = volume["persistentVolumeClaim"]["claimName"].as_str()?;
        Some((name.to_owned(), false))
    });
    claims.collect()
}

/// A pod that ends, or another one in its place, may set claims free.
fn claims_of_pod(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let has_ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let replaced = change
        .previous
        .filter(|pod| object::uid(pod) != object::uid(change.object));
    let changed =
        Some(change.object).filter(|pod| change.deleted || has_ended(pod) || object::is_deleting(pod));
    let pods = [changed, replaced].into_iter().flatten();
    pods.flat_map(|pod| {
        claim_names(pod).into_iter().map(|(name, _)| Key {
            namespace: object::namespace(pod).into(),
            name: name.into(),
        })
    })
    .collect()
}

fn claim(look: &Look<'_>) -> Outcome {
    let kind = PERSISTENT_VOLUME_CLAIM;
    let Some(claim) = look.view.get(&kind, &look.key.namespace, &look.key.name) else {
        return Outcome::nothing();
    };
    let is_used = || {
        let pods = look.view.list(&POD, Some(object::namespace(&claim)));
        pods.iter().any(|pod| uses(pod, &claim))
    };
    protect(&kind, &claim, OF_CLAIMS, is_used)
}

fn volume(look: &Look<'_>) -> Outcome {
    let kind = PERSISTENT_VOLUME;
    let Some(volume) = look.view.get(&kind, "", &look.key.name) else {
        return Outcome::nothing();
    };
    protect(&kind, &volume, OF_VOLUMES, || {
        volume["status"]["phase"] == "Bound"
    })
}

/// Only a pod that has a node can have started, and none starts with a claim that is being removed.
fn uses(pod: &Value, claim: &Value) -> bool {
    let is_shut_down = object::is_deleting(pod) && pod["metadata"]["deletionGracePeriodSeconds"] == 0;
    let is_owner = object::controller(claim).is_some_and(|owner| owner["uid"] == object::uid(pod));
    pod["spec"]["nodeName"]
        .as_str()
        .is_some_and(|node| !node.is_empty())
        && claim_names(pod)
            .iter()
            .any(|(name, own)| name == object::name(claim) && (!own || is_owner && !is_shut_down))
}

fn protect(kind: &Kind, thing: &Value, finalizer: &str, is_used: impl FnOnce() -> bool) -> Outcome {
    let known: Vec<&Value> = thing["metadata"]["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let is_held = known.iter().any(|name| **name == finalizer);
    let wanted: Vec<Value> = match (object::is_deleting(thing), is_held) {
        (true, true) if !is_used() => known
            .into_iter()
            .filter(|name| **name != finalizer)
            .cloned()
            .collect(),
        // One that is older than the admission that adds it.
        (false, false) => known.into_iter().cloned().chain([json!(finalizer)]).collect(),
        _ => return Outcome::nothing(),
    };
    let mut changed = thing.clone();
    changed["metadata"]["finalizers"] = Value::Array(wanted);
    let mut outcome = Outcome::nothing();
    outcome.push(Effect::Update {
        kind: kind.clone(),
        object: changed,
    });
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn finalizers(controller: &Controller, memory: &Memory, namespace: &str, name: &str) -> Option<Value> {
        let key = Key {
            namespace: namespace.into(),
            name: name.into(),
        };
        let outcome = (controller.reconcile)(&Look {
            view: memory,
            key: &key,
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            failure: None,
        });
        match outcome.effects.as_slice() {
            [] => None,
            [Effect::Update { object, .. }] => Some(object["metadata"]["finalizers"].clone()),
            other => panic!("one update at most: {other:?}"),
        }
    }

    #[test]
    fn a_claim_goes_when_no_pod_uses_it() {
        let claim = json!({"kind": "PersistentVolumeClaim", "metadata": {"namespace": "shop", "name": "web-data",
            "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x", OF_CLAIMS],
            "ownerReferences": [{"controller": true, "uid": "web"}]}});
        let pod = |uid: &str, node: &str, volume: Value| {
            json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "web", "uid": uid},
                   "spec": {"nodeName": node, "volumes": [volume]}})
        };
        let named = json!({"persistentVolumeClaim": {"claimName": "web-data"}});
        let own = json!({"name": "data", "ephemeral": {}});
        let freed = Some(json!(["x"]));
        let cases = [
            (pod("web", "n", named.clone()), None),
            (pod("web", "", named.clone()), freed.clone()),
            (pod("web", "n", own.clone()), None),
            (pod("other", "n", own), freed.clone()),
            (pod("web", "n", json!({"emptyDir": {}})), freed),
        ];
        for (pod, expected) in cases {
            let memory = Memory::of([claim.clone(), pod.clone()]);
            assert_eq!(
                finalizers(&CLAIMS, &memory, "shop", "web-data"),
                expected,
                "{pod}"
            );
        }
        let change = Change {
            object: &pod("web", "n", named),
            previous: None,
            deleted: true,
        };
        assert_eq!(claims_of_pod(&Memory::default(), &change).len(), 1);
    }

    #[test]
    fn a_volume_goes_when_no_claim_has_it() {
        let volume = |deleting: Value, finalizers: Value, phase: &str| {
            Memory::of([
                json!({"kind": "PersistentVolume", "status": {"phase": phase}, "metadata":
                {"name": "v", "deletionTimestamp": deleting, "finalizers": finalizers}}),
            ])
        };
        let going = json!("2026-01-01T00:00:00Z");
        let cases = [
            (volume(going.clone(), json!([OF_VOLUMES]), "Bound"), None),
            (
                volume(going.clone(), json!([OF_VOLUMES, "x"]), "Released"),
                Some(json!(["x"])),
            ),
            (volume(going, json!(["x"]), "Released"), None),
            (
                volume(json!(null), json!(["x"]), "Bound"),
                Some(json!(["x", OF_VOLUMES])),
            ),
            (volume(json!(null), json!([OF_VOLUMES]), "Bound"), None),
        ];
        for (memory, expected) in cases {
            assert_eq!(finalizers(&VOLUMES, &memory, "", "v"), expected);
        }
    }
}
