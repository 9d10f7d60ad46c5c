//! Managers of `spec.replicas` of an object as managers of its `scale` subresource, and back (apimachinery
//! `managedfields/scalehandler.go`).

use std::collections::BTreeMap;

use super::entries::ManagedFields;
use super::managers::{Manager, Owned};
use crate::fields::{Path, Set};

/// The version of the Scale object.
const SCALE_VERSION: &str = "autoscaling/v1";

/// Where an object keeps its replicas, by version; no path for a version without the subresource.
pub type ReplicasPaths = BTreeMap<String, Option<Path>>;

/// The managers of the Scale of an object: those who own its replicas.
pub fn to_scale(parent: &ManagedFields, paths: &ReplicasPaths) -> ManagedFields {
    let mut scale = ManagedFields::default();
    for (manager, owned) in &parent.managers {
        let path = paths.get(&owned.api_version).and_then(Option::as_ref);
        if !path.is_some_and(|path| owned.fields.has(path)) {
            continue;
        }
        if let Some(time) = parent.times.get(manager) {
            scale
                .times
                .insert(manager_in(manager, SCALE_VERSION), time.clone());
        }
        let owned = Owned {
            fields: scale_replicas(),
            api_version: SCALE_VERSION.to_owned(),
            applied: owned.applied,
        };
        scale.managers.insert(manager_in(manager, SCALE_VERSION), owned);
    }
    scale
}

/// The managers of an object after its Scale was written: who lost the replicas there loses them here, and who is new
/// there gets them in `api_version`.
pub fn to_parent(
    parent: &ManagedFields,
    scale: &ManagedFields,
    api_version: &str,
    paths: &ReplicasPaths,
) -> ManagedFields {
    let mut scaled = scale.managers.clone();
    let mut result = ManagedFields::default();
    let mut keep = |manager: &Manager, owned: Owned| {
        if let Some(time) = parent.times.get(manager) {
            result.times.insert(manager.clone(), time.clone());
        }
        result.managers.insert(manager.clone(), owned);
    };
    for (manager, owned) in &parent.managers {
        let Some(path) = paths.get(&owned.api_version) else {
            continue;
        };
        let Some(path) = path.as_ref().filter(|path| owned.fields.has(path)) else {
            keep(manager, owned.clone());
            continue;
        };
        if scaled.remove(&manager_in(manager, SCALE_VERSION)).is_some() {
            keep(manager, owned.clone());
            continue;
        }
        let fields = owned.fields.clone().difference(&Set::of([path.as_slice()]));
        if !fields.is_empty() {
            keep(
                manager,
                Owned {
                    fields,
                    ..owned.clone()
                },
            );
        }
    }
    let path = paths.get(api_version).and_then(Option::as_ref);
    for (manager, owned) in scaled {
        let (true, Some(path)) = (
            owned.fields.intersection(&scale_replicas()) == scale_replicas(),
            path,
        ) else {
            continue;
        };
        let fields = Set::of([path.as_slice()]);
        let owned = Owned {
            fields,
            api_version: api_version.to_owned(),
            applied: owned.applied,
        };
        // Upstream looks for his time among the managers of the object, where he is not yet: he has none.
        result.managers.insert(manager_in(&manager, api_version), owned);
    }
    result
}

fn scale_replicas() -> Set {
    Set::of_fields(&[&["spec", "replicas"]])
}

/// The same manager in another version; appliers have none.
fn manager_in(manager: &Manager, api_version: &str) -> Manager {
    let mut manager = manager.clone();
    if !manager.api_version.is_empty() {
        manager.api_version = api_version.to_owned();
    }
    manager
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::Operation;
    use crate::fields::Element;

    fn paths() -> ReplicasPaths {
        let path = vec![Element::field("spec"), Element::field("replicas")];
        ReplicasPaths::from([("apps/v1".to_owned(), Some(path)), ("apps/v0".to_owned(), None)])
    }

    fn entry(managed: &mut ManagedFields, name: &str, version: &str, subresource: &str, fields: &str) {
        let applied = version.is_empty();
        let manager = Manager {
            name: name.to_owned(),
            operation: if applied {
                Operation::Apply
            } else {
                Operation::Update
            },
            api_version: version.to_owned(),
            subresource: subresource.to_owned(),
        };
        let api_version = if applied { "apps/v1" } else { version };
        let fields = Set::parse(fields).expect("the text of a test is a set");
        managed
            .times
            .insert(manager.clone(), "2024-01-01T00:00:00Z".to_owned());
        managed.managers.insert(
            manager,
            Owned {
                fields,
                api_version: api_version.to_owned(),
                applied,
            },
        );
    }

    fn texts(managed: &ManagedFields) -> Vec<String> {
        let text = |(manager, owned): (&Manager, &Owned)| {
            let time = if managed.times.contains_key(manager) {
                " timed"
            } else {
                ""
            };
            format!("{manager} {}{time} {}", owned.api_version, owned.fields.to_text())
        };
        managed.managers.iter().map(text).collect()
    }

    #[test]
    fn only_owners_of_replicas_manage_the_scale() {
        let mut parent = ManagedFields::default();
        entry(
            &mut parent,
            "creator",
            "apps/v1",
            "",
            r#"{"f:spec":{"f:paused":{},"f:replicas":{}}}"#,
        );
        entry(&mut parent, "applier", "", "", r#"{"f:spec":{"f:replicas":{}}}"#);
        entry(
            &mut parent,
            "other",
            "apps/v1",
            "",
            r#"{"f:spec":{"f:paused":{}}}"#,
        );
        entry(
            &mut parent,
            "older",
            "apps/v0",
            "",
            r#"{"f:spec":{"f:replicas":{}}}"#,
        );
        assert_eq!(
            texts(&to_scale(&parent, &paths())),
            [
                r#""applier" autoscaling/v1 timed {"f:spec":{"f:replicas":{}}}"#,
                r#""creator" using autoscaling/v1 autoscaling/v1 timed {"f:spec":{"f:replicas":{}}}"#,
            ]
        );
    }

    #[test]
    fn who_scales_takes_the_replicas() {
        let mut parent = ManagedFields::default();
        entry(
            &mut parent,
            "creator",
            "apps/v1",
            "",
            r#"{"f:spec":{"f:paused":{},"f:replicas":{}}}"#,
        );
        entry(&mut parent, "only", "", "", r#"{"f:spec":{"f:replicas":{}}}"#);
        entry(
            &mut parent,
            "gone",
            "apps/v9",
            "",
            r#"{"f:spec":{"f:paused":{}}}"#,
        );
        let mut scale = ManagedFields::default();
        entry(
            &mut scale,
            "scaler",
            "autoscaling/v1",
            "scale",
            r#"{"f:spec":{"f:replicas":{}}}"#,
        );
        assert_eq!(
            texts(&to_parent(&parent, &scale, "apps/v1", &paths())),
            [
                r#""creator" using apps/v1 apps/v1 timed {"f:spec":{"f:paused":{}}}"#,
                r#""scaler" with subresource "scale" using apps/v1 apps/v1 {"f:spec":{"f:replicas":{}}}"#,
            ]
        );
        let unchanged = to_scale(&parent, &paths());
        let kept = to_parent(&parent, &unchanged, "apps/v1", &paths());
        assert_eq!(kept.managers.len(), 2);
        assert!(
            kept.managers
                .iter()
                .all(|(manager, owned)| parent.managers[manager] == *owned)
        );
    }
}
