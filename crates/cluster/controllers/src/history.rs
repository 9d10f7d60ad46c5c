//! The templates that a StatefulSet or DaemonSet has had: ControllerRevisions (`pkg/controller/history`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::effect::{Effect, Outcome};
use crate::hash;
use crate::kind::{CONTROLLER_REVISION, DAEMON_SET, Kind};
use crate::object;
use crate::pods;
use crate::selector::Selector;
use crate::view::View;

/// The label that carries the hash: DaemonSets use that of their pods.
pub fn hash_label(kind: &Kind) -> &'static str {
    if *kind == DAEMON_SET {
        "controller-revision-hash"
    } else {
        "controller.kubernetes.io/hash"
    }
}

/// Longer names of owners are cut before the hash (`ControllerRevisionName`).
const PREFIX_MAX: usize = 223;

/// The revisions of one owner.
pub struct History {
    /// By revision, the oldest first.
    pub revisions: Vec<Arc<Value>>,
    /// The one of the current template.
    pub update: Arc<Value>,
    /// How often a name was taken by another template.
    pub collisions: i64,
}

/// Finds the owner's revisions, and brings the one of its template to the end: what that takes is added to the outcome.
pub fn of(view: &dyn View, kind: &Kind, owner: &Value, outcome: &mut Outcome) -> History {
    let mut revisions = list(view, kind, owner, outcome);
    let collisions = object::integer(owner, "/status/collisionCount");
    let next = revisions.last().map_or(0, |last| number(last)) + 1;
    let template = &owner["spec"]["template"];
    let equal = revisions
        .iter()
        .rposition(|revision| template_of(revision) == *template);
    if let Some(place) = equal {
        if place + 1 < revisions.len() {
            // Back to an earlier template: its revision becomes the newest.
            let mut renewed = Value::clone(&revisions.remove(place));
            renewed["revision"] = json!(next);
            outcome.push(Effect::Update {
                kind: CONTROLLER_REVISION,
                object: renewed.clone(),
            });
            revisions.push(Arc::new(renewed));
        }
        let update = revisions[revisions.len() - 1].clone();
        return History {
            revisions,
            update,
            collisions,
        };
    }
    let (made, collisions) = new(view, kind, owner, next, collisions);
    let update = Arc::new(made);
    outcome.push(Effect::Create {
        kind: CONTROLLER_REVISION,
        object: Value::clone(&update),
        tell: None,
    });
    revisions.push(update.clone());
    History {
        revisions,
        update,
        collisions,
    }
}

impl History {
    /// Removes the oldest of those that are not in use and above the owner's limit.
    pub fn truncate(&self, owner: &Value, in_use: &[&str], outcome: &mut Outcome) {
        let unused: Vec<&Arc<Value>> = self
            .revisions
            .iter()
            .filter(|revision| !in_use.contains(&object::name(revision)))
            .collect();
        let limit = owner["spec"]["revisionHistoryLimit"].as_u64();
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
            return;
        };
        for revision in &unused[..unused.len().saturating_sub(limit)] {
            outcome.push(Effect::Delete {
                kind: CONTROLLER_REVISION,
                namespace: object::namespace(revision).to_owned(),
                name: object::name(revision).to_owned(),
                uid: object::uid(revision).to_owned(),
                propagation: None,
                grace_seconds: None,
                tell: None,
            });
        }
    }

    /// The revision of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Value>> {
        self.revisions
            .iter()
            .find(|revision| object::name(revision) == name)
    }
}

/// The template that a revision holds.
pub fn template_of(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    if let Value::Object(fields) = &mut template {
        fields.remove("$patch");
    }
    template
}

/// `revision`
pub fn number(revision: &Value) -> i64 {
    revision["revision"].as_i64().unwrap_or_default()
}

/// Those that the owner controls; orphans that its selector matches are adopted.
fn list(view: &dyn View, kind: &Kind, owner: &Value, outcome: &mut Outcome) -> Vec<Arc<Value>> {
    let Some(selector) = Selector::of(&owner["spec"]["selector"]) else {
        return Vec::new();
    };
    let mut revisions = view.list(&CONTROLLER_REVISION, Some(object::namespace(owner)));
    revisions.retain(|revision| selector.matches(revision));
    revisions.retain(|revision| match object::controller(revision) {
        Some(reference) => reference["uid"] == object::uid(owner),
        None if object::is_deleting(owner) || object::is_deleting(revision) => false,
        None => {
            outcome.push(pods::adopt(kind, owner, revision));
            true
        }
    });
    revisions.sort_by(|a, b| {
        let key = |revision: &Value| {
            (
                number(revision),
                object::created(revision),
                object::name(revision).to_owned(),
            )
        };
        key(a).cmp(&key(b))
    });
    revisions
}

