//! Subresources that are a part of the object itself, written in a way of their own.

use deploy_cluster_kinds::field::Finding;
use deploy_cluster_kinds::rules::Rules;
use serde_json::Value;

use super::Strategy;
use crate::object;
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
        ("/namespaces", "finalize") => Strategy {
            prepare: |_, new, old| keep(new, old, &["status"]),
            check: |rules, new, old, namespaced| unchecked(rules, new, old, namespaced),
            create: false,
            ..main
        },
        ("/pods", "ephemeralcontainers") => Strategy {
            prepare: only_ephemeral_containers,
            create: false,
            ..main
        },
        ("/pods", "resize") => Strategy {
            prepare: only_resources,
            create: false,
            ..main
        },
        ("certificates.k8s.io/certificatesigningrequests", "approval") => Strategy {
            prepare: only_approval,
            check: unchecked,
            create: false,
            ..main
        },
        _ => return None,
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

/// `pkg/registry/core/pod/strategy.go dropNonEphemeralContainerUpdates`
fn only_ephemeral_containers(_: &Rules, new: &mut Value, old: &Value) {
    let containers = new["spec"]["ephemeralContainers"].take();
    let written = std::mem::replace(new, old.clone());
    for field in ["name", "namespace", "resourceVersion", "uid", "managedFields"] {
        object::set(new, field, written["metadata"][field].clone());
    }
    if containers.is_null() {
        if let Some(spec) = new["spec"].as_object_mut() {
            spec.remove("ephemeralContainers");
        }
    } else {
        new["spec"]["ephemeralContainers"] = containers;
    }
    if new["spec"] != old["spec"] {
        let generation = object::generation(old) + 1;
        object::set(new, "generation", generation);
    }
}

/// `pkg/registry/core/pod/strategy.go dropNonResizeUpdates`
fn only_resources(_: &Rules, new: &mut Value, old: &Value) {
    let written = std::mem::replace(new, old.clone());
    for field in ["name", "namespace", "resourceVersion", "uid", "managedFields"] {
        object::set(new, field, written["metadata"][field].clone());
    }
    for list in ["containers", "initContainers"] {
        let Some(containers) = new["spec"][list].as_array_mut() else {
            continue;
        };
        for container in containers {
            let wanted = written["spec"][list].as_array().into_iter().flatten();
            let Some(wanted) = wanted
                .into_iter()
                .find(|wanted| wanted["name"] == container["name"])
            else {
                continue;
            };
            for field in ["resources", "resizePolicy"] {
                if wanted[field].is_null() {
                    if let Some(container) = container.as_object_mut() {
                        container.remove(field);
                    }
                } else {
                    container[field] = wanted[field].clone();
                }
            }
        }
    }
    if new["spec"] != old["spec"] {
        let generation = object::generation(old) + 1;
        object::set(new, "generation", generation);
    }
}

/// `pkg/registry/certificates/certificates/strategy.go csrApprovalStrategy.PrepareForUpdate`
fn only_approval(_: &Rules, new: &mut Value, old: &Value) {
    keep(new, old, &["spec"]);
    let conditions = new["status"]["conditions"].take();
    keep(new, old, &["status"]);
    new["status"]["conditions"] = conditions;
}
