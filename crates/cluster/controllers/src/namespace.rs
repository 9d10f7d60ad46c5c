//! Namespaces that end: first their pods, then all else, then they themselves
//! (`pkg/controller/namespace/deletion`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{self, Controller, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{Kind, NAMESPACE, POD};
use crate::object;

/// The row of this controller. The shell wakes it also when something goes from a namespace that ends.
pub const CONTROLLER: Controller = Controller {
    name: "namespace-controller",
    watches: &[Watch {
        kind: NAMESPACE,
        keys: controller::itself,
    }],
    reconcile,
    workers: 2,
};

const FINALIZER: &str = "kubernetes";

/// What still is there may be held by a finalizer whose owner tells nobody: look again after this time at the latest.
const PATIENCE: Duration = Duration::from_secs(15);

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(namespace) = look.view.get(&NAMESPACE, "", &look.key.name) else {
        return outcome;
    };
    let finalizers = namespace["spec"]["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if !object::is_deleting(&namespace) || !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return outcome;
    }
    let mut contents = contents(look, object::name(&namespace));
    if contents.is_empty() {
        let left: Vec<Value> = finalizers
            .into_iter()
            .filter(|finalizer| finalizer != FINALIZER)
            .collect();
        outcome.push(Effect::Patch {
            kind: NAMESPACE,
            namespace: String::new(),
            name: object::name(&namespace).to_owned(),
            subresource: "finalize",
            patch: json!({"metadata": {"uid": object::uid(&namespace)}, "spec": {"finalizers": left}}),
        });
        return outcome;
    }
    if let Some(pods) = contents.iter().position(|content| content.kind == POD) {
        contents = vec![contents.swap_remove(pods)];
    }
    let mut asked = false;
    for content in contents.iter().filter(|content| content.alive > 0) {
        asked = true;
        outcome.push(Effect::DeleteAll {
            kind: content.kind.clone(),
            namespace: look.key.name.to_string(),
        });
    }
    if asked {
        // What is left then is what the conditions tell.
        outcome.again_within(Duration::ZERO);
        return outcome;
    }
    let conditions = conditions(&contents, look);
    if namespace["status"]["conditions"] != conditions {
        let mut changed = Value::clone(&namespace);
        changed["status"]["conditions"] = conditions;
        outcome.push(Effect::UpdateStatus {
            kind: NAMESPACE,
            object: changed,
        });
    }
    outcome.again_within(PATIENCE);
    outcome
}

/// What a namespace holds of one resource.
struct Content {
    kind: Kind,
    count: usize,
    /// Nobody has asked for their end yet.
    alive: usize,
    finalizers: BTreeMap<String, usize>,
}

fn contents(look: &Look<'_>, namespace: &str) -> Vec<Content> {
    let mut all = Vec::new();
    for kind in look.view.kinds().into_iter().filter(|kind| kind.namespaced) {
        let objects = look.view.list(&kind, Some(namespace));
        if objects.is_empty() {
            continue;
        }
        let alive = objects
            .iter()
            .filter(|object| !object::is_deleting(object))
            .count();
        let mut finalizers = BTreeMap::new();
        for object in &objects {
            let listed = object["metadata"]["finalizers"].as_array().into_iter().flatten();
            for finalizer in listed.filter_map(Value::as_str) {
                *finalizers.entry(finalizer.to_owned()).or_default() += 1;
            }
        }
        all.push(Content {
            kind,
            count: objects.len(),
            alive,
            finalizers,
        });
    }
    all
}

