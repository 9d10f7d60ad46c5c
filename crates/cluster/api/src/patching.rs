//! A patch laid over a document: JSON patch, merge patch, strategic merge
//! (`apiserver/pkg/endpoints/handlers/patch.go`).

use bytes::Bytes;
use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_kinds::rules;
use deploy_cluster_schema::decode::{self, Node};
use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::patch::{
    PatchError, json_patch, json_patch_unknown_fields, merge_patch, strategic,
};
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_cluster_schema::types::{Scalar, Schema, TypeId};
use serde_json::{Value, json};

use crate::convert::convert;
use crate::custom;
use crate::decode::{as_found, found_kind, inconvertible, resets_managers};
use crate::negotiate::PatchKind;
use crate::options::FieldValidation;
use crate::protobuf;
use crate::status::{About, StatusError};

/// A patch as it came.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    pub kind: PatchKind,
    pub body: Bytes,
    pub validation: FieldValidation,
}

impl Patch {
    /// Lays the patch over `document`, an object of `kind`, and decodes what comes out.
    pub fn onto(
        &self,
        registry: &Registry,
        kind: &GroupVersionKind,
        document: &Value,
        warnings: &mut Vec<String>,
    ) -> Result<Value, StatusError> {
        let (patched, shown, mut strict) = match self.kind {
            PatchKind::Json => self.json(registry, kind, document)?,
            PatchKind::Merge => self.merge(registry, kind, document)?,
            PatchKind::Strategic => self.strategic(registry, kind, document)?,
            PatchKind::Apply => return Err(StatusError::internal("an apply is no patch of text")),
        };
        let Some((schema, id)) = registry.types(kind) else {
            return Ok(patched);
        };
        let as_text = self.kind != PatchKind::Strategic;
        if let Some(custom) = registry.kind(kind).and_then(|resource| resource.custom.as_ref()) {
            let node = Node::from(patched.clone());
            let reset = resets_managers(&node);
            let found = untyped(&node, &patched)?;
            let mut object = patched;
            strict.extend(
                custom::known(registry, custom, &found, &mut object).map_err(|why| unfit(&shown, &why))?,
            );
            if reset {
                object["metadata"]["managedFields"] = Value::Array(Vec::new());
            }
            self.tell(strict, &shown, warnings)?;
            return Ok(object);
        }
        if self.kind == PatchKind::Strategic
            && let Some(why) = unrestorable(schema, id, &patched)
        {
            return Err(unfit(&shown, &why));
        }
        let fields = patched
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone());
        let patched_names: Vec<String> = fields
            .filter(|name| name != "kind" && name != "apiVersion")
            .collect();
        let node = Node::from(patched);
        // A strategic patch is laid over the structure, which has no type of its own.
        let found = if as_text {
            let (api_version, found) = decode::type_meta(&node).map_err(|why| unfit(&shown, &why))?;
            if matches!(api_version.as_str(), "" | INTERNAL) {
                let names = patched_names
                    .iter()
                    .map(|name| format!("unknown field \"{name}\""));
                strict.extend(names);
                self.tell(strict, &shown, warnings)?;
                return Ok(json!({}));
            }
            found_kind(kind, &api_version, &found).map_err(|why| unfit(&shown, &why))?
        } else {
            kind.clone()
        };
        let decoded = as_found(registry, &found, node).map_err(|why| unfit(&shown, &why))?;
        if let Some(why) = inconvertible(registry, &found, kind) {
            return Err(unfit(&shown, &why));
        }
        strict.extend(decoded.strict);
        self.tell(strict, &shown, warnings)?;
        let mut object = decoded.value;
        if found != *kind {
            (rules::find(&found.group, &found.version, &found.kind).default)(&mut object);
            object = convert(registry, object, &found, kind);
        }
        Ok(object)
    }

    /// Tells what a strict reader says, in the way that the client asked for.
    fn tell(&self, strict: Vec<String>, shown: &str, warnings: &mut Vec<String>) -> Result<(), StatusError> {
        match self.validation {
            _ if strict.is_empty() => Ok(()),
            FieldValidation::Ignore => Ok(()),
            FieldValidation::Warn => {
                warnings.extend(strict);
                Ok(())
            }
            FieldValidation::Strict => Err(unfit(
                shown,
                &format!("strict decoding error: {}", strict.join(", ")),
            )),
        }
    }

    fn is_strict(&self) -> bool {
        self.validation != FieldValidation::Ignore
    }

    fn json(
        &self,
        registry: &Registry,
        kind: &GroupVersionKind,
        document: &Value,
    ) -> Result<(Value, String, Vec<String>), StatusError> {
        let (patch, duplicates) = decode::parse_json(&self.body).map_err(|error| {
            let prefix = if self.is_strict() {
                "error decoding patch: "
            } else {
                ""
            };
            StatusError::bad_request(format!("{prefix}{error}"))
        })?;
        let mut strict: Vec<String> = Vec::new();
        if self.is_strict() {
            strict.extend(duplicates.into_iter().map(|text| format!("json patch {text}")));
            strict.extend(json_patch_unknown_fields(&patch));
        }
        let patched = json_patch(document.clone(), &patch).map_err(|error| failed(&error))?;
        let shown = protobuf::patched(registry, kind, document, &patched);
        Ok((patched, shown, strict))
    }

    fn merge(
        &self,
        registry: &Registry,
        kind: &GroupVersionKind,
        document: &Value,
    ) -> Result<(Value, String, Vec<String>), StatusError> {
        let (patch, duplicates) = self.object("error decoding patch: ")?;
        let patched = merge_patch(document.clone(), patch).map_err(|error| failed(&error))?;
        let shown = protobuf::patched(registry, kind, document, &patched);
        Ok((patched, shown, duplicates))
    }

    fn strategic(
        &self,
        registry: &Registry,
        kind: &GroupVersionKind,
        document: &Value,
    ) -> Result<(Value, String, Vec<String>), StatusError> {
        let (patch, duplicates) = self.object("")?;
        let shown = go_print(&patch);
        let Some((schema, id)) = registry.types(kind) else {
            return Err(StatusError::internal(
                "a kind without types has no strategic merge",
            ));
        };
        let patch = if patch.is_null() { json!({}) } else { patch };
        let patched =
            strategic(Shape::new(schema, id), document.clone(), patch).map_err(|error| failed(&error))?;
        Ok((patched, shown, duplicates))
    }

    /// The body as an object, or null.
    fn object(&self, prefix: &str) -> Result<(Value, Vec<String>), StatusError> {
        let (patch, duplicates) = decode::parse_json(&self.body)
            .map_err(|error| StatusError::bad_request(format!("{prefix}{error}")))?;
        if !patch.is_object() && !patch.is_null() {
            return Err(StatusError::bad_request(format!(
                "{prefix}json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                go_kind(&patch)
            )));
        }
        Ok((patch, if self.is_strict() { duplicates } else { Vec::new() }))
    }
}

