//! The object that Go makes when nobody has set anything. What is created is compared with it, so that it decides
//! which parents the creator owns: `.spec.template.metadata.labels` is his, `.spec` is not, because it is always there.

use serde_json::{Map as Object, Value};

use crate::merge::{Resolved, Shape};
use crate::types::{Field, Scalar};

/// The empty object of a kind that has a structure in Go.
pub fn empty_object(shape: Shape<'_>) -> Value {
    structure(shape, 0)
}

/// What holds itself by value cannot exist in Go; the bound only stops a wrong schema.
const MAX_DEPTH: usize = 64;

fn structure(shape: Shape<'_>, depth: usize) -> Value {
    let map = Resolved::of(shape.schema, shape.r#type).and_then(|resolved| resolved.map);
    let fields = map.map_or(&[][..], |map| map.shape.fields.as_slice());
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    let entries = fields
        .iter()
        .filter_map(|field| Some((field.name.to_string(), zero(shape, field, depth)?)));
    Value::Object(entries.collect::<Object<String, Value>>())
}

/// What Go writes for a field that holds its zero value; nothing where it writes nothing (encoding/json).
fn zero(shape: Shape<'_>, field: &Field, depth: usize) -> Option<Value> {
    let go = field.go;
    if go.omit_zero {
        return None;
    }
    let r#type = shape.schema.get(field.r#type.id);
    let written = go.always.then_some(());
    if go.pointer || r#type.list.is_some() {
        return written.map(|()| Value::Null);
    }
    if let Some(map) = &r#type.map {
        // A structure is written even where it is empty; a plain map is not.
        return match map.go_name {
            Some(_) => Some(structure(
                Shape {
                    r#type: field.r#type,
                    ..shape
                },
                depth + 1,
            )),
            None => written.map(|()| Value::Null),
        };
    }
    match r#type.scalar? {
        Scalar::Time | Scalar::MicroTime => Some(Value::Null),
        Scalar::Quantity => Some(Value::from("0")),
        Scalar::IntOrString => Some(Value::from(0)),
        Scalar::Duration => Some(Value::from("0s")),
        Scalar::String => written.map(|()| Value::from("")),
        Scalar::Boolean => written.map(|()| Value::from(false)),
        Scalar::Numeric | Scalar::Int32 | Scalar::Int64 | Scalar::Double => written.map(|()| Value::from(0)),
        Scalar::Bytes | Scalar::Untyped => written.map(|()| Value::Null),
    }
}
