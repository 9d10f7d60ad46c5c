//! Nobody grants what he does not have (`pkg/registry/rbac/*/policybased`).
//!
//! A role may be written by somebody who has all of its rules, or the `escalate` verb; a binding by somebody who has all
//! rules of its role, or the `bind` verb. `system:masters` may write everything.

use serde_json::Value;

use super::rbac::Rbac;
use super::rules::{Rule, missing};
use super::{Attributes, Authorizer, GROUP};
use crate::identity::accounts::go_list;
use crate::identity::{MASTERS, UserInfo};
use crate::status::{About, StatusError};

/// A role or binding that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// `roles`, `clusterroles`, `rolebindings` or `clusterrolebindings`; all others are let through.
    pub resource: &'a str,
    /// Empty for those of the cluster.
    pub namespace: &'a str,
    /// Name in the request's path, empty for a create.
    pub name: &'a str,
    /// What is to be written.
    pub object: &'a Value,
    /// What is there, for an update.
    pub old_object: Option<&'a Value>,
}

/// Refuses a write of a role or binding that grants more than the writer has.
pub fn check(rbac: &Rbac, user: &UserInfo, grant: &Grant<'_>) -> Result<(), StatusError> {
    let is_role = match grant.resource {
        "roles" | "clusterroles" => true,
        "rolebindings" | "clusterrolebindings" => false,
        _ => return Ok(()),
    };
    if user.is_in(MASTERS) {
        return Ok(());
    }
    let may = |verb: &str, resource: &str, name: &str| {
        let wanted = Attributes {
            user: Some(user),
            verb,
            group: GROUP,
            version: "*",
            resource,
            namespace: grant.namespace,
            name,
            resource_request: true,
            ..Attributes::default()
        };
        rbac.authorize(&wanted).allowed()
    };
    if is_role && may("escalate", grant.resource, grant.name) {
        return Ok(());
    }
    if grant
        .old_object
        .is_some_and(|old| only_collects_garbage(grant.object, old))
    {
        return Ok(());
    }
    if is_role {
        return check_role(rbac, user, grant);
    }
    let (kind, name) = (
        text(&grant.object["roleRef"]["kind"]),
        text(&grant.object["roleRef"]["name"]),
    );
    let bound = match kind {
        "ClusterRole" => may("bind", "clusterroles", name),
        "Role" => may("bind", "roles", name),
        _ => false,
    };
    if bound {
        return Ok(());
    }
    // The registry puts the resource of the request into what is not found, not that of the role.
    let about = About::new(GROUP, grant.resource);
    let rules = rbac
        .rules_of(kind, name, grant.namespace)
        .ok_or_else(|| StatusError::not_found(about, name))?;
    confirm(rbac, user, grant, &rules)
}

fn check_role(rbac: &Rbac, user: &UserInfo, grant: &Grant<'_>) -> Result<(), StatusError> {
    confirm(rbac, user, grant, &Rule::list(&grant.object["rules"]))?;
    let aggregates = |role: &Value| {
        let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
        selectors.is_some_and(|selectors| !selectors.is_empty())
    };
    if aggregates(grant.object) || grant.old_object.is_some_and(aggregates) {
        // Such a role can gather anything.
        let star = || vec!["*".to_owned()];
        let all = [
            Rule {
                groups: star(),
                resources: star(),
                verbs: star(),
                ..Rule::default()
            },
            Rule {
                paths: star(),
                verbs: star(),
                ..Rule::default()
            },
        ];
        if !missing(&rbac.held(user, grant.namespace).rules, &all).is_empty() {
            return Err(forbidden(
                grant,
                "must have cluster-admin privileges to use the aggregationRule",
            ));
        }
    }
    Ok(())
}

fn confirm(rbac: &Rbac, user: &UserInfo, grant: &Grant<'_>, rules: &[Rule]) -> Result<(), StatusError> {
    let held = rbac.held(user, grant.namespace);
    let missing = missing(&held.rules, rules);
    if missing.is_empty() {
        return Ok(());
    }
    let mut why = format!(
        "user \"{}\" (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        go_list(&user.groups),
        missing.join("\n")
    );
    if !held.missing_roles.is_empty() {
        let roles = held.missing_roles.iter();
        let roles = roles.map(|role| format!("{}.{GROUP} \"{}\" not found", grant.resource, role.name));
        why.push_str(&format!(
            "; resolution errors: [{}]",
            crate::status::aggregate(roles)
        ));
    }
    Err(forbidden(grant, &why))
}

fn forbidden(grant: &Grant<'_>, why: &str) -> StatusError {
    let name = text(&grant.object["metadata"]["name"]);
    StatusError::forbidden(About::new(GROUP, grant.resource), name, why)
}

