//! RuntimeClass (`pkg/registry/node/runtimeclass/strategy.go`, `pkg/apis/node/validation`).

use serde_json::Value;

use crate::core::pod::defaults::round;
use crate::core::pod::{Options, resource_requirements, scheduling};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_labels;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, internal, metadata, names, table};

/// The row of RuntimeClass.
pub const RULES: Rules = Rules {
    group: "node.k8s.io",
    version: "v1",
    kind: "RuntimeClass",
    name: names::dns_subdomain_name,
    default: |object| {
        if let Some(overhead) = object.child("overhead") {
            round(overhead.child("podFixed"));
        }
    },
    validate_create,
    validate_update: |new, old| {
        let mut out = Vec::new();
        metadata::immutable(
            &Field::root(new).get("handler"),
            &Field::root(old).get("handler"),
            &mut out,
        );
        out
    },
    columns: columns::RUNTIME_CLASS,
    cells: |object, now| {
        let handler = Field::root(object).get("handler").str();
        vec![table::name(object), handler.into(), table::age(object, now)]
    },
    create_on_update: true,
    unconditional_update: false,
    ..GENERIC_RULES
};

fn validate_create(object: &Value) -> Findings {
    let root = Field::root(object);
    let mut out = Vec::new();
    let handler = root.get("handler");
    check::invalid(&handler, names::dns_label(handler.str()), &mut out);
    let overhead = root.get("overhead");
    let fixed = overhead.with(overhead.get("podFixed").value());
    resource_requirements::overhead(&fixed, &Options::NEW_TEMPLATE, &mut out);
    let rules = root.get("scheduling");
    validate_labels(&rules.get("nodeSelector"), &mut out);
    let tolerations = rules.get("tolerations");
    scheduling::tolerations(
        &tolerations.get("tolerations").with(tolerations.value()),
        &mut out,
    );
    let mut seen = Vec::new();
    for toleration in tolerations.list() {
        let key = ["key", "operator", "value", "effect"].map(|name| toleration.get(name).str());
        if seen.contains(&key) {
            let mut finding = toleration.duplicate();
            finding.shown = Some(internal::shown("Toleration", toleration.value()));
            out.push(finding);
        } else {
            seen.push(key);
        }
    }
    out
}
