//! ValidatingAdmissionPolicy and its binding
//! (`pkg/registry/admissionregistration/validatingadmissionpolicy*/strategy.go`).

use serde_json::{Value, json};

use super::match_resources;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, internal, metadata, names, table};

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
    validate_create: validate_policy,
    validate_update: |new, _| {
        let meta = Field::root(new).get("metadata");
        let mut out = metadata::create(&meta, false, names::dns_subdomain_name);
        out.extend(validate_policy(new));
        out
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
    validate_create: validate_binding,
    validate_update: |new, _| {
        let meta = Field::root(new).get("metadata");
        let mut out = metadata::create(&meta, false, names::dns_subdomain_name);
        out.extend(validate_binding(new));
        out
    },
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

const REASONS: [&str; 4] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];
const ANNOTATIONS_MAX: usize = 20;
const ANNOTATION_EXPRESSION_MAX_BYTES: usize = 5 * 1024;
const RESERVED_IN_CEL: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn validate_policy(object: &Value) -> Findings {
    let root = Field::root(object);
    let spec = root.get("spec");
    let mut out = Vec::new();
    let failure = spec.get("failurePolicy");
    if !failure.exists() {
        out.push(failure.required(""));
    }
    check::one_of(&failure, &match_resources::FAILURE_POLICIES, &mut out);
    if spec.get("paramKind").exists() {
        parameter_kind(&spec.get("paramKind"), &mut out);
    }
    let matching = spec.get("matchConstraints");
    if matching.exists() {
        match_resources::validate(&matching, &mut out);
        check::required(&matching.get("resourceRules"), &mut out);
    } else {
        out.push(matching.required(""));
    }
    match_resources::validate_conditions(&spec.get("matchConditions"), &mut out);
    for variable in spec.items("variables") {
        let (name, expression) = (variable.get("name"), variable.get("expression"));
        if name.str().trim().is_empty() {
            out.push(name.required("name is not specified"));
        } else if !names::c_identifier(name.str()).is_empty() || RESERVED_IN_CEL.contains(&name.str()) {
            out.push(name.invalid("must be a valid CEL identifier"));
        }
        if expression.str().trim().is_empty() {
            out.push(expression.required("expression is not specified"));
        }
    }
    let (validations, annotations) = (spec.get("validations"), spec.get("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        out.extend([validations.required(detail), annotations.required(detail)]);
        return out;
    }
    validations
        .list()
        .for_each(|validation| validate_validation(&validation, &mut out));
    audit_annotations(&annotations, root.get("metadata").get("name").str(), &mut out);
    out
}

fn parameter_kind(parameter: &Field<'_>, out: &mut Findings) {
    let (api, kind) = (parameter.get("apiVersion"), parameter.get("kind"));
    let (group, version) = api.str().split_once('/').unwrap_or(("", api.str()));
    if api.is_empty() {
        out.push(api.required(""));
    } else if version.contains('/') {
        out.push(api.invalid(format!("unexpected GroupVersion string: {}", api.str())));
    } else {
        let texts = names::dns_subdomain(group);
        if !group.is_empty() && !texts.is_empty() {
            out.push(api.invalid_value(group, texts.join(",")));
        }
        let texts = names::dns_1035_label(version);
        if version.is_empty() {
            out.push(api.invalid("version must be specified"));
        } else if !texts.is_empty() {
            out.push(api.invalid_value(version, texts.join(",")));
        }
    }
    let texts = names::dns_1035_label(&kind.str().to_lowercase());
    if kind.is_empty() {
        out.push(kind.required(""));
    } else if !texts.is_empty() {
        let texts = texts.join(",");
        out.push(kind.invalid(format!(
            "may have mixed case, but should otherwise match: {texts}"
        )));
    }
}

fn validate_validation(validation: &Field<'_>, out: &mut Findings) {
    let (expression, reason) = (validation.get("expression"), validation.get("reason"));
    let (message, computed) = (validation.get("message"), validation.get("messageExpression"));
    let blank = |field: &Field<'_>| !field.is_empty() && field.str().trim().is_empty();
    if expression.str().trim().is_empty() {
        out.push(expression.required("expression is not specified"));
    }
    if blank(&computed) {
        out.push(computed.invalid("must be non-empty if specified"));
    }
    if blank(&message) {
        out.push(message.invalid("must be non-empty if specified"));
    } else if message.str().trim().contains(['\n', '\r']) {
        out.push(message.invalid("must not contain line breaks"));
    }
    check::one_of(&reason, &REASONS, out);
}

fn audit_annotations(annotations: &Field<'_>, policy: &str, out: &mut Findings) {
    if annotations.len() > ANNOTATIONS_MAX {
        let shown = internal::shown("[]AuditAnnotation", annotations.value());
        out.push(annotations.invalid_shown(
            shown,
            format!("must not have more than {ANNOTATIONS_MAX} auditAnnotations"),
        ));
    }
    let mut seen = Vec::new();
    for annotation in annotations.list() {
        let (key, value) = (annotation.get("key"), annotation.get("valueExpression"));
        if policy.is_empty() {
            out.push(key.invalid_value(key.str(), "requires metadata.name be non-empty"));
        } else {
            let full = format!("{policy}/{}", key.str());
            let texts = names::qualified_name(&full);
            out.extend(
                texts
                    .into_iter()
                    .map(|text| key.invalid_value(full.as_str(), text)),
            );
        }
        let expression = value.str().trim();
        if expression.is_empty() {
            out.push(value.required("valueExpression is not specified"));
        } else if expression.len() > ANNOTATION_EXPRESSION_MAX_BYTES {
            out.push(value.required(format!(
                "must not exceed {ANNOTATION_EXPRESSION_MAX_BYTES} bytes in length"
            )));
        }
        if seen.contains(&key.str()) {
            out.push(key.duplicate());
        }
        seen.push(key.str());
    }
}

fn validate_binding(object: &Value) -> Findings {
    let spec = Field::root(object).get("spec");
    let mut out = Vec::new();
    check::required_name(&spec.get("policyName"), names::dns_subdomain, &mut out);
    if spec.get("paramRef").exists() {
        parameter_reference(&spec.get("paramRef"), &mut out);
    }
    if spec.get("matchResources").exists() {
        match_resources::validate(&spec.get("matchResources"), &mut out);
    }
    let actions = spec.get("validationActions");
    let mut seen = Vec::new();
    for action in actions.list() {
        check::one_of(&action, &ACTIONS, &mut out);
        if seen.contains(&action.str()) {
            out.push(action.duplicate());
        }
        seen.push(action.str());
    }
    if seen.contains(&"Deny") && seen.contains(&"Warn") {
        out.push(actions.invalid(
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response \
             and headers serves no purpose)",
        ));
    }
    if seen.is_empty() {
        out.push(actions.required("at least one validation action is required"));
    }
    out
}

fn parameter_reference(reference: &Field<'_>, out: &mut Findings) {
    let (name, selector) = (reference.get("name"), reference.get("selector"));
    let missing = reference.get("parameterNotFoundAction");
    let exclusive = "name and selector are mutually exclusive";
    if !name.is_empty() {
        check::invalid(&name, names::path_segment_name(name.str(), false), out);
        if selector.exists() {
            out.push(name.forbidden(exclusive));
        }
    }
    validate_selector(&selector, false, out);
    if selector.exists() && !name.is_empty() {
        out.push(selector.forbidden(exclusive));
    }
    if name.is_empty() && !selector.exists() {
        out.push(reference.required("one of name or selector must be specified"));
    }
    check::required_one_of(&missing, &["Deny", "Allow"], out);
}
