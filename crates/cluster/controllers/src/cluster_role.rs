//! Cluster roles that are made of others (`pkg/controller/clusterroleaggregation`).

use std::borrow::Cow;

use deploy_cluster_api::authorization::aggregation::aggregated;
use serde_json::Value;

use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::Kind;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "clusterrole-aggregation-controller",
    watches: &[Watch {
        kind: CLUSTER_ROLE,
        keys: of_role,
    }],
    reconcile,
    workers: 1,
};

const CLUSTER_ROLE: Kind = Kind {
    group: Cow::Borrowed("rbac.authorization.k8s.io"),
    version: Cow::Borrowed("v1"),
    plural: Cow::Borrowed("clusterroles"),
    kind: Cow::Borrowed("ClusterRole"),
    namespaced: false,
};

/// Any role may be a part of each of those that gather.
fn of_role(view: &dyn View, _: &Change<'_>) -> Vec<Key> {
    let roles = view.list(&CLUSTER_ROLE, None);
    let gathering = roles.iter().filter(|role| role["aggregationRule"].is_object());
    gathering.map(|role| Key::of(role)).collect()
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(role) = look.view.get(&CLUSTER_ROLE, "", &look.key.name) else {
        return outcome;
    };
    let roles = look.view.list(&CLUSTER_ROLE, None);
    let roles: Vec<Value> = roles.iter().map(|role| Value::clone(role)).collect();
    if let Some(rules) = aggregated(&role, &roles) {
        let mut object = Value::clone(&role);
        object["rules"] = rules;
        outcome.push(Effect::Update {
            kind: CLUSTER_ROLE,
            object,
        });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::memory::Memory;

    #[test]
    fn a_new_part_changes_the_whole() {
        let whole = json!({
            "kind": "ClusterRole",
            "metadata": {"name": "whole"},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "whole"}}]},
        });
        let part = json!({
            "kind": "ClusterRole",
            "metadata": {"name": "part", "labels": {"to": "whole"}},
            "rules": [{"verbs": ["get"]}],
        });
        let mut memory = Memory::of([whole, part.clone()]);
        let change = Change {
            object: &part,
            previous: None,
            deleted: false,
        };
        let keys = of_role(&memory, &change);
        assert_eq!(keys.len(), 1);
        let look = |memory: &Memory| {
            let now = "2026-01-01T01:00:00Z".parse().expect("a time");
            reconcile(&Look {
                view: memory,
                key: &keys[0],
                now,
                failure: None,
            })
            .effects
        };
        let [Effect::Update { object, .. }] = &look(&memory)[..] else {
            panic!("the role gathers its part")
        };
        assert_eq!(object["rules"], part["rules"]);
        memory.put(object.clone());
        assert_eq!(look(&memory), []);
    }
}
