//! Subresources that are a part of the object itself, written in a way of their own.

use deploy_cluster_kinds::field::Finding;
use deploy_cluster_kinds::rules::Rules;
use serde_json::Value;

use super::Strategy;
use crate::scope::Scope;

/// How the subresource of the scope is written; none where it is no part of the object.
pub(crate) fn strategy(scope: &Scope) -> Option<Strategy> {
    let main = Strategy::main(scope.rules, false);
    let strategy = match (&*scope.storage, scope.subresource_name()) {
        ("certificates.k8s.io/certificatesigningrequests", "") => Strategy {
            prepare: |_, new, old| keep(new, old, &["spec", "status"]),
            ..main
        },
        (_, "") => main,
        (_, "status") => Strategy::status(scope.rules),
        ("certificates.k8s.io/certificatesigningrequests", "approval") => Strategy {
            prepare: only_approval,
            check: unchecked,
            create: false,
            ..main
        },
        (_, name) => Strategy {
            part: Some(scope.rules.subresources.iter().find(|part| part.name == name)?),
            create: false,
            ..main
        },
    };
    Some(strategy)
}

fn keep(new: &mut Value, old: &Value, fields: &[&str]) {
    for field in fields {
        match old.get(*field) {
            Some(value) => new[*field] = value.clone(),
            None => {
                if let Some(new) = new.as_object_mut() {
                    new.remove(*field);
                }
            }
        }
    }
}

/// Metadata alone.
fn unchecked(rules: &Rules, new: &Value, old: &Value, namespaced: bool) -> Vec<Finding> {
    let metadata_only = Rules {
        validate_update: |_, _| Vec::new(),
        ..*rules
    };
    metadata_only.check_update(new, old, namespaced)
}

/// `pkg/registry/certificates/certificates/strategy.go csrApprovalStrategy.PrepareForUpdate`
fn only_approval(_: &Rules, new: &mut Value, old: &Value) {
    keep(new, old, &["spec"]);
    let conditions = new["status"]["conditions"].take();
    keep(new, old, &["status"]);
    new["status"]["conditions"] = conditions;
}
