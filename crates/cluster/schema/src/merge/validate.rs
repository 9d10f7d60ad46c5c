//! Holds values to their types (`typed/validate.go`).

use std::collections::HashSet;

use serde_json::{Map as Object, Value};

use super::items;
use super::resolve::{Kind, Shaped, kind, resolve};
use super::violation::{Violations, go_type, plain, syntax};
use super::{Duplicates, Shape};
use crate::fields::Element;
use crate::types::{List, Map, Relationship, Scalar};

pub(super) fn validate(shape: Shape<'_>, value: &Value, duplicates: Duplicates) -> Result<(), Violations> {
    let mut errors = Violations::default();
    value_of(shape, value, duplicates, &mut errors);
    errors.into_result()
}

fn value_of(shape: Shape<'_>, value: &Value, duplicates: Duplicates, errors: &mut Violations) {
    let Some(resolved) = resolve(shape, errors) else {
        return;
    };
    match kind(shape, resolved.deduce(Some(value)), errors) {
        Some(Kind::Scalar(kind)) => errors.0.extend(scalar(kind, Some(value), "").0),
        Some(Kind::List(list)) => match value {
            Value::Array(items) => list_of(shape, list, items, duplicates, errors),
            Value::Null => {}
            other => errors.push(format!("expected list, got &{{{}}}", plain(other))),
        },
        Some(Kind::Map(map)) => match value {
            Value::Object(entries) => map_of(shape, map.shape, entries, duplicates, errors),
            Value::Null => {}
            other => errors.push(format!("expected map, got &{{{}}}", plain(other))),
        },
        None => {}
    }
}

/// Whether a scalar is of its kind. Nothing and null always are.
pub(super) fn scalar(kind: Scalar, value: Option<&Value>, prefix: &str) -> Violations {
    let mut errors = Violations::default();
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return errors;
    };
    match class(kind) {
        Class::Numeric if !value.is_number() => {
            errors.push(format!(
                "{prefix}expected numeric (int or float), got {}",
                go_type(value)
            ));
        }
        Class::String if !value.is_string() => {
            errors.push(format!(
                "{prefix}expected string, got &value.valueUnstructured{{Value:{}}}",
                syntax(value)
            ));
        }
        Class::Boolean if !value.is_boolean() => {
            errors.push(format!("{prefix}expected boolean, got &{{{}}}", plain(value)));
        }
        Class::Any if value.is_array() || value.is_object() => {
            errors.push(format!("{prefix}expected any scalar, got &{{{}}}", plain(value)));
        }
        _ => {}
    }
    errors
}

/// The four kinds of scalars that structured merge tells apart.
enum Class {
    Numeric,
    String,
    Boolean,
    Any,
}

fn class(scalar: Scalar) -> Class {
    match scalar {
        Scalar::Untyped | Scalar::Quantity | Scalar::IntOrString => Class::Any,
        Scalar::String | Scalar::Bytes | Scalar::Time | Scalar::MicroTime | Scalar::Duration => Class::String,
        Scalar::Boolean => Class::Boolean,
        Scalar::Numeric | Scalar::Int32 | Scalar::Int64 | Scalar::Double => Class::Numeric,
    }
}

fn list_of(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    items: &[Value],
    duplicates: Duplicates,
    errors: &mut Violations,
) {
    let mut seen = HashSet::new();
    for (place, item) in (0..).zip(items) {
        let element = if list.relationship == Relationship::Associative {
            match items::element(shape.schema, list, item) {
                Ok(element) => {
                    if duplicates == Duplicates::Refused && !seen.insert(element.clone()) {
                        errors.push(format!("duplicate entries for key {element}"));
                    }
                    element
                }
                // Without a name for the item nothing below it can be told.
                Err(why) => return errors.push(format!("element {place}: {why}")),
            }
        } else {
            Element::Index(place)
        };
        let mut below = Violations::default();
        value_of(shape.at(list.shape.element), item, duplicates, &mut below);
        errors.take_below(element, below);
    }
}

fn map_of(
    shape: Shape<'_>,
    map: &Map,
    entries: &Object<String, Value>,
    duplicates: Duplicates,
    errors: &mut Violations,
) {
    for (name, value) in entries {
        let mut below = Violations::default();
        let known = map.entry(name);
        match known {
            Some(r#type) => value_of(shape.at(r#type), value, duplicates, &mut below),
            None => below.push("field not declared in schema".to_owned()),
        }
        errors.take_below(Element::field(name), below);
        if known.is_none() {
            return;
        }
    }
}
