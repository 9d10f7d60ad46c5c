//! Claims that are made for one pod and go with it: generic ephemeral volumes (`pkg/controller/volume/ephemeral`).

use serde_json::{Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{PERSISTENT_VOLUME_CLAIM, POD};
use crate::object;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "ephemeral-volume-controller",
    watches: &[
        Watch {
            kind: POD,
            keys: controller::itself,
        },
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: of_claim,
        },
    ],
    reconcile,
    workers: 2,
};

/// A claim that is gone, or in the way and gone, may be wanted.
fn of_claim(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if !change.deleted {
        return Vec::new();
    }
    let pods = view.list(&POD, Some(object::namespace(change.object)));
    let wants = |pod: &Value| volumes(pod).any(|(name, _)| name == object::name(change.object));
    pods.iter()
        .filter(|pod| wants(pod))
        .map(|pod| Key::of(pod))
        .collect()
}

/// The name of the claim and the volume, of each volume that has a claim of its own.
fn volumes(pod: &Value) -> impl Iterator<Item = (String, &Value)> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes
        .filter(|volume| volume["ephemeral"].is_object())
        .map(|volume| {
            let name = volume["name"].as_str().unwrap_or_default();
            (format!("{}-{name}", object::name(pod)), volume)
        })
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let found = look.view.get(&POD, &look.key.namespace, &look.key.name);
    let Some(pod) = found.filter(|pod| !object::is_deleting(pod)) else {
        return outcome;
    };
    let failed = |volume: &Value, why: &str, outcome: &mut Outcome| {
        let name = volume["name"].as_str().unwrap_or_default();
        outcome.event(
            &pod,
            "Warning",
            "FailedBinding",
            format!("ephemeral volume {name}: {why}"),
        );
    };
    for (name, volume) in volumes(&pod) {
        if let Some(failure) = look.failure {
            if matches!(&failure.effect, Effect::Create { object, .. } if object::name(object) == name) {
                failed(
                    volume,
                    &format!("create PVC {name}: {}", failure.message),
                    &mut outcome,
                );
            }
            continue;
        }
        match look
            .view
            .get(&PERSISTENT_VOLUME_CLAIM, object::namespace(&pod), &name)
        {
            None => outcome.push(Effect::Create {
                kind: PERSISTENT_VOLUME_CLAIM,
                object: claim(&pod, &name, &volume["ephemeral"]["volumeClaimTemplate"]),
                tell: None,
            }),
            Some(claim)
                if object::controller(&claim).is_some_and(|owner| owner["uid"] == object::uid(&pod)) => {}
            Some(_) => {
                let namespace = object::namespace(&pod);
                let why = format!(
                    "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not owner)",
                    object::name(&pod)
                );
                failed(volume, &why, &mut outcome);
            }
        }
    }
    outcome
}

fn claim(pod: &Value, name: &str, template: &Value) -> Value {
    let mut metadata = json!({
        "name": name,
        "namespace": object::namespace(pod),
        "ownerReferences": [object::owner_reference(&POD, pod)],
    });
    for field in ["annotations", "labels"] {
        let wanted = &template["metadata"][field];
        if wanted.is_object() {
            metadata[field] = wanted.clone();
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template["spec"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn effects(objects: Vec<Value>) -> Vec<Effect> {
        let key = Key {
            namespace: "shop".into(),
            name: "web".into(),
        };
        let look = Look {
            view: &Memory::of(objects),
            key: &key,
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            failure: None,
        };
        reconcile(&look).effects
    }

    #[test]
    fn a_pod_gets_its_claim() {
        let template =
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"accessModes": ["ReadWriteOnce"]}});
        let pod = json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "web", "uid": "u"},
            "spec": {"volumes": [{"name": "tmp", "ephemeral": {"volumeClaimTemplate": template}}, {"emptyDir": {}}]}});
        let made = effects(vec![pod.clone()]);
        let [Effect::Create { object: claim, .. }] = made.as_slice() else {
            panic!("one claim: {made:?}");
        };
        assert_eq!(claim["metadata"]["name"], "web-tmp");
        assert_eq!(claim["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(claim["metadata"]["ownerReferences"][0]["uid"], "u");
        assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
        let mut there = claim.clone();
        assert_eq!(effects(vec![pod.clone(), there.clone()]), []);
        there["metadata"]["ownerReferences"] = json!([]);
        let told = effects(vec![pod, there]);
        assert!(
            matches!(told.as_slice(), [Effect::Event { message, .. }] if message ==
                "ephemeral volume tmp: PVC shop/web-tmp was not created for pod shop/web (pod is not owner)"),
            "{told:?}"
        );
    }
}
