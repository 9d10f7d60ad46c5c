//! MutatingWebhookConfiguration and ValidatingWebhookConfiguration
//! (`pkg/registry/admissionregistration/*webhookconfiguration/strategy.go`, `pkg/apis/admissionregistration/v1/defaults.go`).

use serde_json::Value;

use super::match_resources;
use crate::cursor::{Field, same};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

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
