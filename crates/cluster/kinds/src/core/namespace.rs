//! Namespace (`pkg/registry/core/namespace/strategy.go`, `pkg/apis/core/validation ValidateNamespace`).

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules, Selectable, SubresourceRules};
use crate::{columns, metadata, names, table};

/// The row of Namespace.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Namespace",
    name: names::dns_label_name,
    default,
    prepare_create,
    prepare_update: |new, old| {
        new.ensure("spec")
            .keep("finalizers", old.get("spec").unwrap_or(&Value::Null));
        new.keep("status", old);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        let finalizers = Field::root(object).get("spec").get("finalizers");
        for name in finalizers.strings() {
            finalizer(&finalizers, name, &mut out);
        }
        out
    },
    validate_update: |new, _| {
        let root = Field::root(new);
        let finalizers = root.get("spec").get("finalizers");
        let mut out = metadata::create_of_kubernetes(&root.get("metadata"), false, names::dns_label_name);
        for name in finalizers.strings() {
            finalizer(&finalizers, name, &mut out);
        }
        out
    },
    validate_status,
    columns: columns::NAMESPACE,
    cells: |object, now| {
        let phase = Field::root(object).get("status").get("phase").str();
        vec![table::name(object), phase.into(), table::age(object, now)]
    },
    selectable: &[
        Selectable {
            name: "status.phase",
            value: |object| Field::root(object).get("status").get("phase").str().to_owned(),
        },
        Selectable {
            name: "name",
            value: |object| Field::root(object).get("metadata").get("name").str().to_owned(),
        },
    ],
    subresources: &[SubresourceRules {
        name: "finalize",
        prepare: |new, old| new.keep("status", old),
        validate: |new, _| {
            let mut out = Vec::new();
            for name in Field::root(new).get("spec").items("finalizers") {
                finalizer(&name, name.str(), &mut out);
            }
            out
        },
    }],
    ..GENERIC_RULES
};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn default(object: &mut Value) {
    label_with_name(object);
    object.ensure("spec");
    object.ensure("status").default_zero("phase", "Active");
}

/// Every namespace can be selected by its name.
fn label_with_name(object: &mut Value) {
    let name = Field::root(object).get("metadata").get("name").str().to_owned();
    if !name.is_empty() {
        object.ensure("metadata").ensure("labels").set(NAME_LABEL, name);
    }
}

fn prepare_create(object: &mut Value) {
    label_with_name(object);
    object.set("status", json!({"phase": "Active"}));
    let spec = object.ensure("spec");
    let mut finalizers: Vec<Value> = spec.each("finalizers").map(|name| name.clone()).collect();
    if !finalizers.iter().any(|name| name == "kubernetes") {
        finalizers.push("kubernetes".into());
    }
    spec.set("finalizers", finalizers);
}

fn validate_status(new: &Value, _: &Value) -> Findings {
    let root = Field::root(new);
    // Upstream's path has this letter case.
    let (status, phase) = (root.get("status"), root.get("status").get("phase"));
    let (expected, detail) = if root.get("metadata").get("deletionTimestamp").exists() {
        (
            "Terminating",
            "may only be 'Terminating' if `deletionTimestamp` is not empty",
        )
    } else {
        ("Active", "may only be 'Active' if `deletionTimestamp` is empty")
    };
    if phase.str() == expected {
        return Vec::new();
    }
    vec![status.get("Phase").invalid_value(phase.str(), detail)]
}

fn finalizer(place: &Field<'_>, name: &str, out: &mut Findings) {
    let texts = names::qualified_name(name);
    out.extend(texts.into_iter().map(|text| place.invalid_value(name, text)));
    if !name.contains('/') && !matches!(name, "kubernetes" | "orphan" | "foregroundDeletion") {
        out.push(place.invalid_value(
            name,
            "name is neither a standard finalizer name nor is it fully qualified",
        ));
    }
}
