//! CSIStorageCapacity (`pkg/registry/storage/csistoragecapacity/strategy.go`, `pkg/apis/storage/validation`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::field::go_value;
use crate::labels::{shown_selector, validate_selector};
use crate::metadata::IMMUTABLE;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, resources};

/// The row of CSIStorageCapacity.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "CSIStorageCapacity",
    name: names::dns_subdomain_name,
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), false, &mut out);
        out
    },
    validate_update,
    columns: columns::CSI_STORAGE_CAPACITY,
    unconditional_update: false,
    ..GENERIC_RULES
};

fn validate(object: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    validate_selector(&object.get("nodeTopology"), allow_invalid_values, out);
    let class = object.get("storageClassName");
    for text in names::dns_subdomain(class.str()) {
        out.push(class.invalid_value(class.str(), text));
    }
    let capacity = object.get("capacity");
    if resources::quantity(&capacity).is_some_and(|quantity| quantity.sign() < 0) {
        out.push(capacity.invalid_shown(
            go_value(capacity.value().unwrap_or(&Value::Null)),
            "must be greater than or equal to 0",
        ));
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let (mut found, mut out) = (Vec::new(), Vec::new());
    validate_selector(&old.get("nodeTopology"), false, &mut found);
    validate(&new, !found.is_empty(), &mut out);
    let (topology, class) = (new.get("nodeTopology"), new.get("storageClassName"));
    if !topology.same(&old.get("nodeTopology")) {
        out.push(topology.invalid_shown(shown_selector(&topology), IMMUTABLE));
    }
    if class.str() != old.get("storageClassName").str() {
        out.push(class.invalid_value(class.str(), IMMUTABLE));
    }
    out
}
