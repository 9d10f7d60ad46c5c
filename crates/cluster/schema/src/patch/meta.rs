//! How a field is patched: what upstream reads from the tags of Go structures (apimachinery `strategicpatch/meta.go`,
//! `third_party/forked/golang/json/fields.go`).

use serde_json::Value;

use super::error::PatchError;
use crate::fields::quote;
use crate::merge::{Resolved, Shape, plain};
use crate::types::{PatchStrategy, Type};

/// The directives that a patch may contain.
pub(super) const DIRECTIVE: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const DELETE_FROM_PRIMITIVES: &str = "$deleteFromPrimitiveList";
pub(super) const SET_ELEMENT_ORDER: &str = "$setElementOrder";

/// A field that holds an object: how it is patched, and its type.
pub(super) fn object_field<'s>(
    shape: Shape<'s>,
    key: &str,
) -> Result<(Shape<'s>, &'s PatchStrategy), PatchError> {
    let r#type = shape.schema.get(shape.r#type.id);
    let Some(map) = r#type
        .map
        .as_ref()
        .filter(|map| map.go_name.is_some() || !map.fields.is_empty())
    else {
        return Err(failed(format!(
            "merging an object in json but data type is not struct, instead is: {}",
            go_kind(r#type)
        )));
    };
    let Some(field) = map.field(key) else {
        let mut quoted = String::new();
        quote(key, &mut quoted);
        let name = map.go_name.as_deref().unwrap_or_default();
        return Err(failed(format!(
            "unable to find api field in struct {name} for the json field {quoted}"
        )));
    };
    Ok((
        Shape {
            r#type: field.r#type,
            ..shape
        },
        &field.patch,
    ))
}

/// A field that holds a list: how it is patched, and the type of its items.
pub(super) fn list_field<'s>(
    shape: Shape<'s>,
    key: &str,
) -> Result<(Shape<'s>, &'s PatchStrategy), PatchError> {
    let (field, strategy) = object_field(shape, key)?;
    match Resolved::of(field.schema, field.r#type).and_then(|resolved| resolved.list) {
        Some(list) => Ok((
            Shape {
                r#type: list.shape.element,
                ..field
            },
            strategy,
        )),
        None => {
            let kind = go_kind(shape.schema.get(shape.r#type.id));
            Err(failed(format!("expected slice or array type, but got: {kind}")))
        }
    }
}

/// The key behind a directive: `containers` of `$setElementOrder/containers`.
pub(super) fn key_behind<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    key.strip_prefix(prefix)?.strip_prefix('/')
}

pub(super) fn failed(text: impl Into<String>) -> PatchError {
    PatchError::Failed(text.into())
}

pub(super) fn no_merge_key(item: &Value, key: &str) -> PatchError {
    failed(format!(
        "map: {} does not contain declared merge key: {key}",
        plain(item)
    ))
}

pub(super) fn bad_argument(expected: &Value, received: &Value) -> PatchError {
    failed(format!(
        "expected a {}, but received a {}",
        go_type(expected),
        go_type(received)
    ))
}

/// What kind of items lists have; all must be of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    Objects,
    Scalars,
}

/// The kind of the items of these lists.
pub(super) fn items_kind(lists: &[&[Value]]) -> Result<Items, PatchError> {
    let mut items = lists.iter().flat_map(|list| list.iter());
    let first = items
        .next()
        .ok_or_else(|| failed("no elements in any of the given slices"))?;
    if first.is_array() {
        return Err(PatchError::Unprocessable(
            "lists of lists are not supported".to_owned(),
        ));
    }
    if first.is_null() || items.any(|item| go_type(item) != go_type(first)) {
        let lists = Value::Array(lists.iter().map(|list| Value::Array(list.to_vec())).collect());
        return Err(failed(format!(
            "list element types are not identical: {}",
            plain(&lists)
        )));
    }
    Ok(if first.is_object() {
        Items::Objects
    } else {
        Items::Scalars
    })
}

/// The type in Go of a decoded value; numbers are whole or not.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn go_kind(r#type: &Type) -> &'static str {
    use crate::types::Scalar;
    match r#type {
        Type { map: Some(map), .. } if map.go_name.is_some() => "struct",
        Type { map: Some(_), .. } => "map",
        Type { list: Some(_), .. } => "slice",
        Type {
            scalar: Some(scalar), ..
        } => match scalar {
            Scalar::String => "string",
            Scalar::Boolean => "bool",
            Scalar::Int32 => "int32",
            Scalar::Int64 | Scalar::Numeric => "int64",
            Scalar::Double => "float64",
            Scalar::Bytes => "slice",
            _ => "struct",
        },
        _ => "interface",
    }
}
