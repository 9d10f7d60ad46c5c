//! Makes volumes that are folders of the node, as an external provisioner would: for claims that are given to it, where the
//! scheduler wants them. The folders themselves are the node's business: it makes one when a pod first mounts it, and
//! removes it before it lets a volume go, which this finalizer makes it wait for.

use serde_json::{Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome, Tell};
use crate::kind::{NODE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS};
use crate::object;
use crate::view::View;
use crate::volume_binding::{
    PROVISIONED_BY, PROVISIONER, SELECTED_NODE, class_of, matching, waits_for_consumer,
};

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "local-path-provisioner",
    watches: &[
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: controller::itself,
        },
        Watch {
            kind: PERSISTENT_VOLUME,
            keys: controller::itself,
        },
        Watch {
            kind: STORAGE_CLASS,
            keys: asked,
        },
        Watch {
            kind: NODE,
            keys: of_new_node,
        },
    ],
    reconcile,
    workers: 2,
};

/// What classes name, to have their volumes made here.
pub const NAME: &str = "deploy.platform/local-path";

/// The class that a node makes; its parameter says where the folders are, also for other classes of this provisioner.
pub const CLASS: &str = "local-path";

/// The parameter of a class: the folder on the node that holds a folder per volume.
pub const FOLDER: &str = "nodePath";

/// The node has the volume's folder.
pub const FINALIZER: &str = "deploy.platform/local-path";

/// The claims that wait for a volume of ours.
fn asked(view: &dyn View, _: &Change<'_>) -> Vec<Key> {
    let claims = view.list(&PERSISTENT_VOLUME_CLAIM, None);
    claims
        .iter()
        .filter(|claim| is_asked(claim))
        .map(|claim| Key::of(claim))
        .collect()
}

fn of_new_node(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if change.previous.is_some() {
        Vec::new()
    } else {
        asked(view, change)
    }
}

fn is_asked(claim: &Value) -> bool {
    let is_free = claim["spec"]["volumeName"]
        .as_str()
        .unwrap_or_default()
        .is_empty();
    is_free && object::annotation(claim, PROVISIONER) == Some(NAME) && !object::is_deleting(claim)
}

fn reconcile(look: &Look<'_>) -> Outcome {
    if look.failure.is_some() {
        return Outcome::nothing();
    }
    let (view, key) = (look.view, look.key);
    if key.namespace.is_empty() {
        let volume = view.get(&PERSISTENT_VOLUME, "", &key.name);
        return volume.map(|volume| reclaim(&volume)).unwrap_or_default();
    }
    let claim = view.get(&PERSISTENT_VOLUME_CLAIM, &key.namespace, &key.name);
    let claim = claim.filter(|claim| is_asked(claim));
    claim.map(|claim| provision(view, &claim)).unwrap_or_default()
}

fn provision(view: &dyn View, claim: &std::sync::Arc<Value>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(class) = view.get(&STORAGE_CLASS, "", class_of(claim)) else {
        return outcome;
    };
    let name = format!("pvc-{}", object::uid(claim));
    if class["provisioner"] != NAME || view.get(&PERSISTENT_VOLUME, "", &name).is_some() {
        return outcome;
    }
    let node = match object::annotation(claim, SELECTED_NODE) {
        Some(node) => view.get(&NODE, "", node),
        None if waits_for_consumer(view, claim) => return outcome,
        None => view.list(&NODE, None).into_iter().next(),
    };
    let class_name = object::name(&class);
    match node.ok_or("there is no node for it".to_owned()).and_then(|node| {
        let folder = folder(view, &class)?;
        volume(claim, &class, &node, &format!("{folder}/{name}"), &name)
    }) {
        Ok(volume) => {
            let asked = format!(
                "External provisioner is provisioning volume for claim \"{}/{}\"",
                object::namespace(claim),
                object::name(claim)
            );
            outcome.event(claim, "Normal", "Provisioning", asked);
            outcome.push(Effect::Create {
                kind: PERSISTENT_VOLUME,
                object: volume,
                tell: Some(Tell {
                    about: claim.clone(),
                    done: (
                        "ProvisioningSucceeded",
                        format!("Successfully provisioned volume {name}").into(),
                    ),
                    failed: (
                        "ProvisioningFailed",
                        format!("failed to provision volume with StorageClass {class_name:?}: {{error}}")
                            .into(),
                    ),
                }),
            });
        }
        Err(why) => {
            let message = format!("failed to provision volume with StorageClass {class_name:?}: {why}");
            outcome.event(claim, "Warning", "ProvisioningFailed", message);
        }
    }
    outcome
}

