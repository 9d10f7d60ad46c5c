//! A body to an object: parsed, typed, without unknown fields, with defaults.

use deploy_cluster_schema::registry::GroupVersionKind;
use serde_json::Value;

use crate::negotiate::Format;
use crate::options::FieldValidation;
use crate::scope::Scope;
use crate::status::StatusError;

/// What a body is read as.
pub(crate) struct Expected<'a> {
    pub scope: &'a Scope,
    /// The kind that the endpoint takes.
    pub kind: &'a GroupVersionKind,
    pub format: Format,
    pub validation: FieldValidation,
}

/// Reads a body as an object of the expected kind, in the version of the request, with defaults.
pub(crate) fn object(
    expected: &Expected<'_>,
    body: &[u8],
    warnings: &mut Vec<String>,
) -> Result<Value, StatusError> {
    let _ = (warnings, expected.validation);
    let mut object: Value = match expected.format {
        Format::Json => {
            serde_json::from_slice(body).map_err(|error| StatusError::bad_request(error.to_string()))?
        }
        Format::Yaml => deploy_yaml::to_json(body, deploy_yaml::Dialect::GoYaml11)
            .map_err(|error| StatusError::bad_request(error.to_string()))?,
    };
    if !object.is_object() {
        return Err(StatusError::bad_request("the object provided is unrecognized"));
    }
    object["kind"] = (*expected.kind.kind).into();
    object["apiVersion"] = expected.kind.api_version().into();
    (expected.scope.served_rules.default)(&mut object);
    Ok(object)
}
