//! What the API server does with custom objects when they are written
//! (`apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,validator}.go`).

use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_kinds::names;
use deploy_cluster_kinds::rules::{GENERIC_RULES, Rules};
use deploy_cluster_schema::registry::CustomResource;
use deploy_cluster_schema::structural;
use serde_json::Value;

use super::paths::JsonPath;
use crate::object;

/// What all custom objects have in common.
pub(crate) static OBJECT_RULES: Rules = Rules {
    name: names::dns_subdomain_name,
    unconditional_update: false,
    warnings: |object| finalizer_warnings(object, &Value::Null),
    update_warnings: finalizer_warnings,
    ..GENERIC_RULES
};

/// Before a new object is judged.
pub(crate) fn prepare_create(custom: &CustomResource, new: &mut Value) {
    if custom.status
        && let Some(fields) = new.as_object_mut()
    {
        fields.remove("status");
    }
    object::set(new, "generation", 1);
}

/// Before a change is judged.
pub(crate) fn prepare_update(custom: &CustomResource, subresource: &str, new: &mut Value, old: &Value) {
    if subresource == "status" {
        let status = new.get("status").cloned();
        let metadata = std::mem::take(&mut new["metadata"]);
        *new = old.clone();
        for field in ["managedFields", "resourceVersion"] {
            object::set(new, field, metadata[field].clone());
        }
        put(new, "status", status);
        return;
    }
    if custom.status {
        put(new, "status", old.get("status").cloned());
    }
    let fields = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.remove("metadata");
        fields
    };
    if fields(new) != fields(old) {
        object::set(new, "generation", object::generation(old) + 1);
    }
}

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    match (object.as_object_mut(), value) {
        (Some(fields), Some(value)) => {
            fields.insert(field.to_owned(), value);
        }
        (Some(fields), None) => {
            fields.remove(field);
        }
        (None, _) => {}
    }
}

/// What is wrong with a new object.
pub(crate) fn check_create(custom: &CustomResource, new: &Value) -> Vec<Finding> {
    let mut found = OBJECT_RULES.check_create(new, custom.namespaced);
    if let Some(schema) = custom.structural() {
        found.extend(schema.validate(new, None).into_iter().map(told));
    }
    check_scale(custom, new, true, &mut found);
    found
}

/// What is wrong with a change.
pub(crate) fn check_update(
    custom: &CustomResource,
    subresource: &str,
    new: &Value,
    old: &Value,
) -> Vec<Finding> {
    let mut found = OBJECT_RULES.check_update(new, old, custom.namespaced);
    let is_status = subresource == "status";
    if let Some(schema) = custom.structural() {
        let findings = if is_status {
            schema.validate_field("status", new, old)
        } else {
            schema.validate(new, Some(old))
        };
        found.extend(findings.into_iter().map(told));
    }
    check_scale(custom, new, !is_status, &mut found);
    found
}

/// A finding of the schemas as one of the kinds.
fn told(finding: structural::Finding) -> Finding {
    let kind = match finding.kind {
        structural::FindingKind::Required => FindingKind::Required,
        structural::FindingKind::Duplicate => FindingKind::Duplicate,
        structural::FindingKind::Invalid => FindingKind::Invalid,
        structural::FindingKind::TypeInvalid => FindingKind::TypeInvalid,
        structural::FindingKind::NotSupported => FindingKind::NotSupported,
        structural::FindingKind::Forbidden => FindingKind::Forbidden,
        structural::FindingKind::TooLong => FindingKind::TooLong,
        structural::FindingKind::TooMany => FindingKind::TooMany,
    };
    // How many there are is part of the text (`field.TooMany`).
    let (value, detail) = match (kind, finding.value) {
        (FindingKind::TooMany, Some(count)) => (None, format!("{count}: {}", finding.detail)),
        (_, value) => (value, finding.detail),
    };
    Finding {
        kind,
        path: finding.path,
        value,
        shown: None,
        detail,
    }
}

fn check_scale(custom: &CustomResource, object: &Value, spec: bool, found: &mut Vec<Finding>) {
    let Some(scale) = &custom.scale else { return };
    let numbers = [(&scale.spec_replicas, spec), (&scale.status_replicas, true)];
    for (path, _) in numbers.into_iter().filter(|(_, asked)| *asked) {
        let (value, detail) = match nested(path, object) {
            Err(why) => (0, why),
            Ok(None) => continue,
            Ok(Some(found)) => match found.as_i64() {
                None => (0, wrong_type(path, found, "int64")),
                Some(number) if number < 0 => (number, "should be a non-negative integer".to_owned()),
                Some(number) if number > i64::from(i32::MAX) => {
                    (number, format!("should be less than or equal to {}", i32::MAX))
                }
                Some(_) => continue,
            },
        };
        found.push(invalid(path, value.into(), detail));
    }
    if let Some(path) = scale.label_selector.as_deref().filter(|path| !path.is_empty()) {
        let detail = match nested(path, object) {
            Err(why) => why,
            Ok(Some(other)) if !other.is_string() => wrong_type(path, other, "string"),
            Ok(_) => return,
        };
        found.push(invalid(path, "".into(), detail));
    }
}

fn invalid(path: &str, value: Value, detail: String) -> Finding {
    Finding {
        kind: FindingKind::Invalid,
        path: path.to_owned(),
        value: Some(value),
        shown: None,
        detail,
    }
}

fn wrong_type(path: &str, found: &Value, wanted: &str) -> String {
    let shown = crate::patching::go_print(found);
    format!(
        "{path} accessor error: {shown} is of the type {}, expected {wanted}",
        go_type(found)
    )
}

/// A field by its path; an error where what is above it has no fields
/// (`apimachinery/pkg/apis/meta/v1/unstructured/helpers.go NestedFieldNoCopy`).
fn nested<'v>(path: &str, object: &'v Value) -> Result<Option<&'v Value>, String> {
    let mut value = object;
    let mut place = String::new();
    for name in path.trim_start_matches('.').split('.') {
        place.push('.');
        place.push_str(name);
        match value {
            Value::Null => return Ok(None),
            Value::Object(fields) => match fields.get(name) {
                Some(below) => value = below,
                None => return Ok(None),
            },
            other => return Err(wrong_type(&place, other, "map[string]interface{}")),
        }
    }
    Ok(Some(value))
}

/// What a path leads to.
pub(crate) fn at<'v>(path: &str, object: &'v Value) -> Option<&'v Value> {
    JsonPath::parse(path)?.find(object).first().copied()
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Finalizers that are new and have no good name.
fn finalizer_warnings(new: &Value, old: &Value) -> Vec<String> {
    let known = object::finalizers(old);
    let mut added: Vec<&str> = object::finalizers(new);
    added.retain(|name| !known.contains(name));
    added.sort_unstable();
    added.dedup();
    let mut texts = Vec::new();
    for name in added {
        let shown = deploy_cluster_kinds::field::go_quote(name);
        let mut tell = |text: &str| texts.push(format!("metadata.finalizers: {shown}: {text}"));
        names::qualified_name(name).iter().for_each(|text| tell(text));
        let is_standard = matches!(name, "orphan" | "foregroundDeletion" | "kubernetes");
        if !name.contains('/') && !is_standard {
            let path = if name.contains('.') {
                " including a path (/)"
            } else {
                ""
            };
            tell(&format!(
                "prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
            ));
        }
    }
    texts
}
