//! StorageClass (`pkg/registry/storage/storageclass/strategy.go`, `pkg/apis/storage/validation ValidateStorageClass`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_label_name;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, table};

/// The row of StorageClass.
pub const RULES: Rules = Rules {
    group: "storage.k8s.io",
    version: "v1",
    kind: "StorageClass",
    name: names::dns_subdomain_name,
    default: |object| {
        object.default_to("reclaimPolicy", "Delete");
        object.default_to("volumeBindingMode", "Immediate");
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), &mut out);
        out
    },
    validate_update,
    columns: columns::STORAGE_CLASS,
    cells,
    ..GENERIC_RULES
};

const PARAMETERS_MAX: usize = 512;
const PARAMETERS_MAX_BYTES: usize = 256 * 1024;
const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

fn validate(class: &Field<'_>, out: &mut Findings) {
    let provisioner = class.get("provisioner");
    if provisioner.is_empty() {
        out.push(provisioner.required(""));
    } else {
        let lower = provisioner.str().to_lowercase();
        let texts = names::qualified_name(&lower);
        out.extend(
            texts
                .into_iter()
                .map(|text| provisioner.invalid_value(lower.as_str(), text)),
        );
    }
    parameters(&class.get("parameters"), out);
    let policy = class.get("reclaimPolicy");
    if !policy.is_empty() {
        check::one_of(&policy, &["Delete", "Retain"], out);
    }
    let mode = class.get("volumeBindingMode");
    if mode.exists() {
        check::one_of(&mode, &["Immediate", "WaitForFirstConsumer"], out);
    } else {
        out.push(mode.required(""));
    }
    topologies(&class.get("allowedTopologies"), out);
}

pub(super) fn parameters(parameters: &Field<'_>, out: &mut Findings) {
    if parameters.len() > PARAMETERS_MAX {
        out.push(parameters.too_long(PARAMETERS_MAX));
        return;
    }
    let mut total = 0;
    for (key, value) in parameters.entries() {
        if key.is_empty() {
            out.push(parameters.invalid_value(key, "field can not be empty."));
        }
        total += key.len() + value.len();
    }
    if total > PARAMETERS_MAX_BYTES {
        out.push(parameters.too_long(PARAMETERS_MAX_BYTES));
    }
}

/// Upstream compares each term with those before it, and with as many empty ones as there are terms.
fn topologies(topologies: &Field<'_>, out: &mut Findings) {
    let mut seen: Vec<BTreeMap<&str, BTreeSet<&str>>> = vec![BTreeMap::new(); topologies.len()];
    for term in topologies.list() {
        let mut labels = BTreeMap::new();
        for requirement in term.items("matchLabelExpressions") {
            let (key, values) = (requirement.get("key"), requirement.get("values"));
            let mut set = BTreeSet::new();
            check::required(&values, out);
            for value in values.list() {
                if !set.insert(value.str()) {
                    out.push(value.duplicate());
                }
            }
            validate_label_name(&key, out);
            if labels.insert(key.str(), set).is_some() {
                out.push(key.duplicate());
            }
        }
        let place = term.get("matchLabelExpressions");
        let same = seen.iter().filter(|other| **other == labels);
        out.extend(same.map(|_| place.duplicate_value("")));
        seen.push(labels);
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let mut out = metadata::create_of_kubernetes(&new.get("metadata"), false, names::dns_subdomain_name);
    validate(&new, &mut out);
    for name in ["parameters", "provisioner", "reclaimPolicy"] {
        if !new.get(name).same(&old.get(name)) {
            out.push(
                new.get(name)
                    .forbidden(format!("updates to {name} are forbidden.")),
            );
        }
    }
    let mode = "volumeBindingMode";
    metadata::immutable(&new.get(mode), &old.get(mode), &mut out);
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let meta = root.get("metadata");
    let is_default = DEFAULT_CLASS
        .iter()
        .any(|key| meta.get("annotations").key(key).str() == "true");
    let name = meta.get("name").str();
    let text = |name: &'static str, none: &'static str| root.get(name).opt_str().unwrap_or(none).into();
    vec![
        if is_default {
            format!("{name} (default)")
        } else {
            name.to_owned()
        }
        .into(),
        text("provisioner", ""),
        text("reclaimPolicy", "Delete"),
        text("volumeBindingMode", "Immediate"),
        root.get("allowVolumeExpansion").bool().into(),
        table::age(object, now),
    ]
}
