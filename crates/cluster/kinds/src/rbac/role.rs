//! Role and ClusterRole (`pkg/apis/rbac/validation ValidateRole`, `ValidateClusterRole`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

use super::GROUP;

/// The row of Role.
pub const ROLE: Rules = Rules {
    group: GROUP,
    version: "v1",
    kind: "Role",
    name: names::path_segment_name,
    default: default_rules,
    validate_create: |object| validate(&Field::root(object), true, false),
    validate_update: |new, _| twice(new, true, false),
    columns: columns::ROLE,
    cells: table::name_and_created,
    create_on_update: true,
    ..GENERIC_RULES
};

/// The row of ClusterRole.
pub const CLUSTER_ROLE: Rules = Rules {
    kind: "ClusterRole",
    validate_create: |object| validate(&Field::root(object), false, false),
    validate_update: |new, old| {
        let selectors = Field::root(old)
            .get("aggregationRule")
            .get("clusterRoleSelectors");
        let mut found = Vec::new();
        selectors
            .list()
            .for_each(|selector| validate_selector(&selector, false, &mut found));
        twice(new, false, !found.is_empty())
    },
    columns: columns::CLUSTER_ROLE,
    ..ROLE
};

/// Go's encoder writes a list that is not there as `null`.
fn default_rules(object: &mut Value) {
    object.default_to("rules", Value::Null);
}

/// Upstream checks the whole role twice.
fn twice(new: &Value, namespaced: bool, allow_invalid_values: bool) -> Findings {
    let root = Field::root(new);
    let mut whole =
        metadata::create_of_kubernetes(&root.get("metadata"), namespaced, names::path_segment_name);
    whole.extend(validate(&root, namespaced, allow_invalid_values));
    let mut out = whole.clone();
    out.extend(whole);
    out
}

fn validate(role: &Field<'_>, namespaced: bool, allow_invalid_values: bool) -> Findings {
    let mut out = Vec::new();
    for rule in role.items("rules") {
        validate_rule(&rule, namespaced, &mut out);
    }
    let aggregation = role.get("aggregationRule");
    if !namespaced && aggregation.exists() {
        let selectors = aggregation.get("clusterRoleSelectors");
        if selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            out.push(selectors.required(detail));
        }
        for selector in selectors.list() {
            validate_selector(&selector, allow_invalid_values, &mut out);
            if crate::selector::LabelSelector::from_object(selector.value()).is_err() {
                out.push(selector.invalid_shown("null".to_owned(), "invalid label selector."));
            }
        }
    }
    out
}

fn validate_rule(rule: &Field<'_>, namespaced: bool, out: &mut Findings) {
    if rule.get("verbs").is_empty() {
        out.push(
            rule.get("verbs")
                .required("verbs must contain at least one value"),
        );
    }
    let urls = rule.get("nonResourceURLs");
    let resource_fields = ["apiGroups", "resources", "resourceNames"];
    if !urls.is_empty() {
        if namespaced {
            out.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
        }
        if resource_fields.iter().any(|name| !rule.get(name).is_empty()) {
            out.push(urls.invalid("rules cannot apply to both regular resources and non-resource URLs"));
        }
        return;
    }
    for (name, detail) in [
        ("apiGroups", "resource rules must supply at least one api group"),
        ("resources", "resource rules must supply at least one resource"),
    ] {
        if rule.get(name).is_empty() {
            out.push(rule.get(name).required(detail));
        }
    }
}
