//! RoleBinding and ClusterRoleBinding (`pkg/apis/rbac/validation ValidateRoleBinding`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, internal, metadata, names, table};

use super::GROUP;

/// The row of RoleBinding.
pub const ROLE_BINDING: Rules = Rules {
    group: GROUP,
    version: "v1",
    kind: "RoleBinding",
    name: names::path_segment_name,
    default,
    validate_create: |object| validate(&Field::root(object), true),
    validate_update: |new, old| validate_update(new, old, true),
    columns: columns::ROLE_BINDING,
    cells,
    create_on_update: true,
    ..GENERIC_RULES
};

/// The row of ClusterRoleBinding.
pub const CLUSTER_ROLE_BINDING: Rules = Rules {
    kind: "ClusterRoleBinding",
    validate_create: |object| validate(&Field::root(object), false),
    validate_update: |new, old| validate_update(new, old, false),
    columns: columns::CLUSTER_ROLE_BINDING,
    ..ROLE_BINDING
};

fn default(object: &mut Value) {
    object.ensure("roleRef").default_zero("apiGroup", GROUP);
    for subject in object.each("subjects") {
        if matches!(Field::root(subject).get("kind").str(), "User" | "Group") {
            subject.default_zero("apiGroup", GROUP);
        }
    }
}

fn validate(binding: &Field<'_>, namespaced: bool) -> Findings {
    let mut out = Vec::new();
    let role = binding.get("roleRef");
    let (group, kind) = (role.get("apiGroup"), role.get("kind"));
    if group.str() != GROUP {
        out.push(group.not_supported_value(group.str(), &[GROUP]));
    }
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    if !kinds.contains(&kind.str()) {
        out.push(kind.not_supported_value(kind.str(), kinds));
    }
    check::required_name(
        &role.get("name"),
        |name| names::path_segment_name(name, false),
        &mut out,
    );
    for subject in binding.items("subjects") {
        validate_subject(&subject, namespaced, &mut out);
    }
    out
}

fn validate_subject(subject: &Field<'_>, namespaced: bool, out: &mut Findings) {
    let (name, kind, group) = (subject.get("name"), subject.get("kind"), subject.get("apiGroup"));
    check::required(&name, out);
    match kind.str() {
        "ServiceAccount" => {
            if !name.is_empty() {
                check::invalid(&name, names::dns_subdomain(name.str()), out);
            }
            if !group.is_empty() {
                out.push(group.not_supported(&[""]));
            }
            if !namespaced {
                check::required(&subject.get("namespace"), out);
            }
        }
        "User" | "Group" => {
            if group.str() != GROUP {
                out.push(group.not_supported_value(group.str(), &[GROUP]));
            }
        }
        _ => out.push(kind.not_supported_value(kind.str(), &["ServiceAccount", "User", "Group"])),
    }
}

/// Upstream checks the whole binding twice. What it grants stays.
fn validate_update(new: &Value, old: &Value, namespaced: bool) -> Findings {
    let root = Field::root(new);
    let mut whole =
        metadata::create_of_kubernetes(&root.get("metadata"), namespaced, names::path_segment_name);
    whole.extend(validate(&root, namespaced));
    let mut out = whole.clone();
    out.extend(whole);
    let (role, old_role) = (root.get("roleRef"), Field::root(old).get("roleRef"));
    let differs = |name: &&'static str| role.get(name).str() != old_role.get(name).str();
    if ["apiGroup", "kind", "name"].iter().any(differs) {
        out.push(role.invalid_shown(internal::shown("RoleRef", role.value()), "cannot change roleRef"));
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let role = root.get("roleRef");
    let of = |kind: &str| {
        let subjects = root
            .items("subjects")
            .filter(|subject| subject.get("kind").str() == kind);
        let names: Vec<String> = subjects
            .map(|subject| match kind {
                "ServiceAccount" => {
                    format!("{}/{}", subject.get("namespace").str(), subject.get("name").str())
                }
                _ => subject.get("name").str().to_owned(),
            })
            .collect();
        Value::from(names.join(", "))
    };
    vec![
        table::name(object),
        format!("{}/{}", role.get("kind").str(), role.get("name").str()).into(),
        table::age(object, now),
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}
