//! Takes fields out of a value, or leaves only them (`typed/remove.go`).

use serde_json::{Map as Object, Value};

use super::resolve::{Kind, Resolved, Shaped};
use super::{Shape, items};
use crate::fields::{Element, Set};
use crate::types::{List, Map};

/// The value without these fields. Takes it by value, because most of it stays.
pub(super) fn remove(shape: Shape<'_>, value: Value, fields: &Set) -> Value {
    let Some(resolved) = Resolved::of(shape.schema, shape.r#type) else {
        return Value::Null;
    };
    match (resolved.deduce(Some(&value)).kind(), value) {
        (Some(Kind::Scalar(_)), value) => value,
        (Some(Kind::List(list)), Value::Array(items)) if !list.is_atomic() => {
            let kept: Vec<Value> = items
                .into_iter()
                .filter_map(|item| remove_from_item(shape, list, item, fields))
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        (Some(Kind::Map(map)), Value::Object(entries)) if !map.is_atomic() => {
            let kept: Object<String, Value> = entries
                .into_iter()
                .filter_map(|(name, value)| {
                    let value = remove_from_entry(shape, map.shape, &name, value, fields)?;
                    Some((name, value))
                })
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        _ => Value::Null,
    }
}

fn remove_from_item(shape: Shape<'_>, list: Shaped<'_, List>, item: Value, fields: &Set) -> Option<Value> {
    let node = items::element(shape.schema, list, &item)
        .ok()
        .and_then(|element| fields.node(&element));
    match node {
        None => Some(item),
        Some(node) if node.member => None,
        Some(node) => Some(remove(shape.at(list.shape.element), item, &node.children)),
    }
}

fn remove_from_entry(shape: Shape<'_>, map: &Map, name: &str, value: Value, fields: &Set) -> Option<Value> {
    match (fields.node(&Element::field(name)), map.entry(name)) {
        (None, _) => Some(value),
        (Some(node), _) if node.member => None,
        (Some(node), Some(r#type)) => Some(remove(shape.at(r#type), value, &node.children)),
        (Some(_), None) => Some(Value::Null),
    }
}

/// Only these fields of the value.
pub(super) fn extract(shape: Shape<'_>, value: &Value, fields: &Set) -> Value {
    let Some(resolved) = Resolved::of(shape.schema, shape.r#type) else {
        return Value::Null;
    };
    match (resolved.deduce(Some(value)).kind(), value) {
        (Some(Kind::Scalar(_)), value) => value.clone(),
        (Some(Kind::List(list)), Value::Array(items)) if !items.is_empty() => {
            if list.is_atomic() {
                return value.clone();
            }
            let mut kept = Vec::new();
            for item in items {
                let Ok(element) = items::element(shape.schema, list, item) else {
                    continue;
                };
                let at = shape.at(list.shape.element);
                // An item that is named itself is cut by the set of its list, and again by what is below its name:
                // upstream's answer holds both.
                if fields.has_element(&element) {
                    kept.push(extract(at, item, fields));
                }
                if let Some(below) = fields.children(&element) {
                    kept.push(extract(at, item, below));
                }
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        (Some(Kind::Map(map)), Value::Object(entries)) if !entries.is_empty() => {
            if map.is_atomic() {
                return value.clone();
            }
            let kept: Object<String, Value> = entries
                .iter()
                .filter_map(|(name, value)| {
                    let node = fields.node(&Element::field(name))?;
                    let below = if node.member { fields } else { &node.children };
                    let value = map
                        .shape
                        .entry(name)
                        .map(|r#type| extract(shape.at(r#type), value, below));
                    Some((name.clone(), value.unwrap_or_default()))
                })
                .collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        _ => Value::Null,
    }
}

/// The set with the key fields of each list item on the way to one of its paths that the value has.
pub(super) fn with_key_fields(shape: Shape<'_>, value: &Value, fields: &Set) -> Set {
    let present = shape.field_set(value);
    let mut keys = Set::default();
    fields.for_each(&mut |path| {
        if !present.has(path) {
            return;
        }
        for (place, element) in path.iter().enumerate() {
            let Element::Key(key) = element else {
                continue;
            };
            for (name, _) in key.iter() {
                let mut path = path[..=place].to_vec();
                path.push(Element::Field(name.clone()));
                keys.insert(&path);
            }
        }
    });
    fields.clone().union(keys)
}