fn conditions(contents: &[Content], look: &Look<'_>) -> Value {
    let mut remaining: Vec<String> = contents
        .iter()
        .map(|content| {
            format!(
                "{}.{} has {} resource instances",
                content.kind.plural, content.kind.group, content.count
            )
        })
        .collect();
    remaining.sort();
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for (finalizer, count) in contents.iter().flat_map(|content| &content.finalizers) {
        *held.entry(finalizer).or_default() += count;
    }
    let held: Vec<String> = held
        .iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"))
        .collect();
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            None,
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        (
            "NamespaceDeletionContentFailure",
            None,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned(),
        ),
        (
            "NamespaceContentRemaining",
            Some(()),
            "SomeResourcesRemain",
            format!("Some resources are remaining: {}", remaining.join(", ")),
        ),
        if held.is_empty() {
            (
                "NamespaceFinalizersRemaining",
                None,
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished".to_owned(),
            )
        } else {
            let text = format!(
                "Some content in the namespace has finalizers remaining: {}",
                held.join(", ")
            );
            (
                "NamespaceFinalizersRemaining",
                Some(()),
                "SomeFinalizersRemain",
                text,
            )
        },
    ];
    let namespace = look.view.get(&NAMESPACE, "", &look.key.name);
    let since = |r#type: &str, status: &str| {
        let known = namespace
            .as_ref()
            .and_then(|namespace| object::condition(namespace, r#type));
        match known {
            Some(known) if known["status"] == status => known["lastTransitionTime"].clone(),
            _ => object::shown(look.now),
        }
    };
    rows.into_iter()
        .map(|(r#type, holds, reason, message)| {
            let status = if holds.is_some() { "True" } else { "False" };
            json!({
                "type": r#type, "status": status, "lastTransitionTime": since(r#type, status),
                "reason": reason, "message": message,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Key;
    use crate::view::memory::Memory;

    fn look_at(objects: Vec<Value>) -> Vec<Effect> {
        let mut memory = Memory::of(objects);
        memory.put(json!({
            "kind": "Namespace",
            "metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes", "example.com/other"]},
            "status": {"phase": "Terminating"},
        }));
        let key = Key {
            namespace: "".into(),
            name: "shop".into(),
        };
        let now = "2026-01-01T00:00:01Z".parse().expect("a time");
        reconcile(&Look {
            view: &memory,
            key: &key,
            now,
            failure: None,
        })
        .effects
    }

    fn held(kind: &str) -> Value {
        json!({"kind": kind, "metadata": {"name": "a", "namespace": "shop", "finalizers": ["x/y"]}})
    }

    fn deleting(kind: &str) -> Value {
        let mut object = held(kind);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object
    }

    #[test]
    fn pods_go_before_the_rest() {
        let asked = |objects| match &look_at(objects)[..] {
            [Effect::DeleteAll { kind, .. }] => kind.kind.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(asked(vec![held("Pod"), held("ConfigMap")]), "Pod");
        assert_eq!(asked(vec![held("ConfigMap")]), "ConfigMap");
        let waits = look_at(vec![deleting("Pod"), held("ConfigMap")]);
        assert!(matches!(waits[..], [Effect::UpdateStatus { .. }]), "{waits:?}");
    }

    #[test]
    fn what_is_left_is_told() {
        let effects = look_at(vec![deleting("Secret"), deleting("ConfigMap")]);
        let [Effect::UpdateStatus { object, .. }] = &effects[..] else {
            panic!("{effects:?}")
        };
        let message =
            &object::condition(object, "NamespaceContentRemaining").expect("a condition")["message"];
        assert_eq!(
            message,
            "Some resources are remaining: configmaps. has 1 resource instances, secrets. has 1 resource instances"
        );
        let message =
            &object::condition(object, "NamespaceFinalizersRemaining").expect("a condition")["message"];
        assert_eq!(
            message,
            "Some content in the namespace has finalizers remaining: x/y in 2 resource instances"
        );
    }

    #[test]
    fn an_empty_namespace_is_let_go() {
        let effects = look_at(Vec::new());
        let [
            Effect::Patch {
                subresource: "finalize",
                patch,
                ..
            },
        ] = &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert_eq!(
            patch["spec"]["finalizers"],
            json!(["example.com/other"]),
            "other finalizers are not ours"
        );
    }
}
