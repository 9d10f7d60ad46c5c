//! Custom objects on their way in and out: pruned, filled with defaults, in another version of their kind
//! (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`).

use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::registry::{CustomResource, GroupVersionKind, Registry};
use deploy_cluster_storage::Entry;
use serde_json::Value;

use crate::decode::{resets_managers, told};
use crate::object;
use crate::options::FieldValidation;
use crate::scope::Scope;
use crate::status::{About, StatusError};

/// Makes an object one that its schema knows, and tells what was unknown, as a strict reader says it.
///
/// # Errors
/// What cannot be metadata.
pub(crate) fn coerce(custom: &CustomResource, object: &mut Value) -> Result<Vec<String>, String> {
    let Some(schema) = custom.structural() else {
        return Ok(Vec::new());
    };
    let pruned = schema.prune(object);
    let of_metadata = schema.coerce(object)?;
    let (own, embedded): (Vec<String>, Vec<String>) = of_metadata
        .into_iter()
        .partition(|path| path.starts_with("metadata."));
    let paths = own.into_iter().chain(pruned).chain(embedded);
    Ok(paths.map(|path| format!("unknown field \"{path}\"")).collect())
}

/// Adds the defaults of a version.
pub(crate) fn fill(custom: &CustomResource, object: &mut Value) {
    if let Some(schema) = custom.structural() {
        schema.fill_defaults(object);
    }
}

/// Reads the body of a write. `found` is what it says it is, `strict` what was said of its text.
pub(crate) fn read(
    scope: &Scope,
    custom: &CustomResource,
    found: &GroupVersionKind,
    node: Node<'_>,
    mut strict: Vec<String>,
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Value, StatusError> {
    let wanted = &scope.served;
    let refused = |why: &str| {
        StatusError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            found.kind, &*found.version, wanted.kind
        ))
    };
    let reset = resets_managers(&node);
    let decoded = decode::untyped(node);
    let mut object = decoded.value;
    strict.extend(decoded.strict);
    strict.extend(known(&scope.registry, custom, found, &mut object).map_err(|why| refused(&why))?);
    if reset {
        object["metadata"]["managedFields"] = Value::Array(Vec::new());
    }
    match validation {
        _ if strict.is_empty() => {}
        FieldValidation::Ignore => {}
        FieldValidation::Warn => warnings.extend(strict.iter().flat_map(|text| told(text))),
        FieldValidation::Strict => {
            return Err(refused(&format!("strict decoding error: {}", strict.join(", "))));
        }
    }
    if found.group != wanted.group || found.version != wanted.version {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            found.api_version(),
            wanted.api_version()
        )));
    }
    Ok(object)
}

/// An object of another type, or of the same in another version (`customresource/validator.go ValidateTypeMeta`).
///
/// # Errors
/// 422, in the name of the type that it says it has.
pub(crate) fn check_type(scope: &Scope, object: &Value) -> Result<(), StatusError> {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let wanted = scope.served.api_version();
    let wrong = |path: &str, found: &str, wanted: &str| {
        (found != wanted).then(|| Finding {
            kind: FindingKind::Invalid,
            path: path.to_owned(),
            value: Some(found.into()),
            shown: None,
            detail: format!("must be {wanted}"),
        })
    };
    let findings = [
        wrong("kind", kind, &scope.served.kind),
        wrong("apiVersion", api_version, &wanted),
    ];
    let findings: Vec<Finding> = findings.into_iter().flatten().collect();
    if findings.is_empty() {
        return Ok(());
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let about = About::new(group, kind);
    Err(StatusError::invalid(about, object::name(object), &findings))
}

/// Makes an object what the schema of the version that it says it has knows, defaults included; an object of another type
/// is left as it is. Tells what was unknown.
///
/// # Errors
/// As [`coerce`].
pub(crate) fn known(
    registry: &Registry,
    custom: &CustomResource,
    found: &GroupVersionKind,
    object: &mut Value,
) -> Result<Vec<String>, String> {
    if *found.group != *custom.group || *found.kind != *custom.kind {
        coerce(custom, &mut object.clone())?;
        return Ok(Vec::new());
    }
    match registry.kind(found).and_then(|found| found.custom.as_ref()) {
        Some(custom) => {
            let unknown = coerce(custom, object)?;
            fill(custom, object);
            Ok(unknown)
        }
        None => Ok(without_schema(object)),
    }
}

/// A version that is not served has no schema: nothing is known of it.
fn without_schema(object: &mut Value) -> Vec<String> {
    let Some(fields) = object.as_object_mut() else {
        return Vec::new();
    };
    let is_known = |name: &String| matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
    let unknown = fields.keys().filter(|name| !is_known(name));
    let texts = unknown.map(|name| format!("unknown field \"{name}\"")).collect();
    fields.retain(|name, _| is_known(name));
    texts
}

/// An object in the version of `custom`, which may be the one that it is in: what this version does not know is gone.
pub(crate) fn to_version(registry: &Registry, custom: &CustomResource, mut object: Value) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let from = GroupVersionKind::parse(api_version, &custom.kind);
    let stored = from.and_then(|from| registry.kind(&from).and_then(|resource| resource.custom.clone()));
    fill(stored.as_deref().unwrap_or(custom), &mut object);
    object["apiVersion"] = format!("{}/{}", custom.group, custom.version).into();
    // What was stored was metadata when it was stored.
    let _ = coerce(custom, &mut object);
    object
}

/// Whether the text of an entry is what clients of `custom` see: it was stored in this version, and the definition has not
/// changed since.
pub(crate) fn is_current(custom: &CustomResource, entry: &Entry) -> bool {
    let revision = object::resource_version(&custom.definition).parse::<u64>();
    custom.version == custom.storage_version && revision.is_ok_and(|revision| entry.revision > revision)
}