/// A version that no object is written in. One that names it, or none, is read as the structure that all versions are
/// converted to, which has nothing in common with its text: upstream finds it empty.
const INTERNAL: &str = "__internal";

/// The type of a custom object, or what is wrong with it before anything else is looked at.
fn untyped(node: &Node<'_>, patched: &Value) -> Result<GroupVersionKind, StatusError> {
    let text = || patched.to_string();
    let (api_version, kind) = decode::type_meta(node).map_err(|why| unfit(&text(), &why))?;
    if kind.is_empty() {
        let text = text();
        return Err(unfit(&text, &format!("Object 'Kind' is missing in '{text}'")));
    }
    if api_version.is_empty() {
        let why = "Object 'apiVersion' is missing in 'object has no apiVersion field'";
        return Err(StatusError::internal(why));
    }
    GroupVersionKind::parse(&api_version, &kind)
        .ok_or_else(|| unfit(&text(), &format!("unexpected GroupVersion string: {api_version}")))
}

/// What the client is told of a patch that cannot be applied.
fn failed(error: &PatchError) -> StatusError {
    match error {
        PatchError::BadRequest(why) => StatusError::bad_request(why),
        PatchError::TooLarge(why) => StatusError::too_large(why),
        // Upstream hides what its library says (`NewGenericServerResponse`).
        PatchError::Unprocessable(_) => {
            let message = "the server rejected our request due to an error in our request";
            let mut error = StatusError::new(422, "Invalid", message);
            error.details = json!({});
            error
        }
        PatchError::Failed(why) => StatusError::new(500, "", why),
    }
}

/// What came out of a patch is no object of its kind.
fn unfit(shown: &str, why: &str) -> StatusError {
    let finding = Finding {
        kind: FindingKind::Invalid,
        path: "patch".to_owned(),
        value: Some(shown.into()),
        shown: None,
        detail: why.to_owned(),
    };
    StatusError::invalid(About::new("", ""), "", &[finding])
}

/// Why Go could not make a structure of maps and slices, as a strategic patch leaves them
/// (`apimachinery/pkg/runtime/converter.go`); none for what it reads through JSON after all.
fn unrestorable(schema: &Schema, id: TypeId, value: &Value) -> Option<String> {
    let r#type = schema.get(id);
    match (&r#type.map, &r#type.list, value) {
        (_, _, Value::Null) => None,
        (Some(map), _, Value::Object(fields)) => fields.iter().find_map(|(name, value)| {
            let field = map.field(name).map(|field| field.r#type.id);
            let id = field.or_else(|| map.element.map(|element| element.id))?;
            unrestorable(schema, id, value)
        }),
        (_, Some(list), Value::Array(items)) => items
            .iter()
            .find_map(|item| unrestorable(schema, list.element.id, item)),
        (Some(map), None, other) if map.go_name.is_some() => {
            Some(format!("cannot restore struct from: {}", reflect_kind(other)))
        }
        (Some(_), None, other) => Some(format!("cannot restore map from {}", reflect_kind(other))),
        (None, Some(_), other) => Some(format!("cannot restore slice from {}", reflect_kind(other))),
        _ => {
            // The last word is whether Go's `reflect` would convert the one to the other.
            let (fits, kind, converts) = match r#type.scalar? {
                Scalar::String => (value.is_string(), "string", value.is_i64() || value.is_u64()),
                Scalar::Boolean => (value.is_boolean(), "bool", false),
                Scalar::Int32 => (is_whole(value), "int32", value.is_number()),
                Scalar::Int64 => (is_whole(value), "int64", value.is_number()),
                _ => return None,
            };
            let go = r#type.go.as_deref()?;
            match (fits, converts) {
                (true, _) => None,
                (false, true) => Some(format!("cannot convert {} to {go}", reflect_kind(value))),
                (false, false) => Some(format!("unrecognized type: {kind}")),
            }
        }
    }
}

fn is_whole(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// What Go's reflection calls a value that was read from JSON.
fn reflect_kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "map",
        Value::Array(_) => "slice",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Null => "nil",
    }
}

/// What Go calls a JSON value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A value as Go's `%+v` prints maps and slices.
pub(crate) fn go_print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_print).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{key}:{}", go_print(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}
