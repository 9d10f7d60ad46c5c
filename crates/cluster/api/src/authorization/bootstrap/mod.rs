//! The roles and bindings that every cluster has (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, 1.34), and how
//! those that are there are brought up to date (`component-helpers/auth/rbac/reconciliation`).

pub mod parts;

use serde_json::{Map, Value};

use super::aggregation::aggregated;
use super::rules::{Rule, missing_rules};

/// Whoever sets this annotation to `false` keeps his own version of a role or binding.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What becomes of an object that is there and should be another.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is as it should be.
    None,
    /// It is replaced by this.
    Update(Value),
    /// It is deleted, and the wanted one is made: a binding cannot change its role.
    Recreate,
}

/// ClusterRoles, ClusterRoleBindings, Roles, RoleBindings, in this order; those in namespaces are in `kube-system` and
/// `kube-public`. Aggregated roles have their rules: without controllers nobody else would fill them in.
pub fn objects() -> Vec<Value> {
    let mut objects: Vec<Value> =
        serde_json::from_str(include_str!("rbac.json")).expect("a test reads the built-in document");
    // edit takes in what view has gathered, and admin what edit has.
    loop {
        let cluster_roles: Vec<Value> = objects
            .iter()
            .filter(|o| o["kind"] == "ClusterRole")
            .cloned()
            .collect();
        let mut settled = true;
        for role in objects.iter_mut().filter(|o| o["aggregationRule"].is_object()) {
            if let Some(rules) = aggregated(role, &cluster_roles) {
                role["rules"] = rules;
                settled = false;
            }
        }
        if settled {
            return objects;
        }
    }
}

/// Brings an existing role or binding up to date: what is missing is added, what was added is kept.
pub fn reconcile(existing: &Value, wanted: &Value) -> Change {
    if existing["metadata"]["annotations"][AUTO_UPDATE] == "false" {
        return Change::None;
    }
    if wanted
        .get("roleRef")
        .is_some_and(|role| *role != existing["roleRef"])
    {
        return Change::Recreate;
    }
    let mut updated = existing.clone();
    for field in ["labels", "annotations"] {
        let Some(values) = wanted["metadata"][field].as_object() else {
            continue;
        };
        let own = &mut updated["metadata"][field];
        if !own.is_object() {
            *own = Value::Object(Map::new());
        }
        for (key, value) in values {
            if own.get(key).is_none() {
                own[key] = value.clone();
            }
        }
    }
    if wanted["aggregationRule"].is_object() {
        add(
            &mut updated["aggregationRule"],
            "clusterRoleSelectors",
            &wanted["aggregationRule"],
        );
    } else if wanted.get("rules").is_some() {
        let missing = missing_rules(&Rule::list(&existing["rules"]), &Rule::list(&wanted["rules"]));
        let mut rules = existing["rules"].as_array().cloned().unwrap_or_default();
        if !missing.is_empty() {
            rules.extend(missing.iter().map(Rule::value));
            updated["rules"] = rules.into();
        }
    } else {
        add(&mut updated, "subjects", wanted);
    }
    if updated == *existing {
        Change::None
    } else {
        Change::Update(updated)
    }
}

/// Adds the items of `wanted[field]` that `own[field]` lacks.
fn add(own: &mut Value, field: &str, wanted: &Value) {
    let mut items = own[field].as_array().cloned().unwrap_or_default();
    let before = items.len();
    for item in wanted[field].as_array().into_iter().flatten() {
        if !items.contains(item) {
            items.push(item.clone());
        }
    }
    if items.len() != before {
        if !own.is_object() {
            *own = Value::Object(Map::new());
        }
        own[field] = items.into();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use deploy_conformance::repository;
    use serde_json::json;

    use super::*;
    use crate::authorization::rbac::Rbac;
    use crate::authorization::reviews::subject_access_review;

    #[test]
    fn the_objects_are_those_of_a_real_cluster() {
        // Recorded from kube-apiserver 1.34.2 beside its controller manager.
        let path = repository().join("fixtures/cluster/bootstrap/rbac.json");
        let recorded: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let ours = objects();
        let key = |object: &Value| {
            let part = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            format!("{} {}/{}", object["kind"], part("namespace"), part("name"))
        };
        assert_eq!(ours.len(), recorded.len());
        for wanted in &recorded {
            let found = ours.iter().find(|object| key(object) == key(wanted));
            assert_eq!(found, Some(wanted), "{}", key(wanted));
        }
    }

    /// Who may do what with these roles alone: 400 SubjectAccessReviews at random, answered by kube-apiserver 1.34.2.
    #[test]
    fn they_allow_what_they_allow_in_a_real_cluster() {
        let rbac = Rbac::default();
        for object in objects() {
            let plural = format!("{}s", object["kind"].as_str().unwrap().to_ascii_lowercase());
            rbac.put(&format!("rbac.authorization.k8s.io/{plural}"), &object);
        }
        let path = repository().join("fixtures/cluster/bootstrap/decisions.jsonl");
        let rows = fs::read_to_string(path).unwrap();
        let mut differ = Vec::new();
        for row in rows.lines() {
            let row: Value = serde_json::from_str(row).unwrap();
            let review = subject_access_review(&rbac, json!({"spec": row["spec"]})).unwrap();
            if review["status"]["allowed"] != row["allowed"] {
                differ.push(row);
            }
        }
        assert_eq!(rows.lines().count(), 400);
        assert_eq!(differ, [Value::Null; 0]);
    }

    #[test]
    fn what_is_missing_is_added_and_what_was_added_kept() {
        let objects = objects();
        let find = |kind: &str, name: &str| {
            let wanted = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
            objects.iter().find(wanted).unwrap().clone()
        };
        for object in &objects {
            assert_eq!(reconcile(object, object), Change::None);
        }
        let wanted = find("ClusterRole", "system:basic-user");
        let mut changed = wanted.clone();
        let lost = changed["rules"].as_array_mut().unwrap().remove(0);
        changed["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({"verbs": ["get"], "nonResourceURLs": ["/mine"]}));
        changed["metadata"]["labels"] = json!({"mine": "yes"});
        let Change::Update(updated) = reconcile(&changed, &wanted) else {
            panic!("nothing was updated");
        };
        let held = Rule::list(&updated["rules"]);
        assert!(missing_rules(&held, &Rule::list(&json!([lost]))).is_empty());
        assert!(held.iter().any(|rule| rule.paths == ["/mine"]));
        assert_eq!(updated["metadata"]["labels"]["mine"], "yes");
        assert_eq!(
            updated["metadata"]["labels"]["kubernetes.io/bootstrapping"],
            "rbac-defaults"
        );
        changed["metadata"]["annotations"][AUTO_UPDATE] = "false".into();
        assert_eq!(reconcile(&changed, &wanted), Change::None);

        let binding = find("ClusterRoleBinding", "system:discovery");
        let mut other = binding.clone();
        other["subjects"] = json!([]);
        assert_eq!(reconcile(&other, &binding), Change::Update(binding.clone()));
        other["roleRef"]["name"] = "another".into();
        assert_eq!(reconcile(&other, &binding), Change::Recreate);

        let view = find("ClusterRole", "view");
        let mut bare = view.clone();
        bare["aggregationRule"] = Value::Null;
        let Change::Update(updated) = reconcile(&bare, &view) else {
            panic!("nothing was updated");
        };
        assert_eq!(updated["aggregationRule"], view["aggregationRule"]);
    }
}
