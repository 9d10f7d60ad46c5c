//! ValidatingAdmissionPolicy and its binding
//! (`pkg/registry/admissionregistration/validatingadmissionpolicy*/strategy.go`).

use serde_json::{Value, json};

use super::match_resources;
use crate::cursor::Field;
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of ValidatingAdmissionPolicy.
pub const POLICY: Rules = Rules {
    kind: "ValidatingAdmissionPolicy",
    default: |object| {
        let spec = object.ensure("spec");
        spec.default_to("failurePolicy", "Fail");
        default_matching(spec, "matchConstraints");
    },
    prepare_create: |object| {
        object.set("status", json!({}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    columns: columns::VALIDATING_ADMISSION_POLICY,
    cells: |object, now| {
        let spec = Field::root(object).get("spec");
        let kind = spec.get("paramKind");
        let shown = if kind.exists() {
            format!("{}/{}", kind.get("apiVersion").str(), kind.get("kind").str())
        } else {
            "<unset>".to_owned()
        };
        let count = spec.get("validations").len();
        vec![
            table::name(object),
            count.into(),
            shown.into(),
            table::age(object, now),
        ]
    },
    ..BINDING
};

/// The row of ValidatingAdmissionPolicyBinding.
pub const BINDING: Rules = Rules {
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingAdmissionPolicyBinding",
    name: names::dns_subdomain_name,
    default: |object| default_matching(object.ensure("spec"), "matchResources"),
    prepare_create: metadata::first_generation,
    prepare_update: metadata::bump_generation,
    columns: columns::VALIDATING_ADMISSION_POLICY_BINDING,
    cells: |object, now| {
        let spec = Field::root(object).get("spec");
        vec![
            table::name(object),
            spec.get("policyName").str().into(),
            parameter(&spec.get("paramRef")).into(),
            table::age(object, now),
        ]
    },
    unconditional_update: false,
    ..GENERIC_RULES
};

fn default_matching(spec: &mut Value, name: &str) {
    if let Some(matching) = spec.child(name) {
        match_resources::default(matching);
        match_resources::default_rules(matching, "resourceRules");
        match_resources::default_rules(matching, "excludeResourceRules");
    }
}

/// A parameter whose namespace is not known may be one of the cluster, which is shown as any namespace's.
fn parameter(reference: &Field<'_>) -> String {
    let (name, namespace, selector) = (
        reference.get("name").str(),
        reference.get("namespace").str(),
        reference.get("selector"),
    );
    match (name, namespace) {
        ("", _) if selector.exists() => shown_selector(&selector),
        ("", _) => "<unset>".to_owned(),
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    }
}

/// A selector as Go's generated `String` of its struct.
fn shown_selector(selector: &Field<'_>) -> String {
    let labels: String = selector
        .get("matchLabels")
        .entries()
        .map(|(key, value)| format!("{key}: {},", value.str()))
        .collect();
    let expressions: String = selector
        .items("matchExpressions")
        .map(|expression| {
            let values: Vec<&str> = expression.get("values").strings().collect();
            let (key, operator) = (expression.get("key").str(), expression.get("operator").str());
            format!(
                "LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},",
                values.join(" ")
            )
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}