/// A revision of the owner's template under a name that nobody has.
fn new(view: &dyn View, kind: &Kind, owner: &Value, revision: i64, collisions: i64) -> (Value, i64) {
    let mut template = owner["spec"]["template"].clone();
    let mut collisions = collisions;
    let prefix: String = object::name(owner).chars().take(PREFIX_MAX).collect();
    let (name, hash) = loop {
        let hash = hash::of(&template, collisions);
        let name = format!("{prefix}-{hash}");
        if view
            .get(&CONTROLLER_REVISION, object::namespace(owner), &name)
            .is_none()
        {
            break (name, hash);
        }
        collisions += 1;
    };
    let mut labels = match &template["metadata"]["labels"] {
        Value::Null => json!({}),
        labels => labels.clone(),
    };
    labels[hash_label(kind)] = json!(hash);
    template["$patch"] = json!("replace");
    let mut made = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": object::namespace(owner),
            "labels": labels,
            "ownerReferences": [object::owner_reference(kind, owner)],
        },
        "data": {"spec": {"template": template}},
        "revision": revision,
    });
    if let Some(annotations) = owner["metadata"].get("annotations") {
        made["metadata"]["annotations"] = annotations.clone();
    }
    (made, collisions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::STATEFUL_SET;
    use crate::view::memory::Memory;

    fn owner(image: &str) -> Value {
        json!({
            "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop", "uid": "u"},
            "spec": {
                "selector": {"matchLabels": {"app": "db"}},
                "revisionHistoryLimit": 1,
                "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"image": image}]}},
            },
        })
    }

    /// Makes the revisions of these images one after the other.
    fn world(images: &[&str]) -> Memory {
        let mut memory = Memory::default();
        for image in images {
            let mut outcome = Outcome::nothing();
            of(&memory, &STATEFUL_SET, &owner(image), &mut outcome);
            for effect in outcome.effects {
                if let Effect::Create { object, .. } | Effect::Update { object, .. } = effect {
                    memory.put(object);
                }
            }
        }
        memory
    }

    #[test]
    fn a_template_has_one_revision_and_returns_as_the_newest() {
        let memory = world(&["a", "a", "b", "a"]);
        let mut outcome = Outcome::nothing();
        let history = of(&memory, &STATEFUL_SET, &owner("a"), &mut outcome);
        assert_eq!(outcome, Outcome::nothing(), "nothing is left to do");
        let numbers: Vec<i64> = history.revisions.iter().map(|r| number(r)).collect();
        assert_eq!(numbers, [2, 3]);
        assert_eq!(template_of(&history.update), owner("a")["spec"]["template"]);
    }

    #[test]
    fn a_name_that_is_taken_counts_as_a_collision() {
        let mut memory = world(&["a"]);
        let taken = of(&memory, &STATEFUL_SET, &owner("a"), &mut Outcome::nothing()).update;
        let mut other = Value::clone(&taken);
        other["metadata"]["ownerReferences"][0]["uid"] = json!("another");
        memory.put(other);
        let history = of(&memory, &STATEFUL_SET, &owner("a"), &mut Outcome::nothing());
        assert_eq!(history.collisions, 1);
        assert_ne!(object::name(&history.update), object::name(&taken));
    }

    #[test]
    fn old_revisions_go_but_those_in_use() {
        let memory = world(&["a", "b", "c", "d"]);
        let mut outcome = Outcome::nothing();
        let history = of(&memory, &STATEFUL_SET, &owner("d"), &mut outcome);
        let names: Vec<String> = history
            .revisions
            .iter()
            .map(|r| object::name(r).to_owned())
            .collect();
        history.truncate(&owner("d"), &[&names[3], &names[0]], &mut outcome);
        let [Effect::Delete { name, .. }] = &outcome.effects[..] else {
            panic!("{outcome:?}")
        };
        assert_eq!(*name, names[1]);
    }
}
