//! What webhooks and policies have in common: which requests they match
//! (`pkg/apis/admissionregistration/validation/validation.go`). Expressions in CEL are not compiled.

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::{check, names};

pub(super) const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];
const CONDITIONS_MAX: usize = 64;

/// The defaults of a `MatchResources`, and of the part of a webhook that says the same.
pub(super) fn default(matching: &mut Value) {
    matching.default_to("matchPolicy", "Equivalent");
    matching.default_to("namespaceSelector", json!({}));
    matching.default_to("objectSelector", json!({}));
}

/// The defaults of the rules in the field `name`.
pub(super) fn default_rules(holder: &mut Value, name: &str) {
    for rule in holder.each(name) {
        rule.default_to("scope", "*");
    }
}

/// How exactly a request must be the one that the rules name.
pub(super) fn validate_policy(holder: &Field<'_>, out: &mut Findings) {
    check::one_of(&holder.get("matchPolicy"), &MATCH_POLICIES, out);
}

/// The selectors of namespaces and objects.
pub(super) fn validate_selectors(holder: &Field<'_>, out: &mut Findings) {
    validate_selector(&holder.get("namespaceSelector"), false, out);
    validate_selector(&holder.get("objectSelector"), false, out);
}

/// A whole `MatchResources`.
pub(super) fn validate(matching: &Field<'_>, out: &mut Findings) {
    validate_policy(matching, out);
    validate_selectors(matching, out);
    for name in ["resourceRules", "excludeResourceRules"] {
        for rule in matching.items(name) {
            let mut seen = Vec::new();
            for name in rule.items("resourceNames") {
                check::invalid(&name, names::path_segment_name(name.str(), false), out);
                if seen.contains(&name.str()) {
                    out.push(name.duplicate());
                } else {
                    seen.push(name.str());
                }
            }
            validate_rule(&rule, out);
        }
    }
}

/// One rule: operations on resources.
pub(super) fn validate_rule(rule: &Field<'_>, out: &mut Findings) {
    let operations = rule.get("operations");
    list_or_any(&operations, "operations", out);
    for operation in operations.list() {
        if !OPERATIONS.contains(&operation.str()) {
            out.push(operation.not_supported(&OPERATIONS));
        }
    }
    list_or_any(&rule.get("apiGroups"), "API groups", out);
    let versions = rule.get("apiVersions");
    list_or_any(&versions, "API versions", out);
    for version in versions.list() {
        check::required(&version, out);
    }
    resources(&rule.get("resources"), out);
    check::one_of(&rule.get("scope"), &SCOPES, out);
}

/// Not empty; what stands for everything stands alone.
fn list_or_any(list: &Field<'_>, what: &str, out: &mut Findings) {
    check::required(list, out);
    if list.len() > 1 && list.strings().any(|item| item == "*") {
        out.push(list.invalid(format!("if '*' is present, must not specify other {what}")));
    }
}

/// `pods`, `pods/log`, `pods/*`, `*/scale`, `*` and `*/*`, none of which may be part of another.
fn resources(list: &Field<'_>, out: &mut Findings) {
    check::required(list, out);
    let (mut any_of_resource, mut resource_of_any) = (Vec::new(), Vec::new());
    let mut plain = false;
    for item in list.list() {
        let text = item.str();
        if text.is_empty() {
            out.push(item.required(""));
            continue;
        }
        let Some((resource, part)) = text.split_once('/') else {
            // As upstream: the last one without a part decides.
            plain = text != "*";
            continue;
        };
        if any_of_resource.contains(&resource) {
            out.push(item.invalid(format!("if '{resource}/*' is present, must not specify {text}")));
        }
        if resource_of_any.contains(&part) {
            out.push(item.invalid(format!("if '*/{part}' is present, must not specify {text}")));
        }
        if part == "*" {
            any_of_resource.push(resource);
        }
        if resource == "*" {
            resource_of_any.push(part);
        }
    }
    let has = |text| list.strings().any(|item| item == text);
    if list.len() > 1 && has("*/*") {
        out.push(list.invalid("if '*/*' is present, must not specify other resources"));
    }
    if has("*") && plain {
        out.push(list.invalid("if '*' is present, must not specify other resources without subresources"));
    }
}

/// Further conditions, whose names are unique.
pub(super) fn validate_conditions(conditions: &Field<'_>, out: &mut Findings) {
    if conditions.len() > CONDITIONS_MAX {
        out.push(conditions.too_many(CONDITIONS_MAX));
    }
    let mut seen = Vec::new();
    for condition in conditions.list() {
        let (name, expression) = (condition.get("name"), condition.get("expression"));
        if expression.str().trim().is_empty() {
            out.push(expression.required(""));
        }
        check::required_name(&name, names::qualified_name, out);
        if !name.is_empty() {
            if seen.contains(&name.str()) {
                out.push(name.duplicate());
            } else {
                seen.push(name.str());
            }
        }
    }
}
