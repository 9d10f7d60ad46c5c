//! MutatingWebhookConfiguration and ValidatingWebhookConfiguration
//! (`pkg/registry/admissionregistration/*webhookconfiguration/strategy.go`, `pkg/apis/admissionregistration/v1/defaults.go`).

use serde_json::Value;

use super::match_resources;
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, table, webhook};

/// The row of MutatingWebhookConfiguration.
pub const MUTATING: Rules = Rules {
    kind: "MutatingWebhookConfiguration",
    default: |object| {
        for webhook in object.each("webhooks") {
            default(webhook);
            webhook.default_to("reinvocationPolicy", "Never");
        }
    },
    columns: columns::MUTATING_WEBHOOK_CONFIGURATION,
    ..VALIDATING
};

/// The row of ValidatingWebhookConfiguration.
pub const VALIDATING: Rules = Rules {
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    name: names::dns_subdomain_name,
    default: |object| object.each("webhooks").for_each(default),
    prepare_create: metadata::first_generation,
    prepare_update: |new, old| {
        if !same(new.get("webhooks"), old.get("webhooks")) {
            metadata::next_generation(new, old);
        }
    },
    validate_create: validate,
    validate_update: |new, _| {
        let meta = Field::root(new).get("metadata");
        let mut out = metadata::create(&meta, false, names::dns_subdomain_name);
        out.extend(validate(new));
        out
    },
    columns: columns::VALIDATING_WEBHOOK_CONFIGURATION,
    cells: |object, now| {
        let count = Field::root(object).get("webhooks").len();
        vec![table::name(object), count.into(), table::age(object, now)]
    },
    unconditional_update: false,
    ..GENERIC_RULES
};

fn default(webhook: &mut Value) {
    webhook.default_to("failurePolicy", "Fail");
    webhook.default_to("timeoutSeconds", 10);
    match_resources::default(webhook);
    match_resources::default_rules(webhook, "rules");
    if let Some(service) = webhook.descend(&["clientConfig", "service"]) {
        service.default_to("port", 443);
    }
}

const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const REINVOCATIONS: [&str; 2] = ["IfNeeded", "Never"];

fn validate(object: &Value) -> Findings {
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for hook in Field::root(object).items("webhooks") {
        validate_hook(&hook, &mut out);
        let versions = hook.get("admissionReviewVersions");
        if versions.is_empty() {
            out.push(versions.required("must specify one of v1, v1beta1"));
        } else {
            webhook::review_versions(&versions, &mut out);
        }
        let name = hook.get("name");
        if name.is_empty() {
            continue;
        }
        if seen.contains(&name.str()) {
            out.push(name.duplicate());
        } else {
            seen.push(name.str());
        }
    }
    out
}

fn validate_hook(hook: &Field<'_>, out: &mut Findings) {
    fully_qualified(&hook.get("name"), out);
    for rule in hook.items("rules") {
        match_resources::validate_rule(&rule, out);
    }
    check::one_of(
        &hook.get("failurePolicy"),
        &match_resources::FAILURE_POLICIES,
        out,
    );
    match_resources::validate_policy(hook, out);
    let (effects, timeout) = (hook.get("sideEffects"), hook.get("timeoutSeconds"));
    if !effects.exists() {
        out.push(effects.required("must specify one of None, NoneOnDryRun"));
    }
    check::one_of(&effects, &SIDE_EFFECTS, out);
    if timeout
        .opt_int()
        .is_some_and(|seconds| !(1..=30).contains(&seconds))
    {
        out.push(timeout.invalid("the timeout value must be between 1 and 30 seconds"));
    }
    match_resources::validate_selectors(hook, out);
    check::one_of(&hook.get("reinvocationPolicy"), &REINVOCATIONS, out);
    webhook::client_config(&hook.get("clientConfig"), out);
    match_resources::validate_conditions(&hook.get("matchConditions"), out);
}

/// A subdomain of at least three parts (`apimachinery/pkg/util/validation IsFullyQualifiedName`).
fn fully_qualified(name: &Field<'_>, out: &mut Findings) {
    if name.is_empty() {
        out.push(name.required(""));
        return;
    }
    let texts = names::dns_subdomain(name.str());
    if !texts.is_empty() {
        out.push(name.invalid(texts.join(",")));
    } else if name.str().split('.').count() < 3 {
        out.push(name.invalid("should be a domain with at least three segments separated by dots"));
    }
}
