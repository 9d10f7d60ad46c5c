//! ServiceAccount (`pkg/registry/core/serviceaccount/strategy.go`).

use serde_json::{Value, json};

use crate::cursor::Field;
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of ServiceAccount.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "ServiceAccount",
    name: names::dns_subdomain_name,
    prepare_create: only_names_of_secrets,
    prepare_update: |new, _| only_names_of_secrets(new),
    validate_update: |new, _| {
        metadata::create_of_kubernetes(&Field::root(new).get("metadata"), true, names::dns_subdomain_name)
    },
    warnings: |object| {
        if is_held_to_secrets(object) {
            warning()
        } else {
            Vec::new()
        }
    },
    update_warnings: |new, old| {
        if is_held_to_secrets(new) && !is_held_to_secrets(old) {
            warning()
        } else {
            Vec::new()
        }
    },
    columns: columns::SERVICE_ACCOUNT,
    cells: |object, now| {
        let secrets = Field::root(object).get("secrets").len();
        vec![table::name(object), secrets.into(), table::age(object, now)]
    },
    ..GENERIC_RULES
};

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

fn only_names_of_secrets(object: &mut Value) {
    for secret in object.each("secrets") {
        let name = Field::root(secret).get("name").str().to_owned();
        *secret = if name.is_empty() {
            json!({})
        } else {
            json!({"name": name})
        };
    }
}

fn is_held_to_secrets(object: &Value) -> bool {
    Field::root(object)
        .get("metadata")
        .get("annotations")
        .key(ENFORCE)
        .exists()
}

fn warning() -> Vec<String> {
    vec![format!(
        "metadata.annotations[{ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted \
         secrets"
    )]
}
