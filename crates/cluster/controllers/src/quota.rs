//! ResourceQuotas: their status says what may be used, and what is (`pkg/controller/resourcequota`).
//!
//! What is written is charged by the API server before it happens; what ends is set free here.

use std::collections::BTreeMap;
use std::time::Duration;

use deploy_cluster_api::admission::pod_resources::{Amounts, add, amounts};
use deploy_cluster_api::admission::quota::list_value;
use deploy_cluster_api::admission::quota::usage::Evaluator;
use deploy_cluster_kinds::quantity::{Format, Quantity};
use serde_json::{Value, json};

use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{Kind, PERSISTENT_VOLUME_CLAIM, POD, RESOURCE_QUOTA, SERVICE};
use crate::object;
use crate::view::View;

/// The row of this controller. The shell wakes it also when something that is only counted goes.
pub const CONTROLLER: Controller = Controller {
    name: "resourcequota-controller",
    watches: &[
        Watch {
            kind: RESOURCE_QUOTA,
            keys: of_changed_hard,
        },
        Watch {
            kind: POD,
            keys: of_pod,
        },
        Watch {
            kind: SERVICE,
            keys: of_spec,
        },
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: of_spec,
        },
    ],
    reconcile,
    workers: 2,
};

/// A write that failed after it was charged is noticed by nobody: all is counted anew after this time
/// (`resource-quota-sync-period`).
const RECOUNT: Duration = Duration::from_secs(300);

/// A charge changes the status alone, before the object it is for is there: it must not be counted away.
fn of_changed_hard(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let same = change
        .previous
        .is_some_and(|previous| previous["spec"] == change.object["spec"]);
    if same || change.deleted {
        return Vec::new();
    }
    vec![Key::of(change.object)]
}

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    let ends = change.deleted
        || change
            .previous
            .is_some_and(|previous| ended(change.object) && !ended(previous));
    quotas(view, change.object, ends)
}

fn of_spec(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let changed = change
        .previous
        .is_some_and(|previous| previous["spec"] != change.object["spec"]);
    quotas(view, change.object, change.deleted || changed)
}

fn quotas(view: &dyn View, object: &Value, concerned: bool) -> Vec<Key> {
    if !concerned {
        return Vec::new();
    }
    view.list(&RESOURCE_QUOTA, Some(object::namespace(object)))
        .iter()
        .map(|quota| Key::of(quota))
        .collect()
}

/// Whether a quota limits the number of objects of this resource.
pub fn counts(quota: &Value, kind: &Kind) -> bool {
    let evaluator = Evaluator::new(&kind.group, &kind.plural);
    let hard = quota["spec"]["hard"].as_object();
    hard.into_iter().flatten().any(|(name, _)| evaluator.counts(name))
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(quota) = look
        .view
        .get(&RESOURCE_QUOTA, &look.key.namespace, &look.key.name)
    else {
        return outcome;
    };
    if object::is_deleting(&quota) {
        return outcome;
    }
    let used = used(look.view, &quota);
    let same = quota["spec"]["hard"] == quota["status"]["hard"] && amounts(&quota["status"]["used"]) == used;
    if !same {
        let mut changed = Value::clone(&quota);
        let hard = match &quota["spec"]["hard"] {
            Value::Null => json!({}),
            hard => hard.clone(),
        };
        changed["status"] = json!({"hard": hard, "used": list_value(&used)});
        outcome.push(Effect::UpdateStatus {
            kind: RESOURCE_QUOTA,
            object: changed,
        });
    }
    outcome.again_within(RECOUNT);
    outcome
}

/// What the objects of the quota's namespace use of what it limits.
fn used(view: &dyn View, quota: &Value) -> Amounts {
    let limited = quota["spec"]["hard"].as_object();
    let limited: Vec<&String> = limited.into_iter().flatten().map(|(name, _)| name).collect();
    let mut used: Amounts = BTreeMap::new();
    for kind in view.kinds().into_iter().filter(|kind| kind.namespaced) {
        let evaluator = Evaluator::new(&kind.group, &kind.plural);
        let names: Vec<&&String> = limited.iter().filter(|name| evaluator.counts(name)).collect();
        if names.is_empty() {
            continue;
        }
        for name in &names {
            used.entry(name.to_string())
                .or_insert_with(|| Quantity::new(0, Format::DecimalSi));
        }
        for object in view.list(&kind, Some(object::namespace(quota))) {
            if evaluator.within_scopes(quota, &object) {
                let mut usage = evaluator.usage(&object);
                usage.retain(|name, _| names.iter().any(|known| **known == name));
                add(&mut used, &usage);
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn quota(status: &Value) -> Value {
        json!({
            "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"},
            "spec": {"hard": {"pods": "2", "requests.cpu": "1", "count/configmaps": "5", "other.example.com": "1"}},
            "status": status,
        })
    }

    fn pod(name: &str, phase: &str) -> Value {
        json!({
            "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": [{"resources": {"requests": {"cpu": "250m"}}}]},
            "status": {"phase": phase},
        })
    }

    fn status(objects: Vec<Value>) -> Option<Value> {
        let memory = Memory::of(objects);
        let key = Key {
            namespace: "shop".into(),
            name: "q".into(),
        };
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let look = Look {
            view: &memory,
            key: &key,
            now,
            failure: None,
        };
        match reconcile(&look).effects.pop() {
            Some(Effect::UpdateStatus { object, .. }) => Some(object["status"].clone()),
            _ => None,
        }
    }

    #[test]
    fn what_is_there_is_counted() {
        let objects = vec![quota(&json!({})), pod("a", "Running"), pod("b", "Succeeded")];
        let status_now = status(objects.clone()).expect("the status is new");
        let expected = json!({"pods": "1", "requests.cpu": "250m", "count/configmaps": "0"});
        assert_eq!(status_now["used"], expected);
        assert_eq!(
            status_now["hard"]["other.example.com"], "1",
            "what nobody counts is limited all the same"
        );
        let mut again = objects;
        again[0]["status"] = status_now;
        assert_eq!(status(again), None);
    }

    #[test]
    fn a_charge_is_not_counted_away() {
        let before = quota(&json!({"used": {"pods": "0"}}));
        let after = quota(&json!({"used": {"pods": "1"}}));
        let memory = Memory::default();
        let change = |previous| Change {
            object: &after,
            previous,
            deleted: false,
        };
        assert!(of_changed_hard(&memory, &change(Some(&before))).is_empty());
        assert_eq!(of_changed_hard(&memory, &change(None)).len(), 1);
    }
}