/// Where the node keeps the folders: what the class says, else what the node's own class says.
fn folder(view: &dyn View, class: &Value) -> Result<String, String> {
    let own = class["parameters"][FOLDER].as_str().map(str::to_owned);
    let folder = own.or_else(|| {
        let of_node = view.get(&STORAGE_CLASS, "", CLASS)?;
        Some(of_node["parameters"][FOLDER].as_str()?.to_owned())
    });
    folder
        .filter(|folder| folder.starts_with('/') && !folder.split('/').any(|part| part == ".."))
        .map(|folder| folder.trim_end_matches('/').to_owned())
        .ok_or_else(|| {
            format!("the class has no absolute parameter {FOLDER}, and neither has the class {CLASS}")
        })
}

fn volume(claim: &Value, class: &Value, node: &Value, path: &str, name: &str) -> Result<Value, String> {
    let spec = &claim["spec"];
    if !spec["selector"].is_null() {
        return Err("claim.Spec.Selector is not supported".to_owned());
    }
    if matching::mode(spec) == "Block" {
        return Err("does not support block volume provisioning".to_owned());
    }
    let host = object::label(node, "kubernetes.io/hostname");
    let (key, value) = match host {
        Some(host) => (
            "matchExpressions",
            json!([{"key": "kubernetes.io/hostname", "operator": "In", "values": [host]}]),
        ),
        None => (
            "matchFields",
            json!([{"key": "metadata.name", "operator": "In", "values": [object::name(node)]}]),
        ),
    };
    let mut made = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {PROVISIONED_BY: NAME},
            "finalizers": [FINALIZER],
        },
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "namespace": object::namespace(claim),
                "name": object::name(claim),
                "uid": object::uid(claim),
                "resourceVersion": object::text(claim, "resourceVersion"),
            },
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{key: value}]}},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"].as_str().unwrap_or("Delete"),
            "storageClassName": object::name(class),
            "volumeMode": "Filesystem",
        },
    });
    let options = &class["mountOptions"];
    if options.is_array() {
        made["spec"]["mountOptions"] = options.clone();
    }
    Ok(made)
}

