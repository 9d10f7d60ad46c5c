//! VolumeAttributesClass (`pkg/registry/storage/volumeattributesclass/strategy.go`, `pkg/apis/storage/validation`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of VolumeAttributesClass.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "VolumeAttributesClass",
    name: names::dns_subdomain_name,
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), &mut out);
        out
    },
    validate_update,
    columns: columns::VOLUME_ATTRIBUTES_CLASS,
    cells: |object, now| {
        let driver = Field::root(object).get("driverName").str();
        vec![table::name(object), driver.into(), table::age(object, now)]
    },
    ..GENERIC_RULES
};

fn validate(class: &Field<'_>, out: &mut Findings) {
    let (driver, parameters) = (class.get("driverName"), class.get("parameters"));
    if driver.is_empty() {
        out.push(driver.required(""));
    } else {
        let lower = driver.str().to_lowercase();
        let texts = names::qualified_name(&lower);
        out.extend(
            texts
                .into_iter()
                .map(|text| driver.invalid_value(lower.as_str(), text)),
        );
    }
    super::storage_class::parameters(&parameters, out);
    if parameters.is_empty() {
        out.push(parameters.required("must contain at least one key/value pair"));
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let mut out = Vec::new();
    validate(&new, &mut out);
    let changes = metadata::update(&new.get("metadata"), &old.get("metadata"));
    out.extend(changes);
    for (name, detail) in [
        ("driverName", "updates to driverName are forbidden."),
        ("parameters", "updates to parameters are forbidden."),
    ] {
        if !new.get(name).same(&old.get(name)) {
            out.push(new.get(name).forbidden(detail));
        }
    }
    out.extend(metadata::create_of_kubernetes(
        &new.get("metadata"),
        false,
        names::dns_subdomain_name,
    ));
    validate(&new, &mut out);
    out
}