/// Whether an update touches finalizers and owners only, so that an object can always be collected.
fn only_collects_garbage(new: &Value, old: &Value) -> bool {
    let rest = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["ownerReferences", "finalizers", "selfLink", "managedFields"] {
                metadata.remove(field);
            }
        }
        object
    };
    rest(new) == rest(old)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authorization::rbac::RESOURCES;
    use crate::authorization::rbac::tests::{binding, role, world};

    fn attempt(
        rbac: &Rbac,
        user: &str,
        resource: &str,
        namespace: &str,
        object: &Value,
    ) -> Result<(), String> {
        let user = UserInfo::named(user, &["developers"]);
        let grant = Grant {
            resource,
            namespace,
            name: "",
            object,
            old_object: None,
        };
        check(rbac, &user, &grant).map_err(|error| format!("{} {}", error.code, error.message))
    }

    #[test]
    fn one_grants_what_one_has() {
        let rbac = world();
        let pods = role(
            "",
            "new",
            json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
        );
        let all = role(
            "",
            "new",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
        );
        assert_eq!(attempt(&rbac, "ann", "clusterroles", "", &pods), Ok(()));
        assert_eq!(attempt(&rbac, "ann", "configmaps", "", &all), Ok(()));
        let refused = "403 clusterroles.rbac.authorization.k8s.io \"new\" is forbidden: user \"ann\" (groups=[\"developers\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}";
        assert_eq!(
            attempt(&rbac, "ann", "clusterroles", "", &all),
            Err(refused.to_owned())
        );
        let with_errors = attempt(&rbac, "bob", "roles", "shop", &all).unwrap_err();
        let ending = "; resolution errors: [roles.rbac.authorization.k8s.io \"nobind\" not found]";
        assert!(with_errors.ends_with(ending), "{with_errors}");
        let aggregate = json!({
            "metadata": {"name": "new"},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        });
        let refused = "403 clusterroles.rbac.authorization.k8s.io \"new\" is forbidden: must have cluster-admin privileges to use the aggregationRule";
        assert_eq!(
            attempt(&rbac, "ann", "clusterroles", "", &aggregate),
            Err(refused.to_owned())
        );
        let root = UserInfo::named("root", &[MASTERS]);
        let grant = Grant {
            resource: "clusterroles",
            namespace: "",
            name: "",
            object: &all,
            old_object: None,
        };
        assert!(check(&rbac, &root, &grant).is_ok());
    }

    #[test]
    fn one_binds_what_one_has_or_may_bind() {
        let rbac = world();
        let bind = |role: [&str; 2]| binding("shop", "new", role, json!([{"kind": "User", "name": "x"}]));
        assert_eq!(
            attempt(
                &rbac,
                "ann",
                "rolebindings",
                "shop",
                &bind(["ClusterRole", "reader"])
            ),
            Ok(())
        );
        let refused = attempt(&rbac, "ann", "rolebindings", "shop", &bind(["Role", "secrets"])).unwrap_err();
        assert!(
            refused.contains("{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}"),
            "{refused}"
        );
        let unknown = "404 rolebindings.rbac.authorization.k8s.io \"nope\" not found";
        assert_eq!(
            attempt(&rbac, "ann", "rolebindings", "shop", &bind(["Role", "nope"])),
            Err(unknown.to_owned())
        );
        let verbs = json!([{"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["bind", "escalate"]}]);
        rbac.put(RESOURCES[2], &role("shop", "binder", verbs));
        let ann = json!([{"kind": "User", "name": "ann"}]);
        rbac.put(RESOURCES[3], &binding("shop", "binder", ["Role", "binder"], ann));
        assert_eq!(
            attempt(&rbac, "ann", "rolebindings", "shop", &bind(["Role", "secrets"])),
            Ok(())
        );
        let all = role(
            "shop",
            "new",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
        );
        assert_eq!(attempt(&rbac, "ann", "roles", "shop", &all), Ok(()));
        assert!(attempt(&rbac, "ann", "roles", "other", &all).is_err());
    }

    #[test]
    fn finalizers_may_always_be_removed() {
        let rbac = world();
        let mut old = role(
            "",
            "all",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
        );
        old["metadata"]["finalizers"] = json!(["x/y"]);
        let mut new = old.clone();
        new["metadata"]["finalizers"] = json!([]);
        let ann = UserInfo::named("ann", &[]);
        let try_it = |new: &Value| {
            let grant = Grant {
                resource: "clusterroles",
                namespace: "",
                name: "all",
                object: new,
                old_object: Some(&old),
            };
            check(&rbac, &ann, &grant)
        };
        assert!(try_it(&new).is_ok());
        new["metadata"]["labels"] = json!({"a": "b"});
        assert!(try_it(&new).is_err());
    }
}
