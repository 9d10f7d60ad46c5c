//! What the API server does with the definitions themselves
//! (`apiextensions-apiserver/pkg/registry/customresourcedefinition/strategy.go`, `pkg/apis/apiextensions/v1/defaults.go`).

use deploy_cluster_kinds::columns::CUSTOM_RESOURCE_DEFINITION;
use deploy_cluster_kinds::rules::{GENERIC_RULES, Rules};
use deploy_cluster_schema::structural;
use serde_json::{Map, Value, json};

use super::check;
use super::status::unenforced;
use crate::object;

/// What holds for a CustomResourceDefinition.
pub(crate) static RULES: Rules = Rules {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    default,
    prepare_create,
    prepare_update,
    prepare_status,
    validate_create: check::create,
    validate_update: check::update,
    validate_status: check::update_status,
    warnings,
    update_warnings,
    columns: CUSTOM_RESOURCE_DEFINITION,
    unconditional_update: false,
    ..GENERIC_RULES
};

fn default(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    if spec.get("scope").and_then(Value::as_str) == Some("") {
        spec.remove("scope");
    }
    let names = spec.entry("names").or_insert_with(|| json!({}));
    if let Some(names) = names.as_object_mut() {
        default_names(names);
    }
    let conversion = spec
        .entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
    if conversion["webhook"]["clientConfig"]["service"].is_object() {
        let service = &mut conversion["webhook"]["clientConfig"]["service"];
        if service["port"].is_null() {
            service["port"] = 443.into();
        }
    }
}

fn default_names(names: &mut Map<String, Value>) {
    let is_empty = |names: &Map<String, Value>, field: &str| {
        names
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
    };
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if is_empty(names, "singular") && !kind.is_empty() {
        names.insert("singular".to_owned(), kind.to_lowercase().into());
    }
    if is_empty(names, "listKind") && !kind.is_empty() {
        names.insert("listKind".to_owned(), format!("{kind}List").into());
    }
}

/// The version in which objects are stored.
pub(super) fn storage_version(definition: &Value) -> Option<&str> {
    let versions = definition["spec"]["versions"].as_array()?;
    let storage = versions.iter().find(|version| version["storage"] == true)?;
    storage["name"].as_str()
}

fn prepare_create(definition: &mut Value) {
    let stored: Vec<Value> = storage_version(definition).map(Value::from).into_iter().collect();
    definition["status"] = json!({
        "acceptedNames": {"plural": "", "kind": ""},
        "conditions": null,
        "storedVersions": if stored.is_empty() { Value::Null } else { stored.into() },
    });
    object::set(definition, "generation", 1);
}

fn prepare_update(new: &mut Value, old: &Value) {
    new["status"] = old["status"].clone();
    if new["spec"] != old["spec"] {
        object::set(new, "generation", object::generation(old) + 1);
    }
    let storage = storage_version(new).map(str::to_owned);
    if let Some(storage) = storage {
        let stored = &mut new["status"]["storedVersions"];
        if !stored.is_array() {
            *stored = json!([]);
        }
        if let Some(stored) = stored.as_array_mut()
            && !stored.iter().any(|version| *version == *storage)
        {
            stored.push(storage.into());
        }
    }
}

/// `statusStrategy.PrepareForUpdate`: metadata and spec stay.
fn prepare_status(new: &mut Value, old: &Value) {
    let managers = new["metadata"]["managedFields"].clone();
    let revision = new["metadata"]["resourceVersion"].clone();
    new["spec"] = old["spec"].clone();
    new["metadata"] = old["metadata"].clone();
    object::set(new, "managedFields", managers);
    object::set(new, "resourceVersion", revision);
}

/// Formats that nobody checks, and what is not enforced here.
fn warnings(definition: &Value) -> Vec<String> {
    let mut found = formats(definition);
    found.extend(unenforced(definition));
    found
}

fn update_warnings(new: &Value, old: &Value) -> Vec<String> {
    if new["spec"] == old["spec"] {
        return Vec::new();
    }
    let known = formats(old);
    let mut found: Vec<String> = formats(new)
        .into_iter()
        .filter(|text| !known.contains(text))
        .collect();
    found.extend(unenforced(new));
    found
}

fn formats(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
        for format in structural::unrecognized_formats(&version["schema"]["openAPIV3Schema"]) {
            let text = format!("unrecognized format {format:?}");
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}