/// A volume that nobody needs any more is deleted; its folder goes first.
fn reclaim(volume: &Value) -> Outcome {
    let mut outcome = Outcome::nothing();
    let is_over = volume["status"]["phase"] == "Released"
        && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
        && object::annotation(volume, PROVISIONED_BY) == Some(NAME)
        && !object::is_deleting(volume);
    if is_over {
        outcome.push(Effect::Delete {
            kind: PERSISTENT_VOLUME,
            namespace: String::new(),
            name: object::name(volume).to_owned(),
            uid: object::uid(volume).to_owned(),
            propagation: None,
            grace_seconds: None,
            tell: None,
        });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn world() -> (Memory, Value) {
        let class = json!({"kind": "StorageClass", "metadata": {"name": CLASS}, "provisioner": NAME,
            "parameters": {FOLDER: "/data/volumes/"}, "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer"});
        let node =
            json!({"kind": "Node", "metadata": {"name": "n", "labels": {"kubernetes.io/hostname": "host"}}});
        let claim = json!({"kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "shop", "name": "data", "uid": "u", "resourceVersion": "7",
                "annotations": {PROVISIONER: NAME, SELECTED_NODE: "n"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": CLASS}});
        (Memory::of([class, node]), claim)
    }

    fn effects(memory: &Memory, namespace: &str, name: &str) -> Vec<Effect> {
        let key = Key {
            namespace: namespace.into(),
            name: name.into(),
        };
        let look = Look {
            view: memory,
            key: &key,
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            failure: None,
        };
        reconcile(&look).effects
    }

    #[test]
    fn a_claim_gets_a_folder_where_its_pod_will_be() {
        let (mut memory, claim) = world();
        memory.put(claim);
        let made = effects(&memory, "shop", "data");
        let [
            Effect::Event {
                reason: "Provisioning",
                ..
            },
            Effect::Create { object, tell, .. },
        ] = made.as_slice()
        else {
            panic!("a volume is made: {made:?}");
        };
        assert_eq!(object["metadata"]["name"], "pvc-u");
        assert_eq!(object["spec"]["local"]["path"], "/data/volumes/pvc-u");
        assert_eq!(object["spec"]["claimRef"]["uid"], "u");
        assert_eq!(object["spec"]["capacity"]["storage"], "1Gi");
        assert_eq!(
            object["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"],
            json!(["host"])
        );
        let told = tell.as_ref().map(|tell| (tell.done.0, tell.done.1.to_string()));
        let expected = (
            "ProvisioningSucceeded",
            "Successfully provisioned volume pvc-u".to_owned(),
        );
        assert_eq!(told, Some(expected));
        memory.put(object.clone());
        assert_eq!(effects(&memory, "shop", "data"), [], "once is enough");
    }

    #[test]
    fn claims_that_are_not_for_us_or_not_yet() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 6] = [
            (
                |claim| claim["metadata"]["annotations"][PROVISIONER] = json!("other"),
                "",
            ),
            (
                |claim| claim["metadata"]["annotations"] = json!({PROVISIONER: NAME}),
                "",
            ),
            (|claim| claim["spec"]["volumeName"] = json!("has one"), ""),
            (
                |claim| claim["metadata"]["annotations"][SELECTED_NODE] = json!("gone"),
                "there is no node for it",
            ),
            (
                |claim| claim["spec"]["selector"] = json!({}),
                "claim.Spec.Selector is not supported",
            ),
            (
                |claim| claim["spec"]["volumeMode"] = json!("Block"),
                "does not support block volume provisioning",
            ),
        ];
        for (change, expected) in cases {
            let (mut memory, mut claim) = world();
            change(&mut claim);
            memory.put(claim);
            let told: Vec<String> = effects(&memory, "shop", "data")
                .into_iter()
                .map(|effect| match effect {
                    Effect::Event { message, .. } => message,
                    other => panic!("nothing is made: {other:?}"),
                })
                .collect();
            let prefix = "failed to provision volume with StorageClass \"local-path\": ";
            let wanted: Vec<String> = Some(format!("{prefix}{expected}"))
                .filter(|_| !expected.is_empty())
                .into_iter()
                .collect();
            assert_eq!(told, wanted);
        }
    }

    #[test]
    fn only_what_was_made_here_is_deleted() {
        let volume = |policy: &str, by: &str, phase: &str| {
            let memory = Memory::of([json!({"kind": "PersistentVolume", "status": {"phase": phase},
                "metadata": {"name": "v", "uid": "u", "annotations": {PROVISIONED_BY: by}},
                "spec": {"persistentVolumeReclaimPolicy": policy}})]);
            effects(&memory, "", "v").len()
        };
        assert_eq!(volume("Delete", NAME, "Released"), 1);
        assert_eq!(volume("Retain", NAME, "Released"), 0);
        assert_eq!(volume("Delete", "other", "Released"), 0);
        assert_eq!(volume("Delete", NAME, "Bound"), 0);
    }
}
