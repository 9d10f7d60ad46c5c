//! PATCH: a part of an object, or an applied configuration.

use deploy_cluster_schema::apply::ApplyError;
use deploy_cluster_schema::decode::{self, Node};
use deploy_yaml::Dialect;
use serde_json::{Value, json};

use super::change::{Changed, change};
use super::create::match_namespace;
use super::update::check_name;
use super::{Call, Change, Strategy, ownership};
use crate::custom;
use crate::decode::told;
use crate::negotiate::PatchKind;
use crate::object;
use crate::options::FieldValidation;
use crate::patching::Patch;
use crate::status::StatusError;

/// Patches the object of the scope. Only an apply creates what is not there.
pub(crate) async fn patch(
    call: &mut Call<'_>,
    patch: Patch,
    mut strategy: Strategy,
) -> Result<Changed, StatusError> {
    if patch.kind == PatchKind::Apply {
        strategy.create |= call.scope.subresource.is_none();
    } else {
        strategy.create &= false;
    }
    change(call, &patch, strategy).await
}

impl Change for Patch {
    fn apply(&self, call: &mut Call<'_>, live: Option<&Value>) -> Result<Value, StatusError> {
        let mut new = match (self.kind, live) {
            (PatchKind::Apply, _) => applied(self, call, live)?,
            (_, None) => return Err(call.scope.not_found()),
            (_, Some(live)) => {
                let scope = call.scope.clone();
                let document = scope.to_served(live.clone());
                let mut new = self.onto(&scope.registry, &scope.served, &document, &mut call.warnings)?;
                // Those of custom objects are judged with the rest of them.
                if !scope.is_custom() {
                    new["kind"] = (*scope.served.kind).into();
                    new["apiVersion"] = scope.served.api_version().into();
                }
                (scope.served_rules.default)(&mut new);
                let mut new = scope.to_stored(new);
                ownership::update(call, Some(live), &mut new);
                new
            }
        };
        match_namespace(&call.scope.namespace, &mut new)?;
        check_name(call, &new)?;
        if live.is_none() {
            for field in [
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            ] {
                object::set(&mut new, field, Value::Null);
            }
        }
        Ok(new)
    }
}

/// The object after an apply, in the stored version.
fn applied(patch: &Patch, call: &mut Call<'_>, live: Option<&Value>) -> Result<Value, StatusError> {
    let scope = call.scope.clone();
    let config = configuration(patch, &mut call.warnings)?;
    let force = call.options.force.unwrap_or(false);
    let mut new = ownership::apply(call, live, &config.object, force).map_err(|error| refused(&error))?;
    config.strictly(patch, &mut call.warnings)?;
    if let Some(custom) = &scope.resource.custom {
        custom::coerce(custom, &mut new).map_err(|why| StatusError::new(500, "", why))?;
        custom::fill(custom, &mut new);
    } else if let Some((schema, id)) = scope.registry.types(&scope.served) {
        let decoded = decode::typed(schema, id, Node::from(new));
        new = decoded.map_err(|why| StatusError::new(500, "", why))?.value;
    }
    new["kind"] = (*scope.served.kind).into();
    new["apiVersion"] = scope.served.api_version().into();
    (scope.served_rules.default)(&mut new);
    Ok(scope.to_stored(new))
}

/// What is applied.
pub(crate) struct Configuration {
    pub object: Value,
    /// What a strict reading says.
    duplicates: Option<String>,
}

impl Configuration {
    /// Duplicate keys are told only once all else is well.
    pub fn strictly(&self, patch: &Patch, warnings: &mut Vec<String>) -> Result<(), StatusError> {
        match (&self.duplicates, patch.validation) {
            (Some(text), FieldValidation::Strict) => Err(StatusError::bad_request(format!(
                "error strict decoding YAML: {text}"
            ))),
            (Some(text), FieldValidation::Warn) => {
                warnings.extend(told(text));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Reads the body of an apply.
pub(crate) fn configuration(
    patch: &Patch,
    _warnings: &mut Vec<String>,
) -> Result<Configuration, StatusError> {
    let failed = |why: String| StatusError::bad_request(format!("error decoding YAML: {why}"));
    let object = deploy_yaml::to_json(&patch.body, Dialect::GoYaml11)
        .map_err(|error| failed(format!("error converting YAML to JSON: {error}")))?;
    let duplicates = deploy_yaml::to_json_strict(&patch.body, Dialect::GoYaml11)
        .err()
        .map(|error| error.to_string());
    let object = match object {
        Value::Null => json!({}),
        Value::Object(_) => object,
        other => {
            let found = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            return Err(failed(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type \
                 map[string]interface {{}}"
            )));
        }
    };
    Ok(Configuration { object, duplicates })
}

/// What an applier is told.
pub(crate) fn refused(error: &ApplyError) -> StatusError {
    match error {
        ApplyError::Conflicts(conflicts) => {
            let causes: Vec<Value> = conflicts
                .0
                .iter()
                .map(|conflict| {
                    json!({
                        "reason": "FieldManagerConflict",
                        "message": conflict.message(),
                        "field": conflict.field(),
                    })
                })
                .collect();
            let mut status = StatusError::new(409, "Conflict", conflicts.to_string());
            status.details = json!({ "causes": causes });
            status
        }
        ApplyError::BadRequest(why) => StatusError::bad_request(why),
        ApplyError::Invalid { .. } | ApplyError::ManagedFields(_) | ApplyError::Update(_) => {
            StatusError::new(500, "", error.to_string())
        }
    }
}
