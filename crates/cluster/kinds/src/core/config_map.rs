//! ConfigMap (`pkg/registry/core/configmap/strategy.go`, `pkg/apis/core/validation ValidateConfigMap`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::limits::CONFIG_DATA_MAX_BYTES;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of ConfigMap.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "ConfigMap",
    name: names::dns_subdomain_name,
    validate_create: |object| validate(&Field::root(object)),
    validate_update: |new, old| validate_update(&Field::root(new), &Field::root(old)),
    columns: columns::CONFIG_MAP,
    cells,
    ..GENERIC_RULES
};

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let count = root.get("data").len() + root.get("binaryData").len();
    vec![table::name(object), count.into(), table::age(object, now)]
}

fn validate(object: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    let (data, binary) = (object.get("data"), object.get("binaryData"));
    let mut total = 0;
    for (key, value) in data.entries() {
        out.extend(
            names::config_map_key(key)
                .into_iter()
                .map(|text| value.invalid_value(key, text)),
        );
        if binary.key(key).exists() {
            out.push(value.invalid_value(key, "duplicate of key present in binaryData"));
        }
        total += value.len();
    }
    for (key, value) in binary.entries() {
        out.extend(
            names::config_map_key(key)
                .into_iter()
                .map(|text| value.invalid_value(key, text)),
        );
        total += decoded_len(value.str());
    }
    if total > CONFIG_DATA_MAX_BYTES {
        out.push(object.named("").too_long(CONFIG_DATA_MAX_BYTES));
    }
    out
}

fn validate_update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    if old.get("immutable").bool() {
        let detail = "field is immutable when `immutable` is set";
        let immutable = new.get("immutable");
        if !immutable.bool() {
            out.push(immutable.forbidden(detail));
        }
        for name in ["data", "binaryData"] {
            if !new.get(name).same(&old.get(name)) {
                out.push(new.get(name).forbidden(detail));
            }
        }
    }
    // Upstream checks the whole object again, its metadata included.
    out.extend(metadata::create_of_kubernetes(
        &new.get("metadata"),
        true,
        names::dns_subdomain_name,
    ));
    out.extend(validate(new));
    out
}

/// How many bytes a base64 text stands for.
fn decoded_len(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_immutable_map_stays_as_it_is() {
        let meta = json!({"name": "a", "namespace": "b", "resourceVersion": "1"});
        let old = json!({"metadata": meta, "data": {"a": "1"}, "immutable": true});
        let new = json!({"metadata": meta, "data": {"a": "2", "b/": ""}});
        let found: Vec<String> = RULES
            .check_update(&new, &old, true)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found[..2],
            [
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ]
        );
        assert!(found[2].starts_with("data[b/]: Invalid value: \"b/\": a valid config key must consist"));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_table_counts_both_kinds_of_data() {
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "1970-01-01T00:00:10Z"},
            "data": {"a": ""}, "binaryData": {"b": ""}});
        assert_eq!((RULES.cells)(&object, 20), [json!("a"), json!(2), json!("10s")]);
    }
}
