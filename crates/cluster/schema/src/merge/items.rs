//! What names an item of an associative list (`typed/helpers.go`).

use std::sync::Arc;

use serde_json::Value;

use super::resolve::{Resolved, Shaped};
use crate::fields::{Element, quote};
use crate::types::{List, Relationship, Schema};

/// The element that names `item`, or why it has none.
pub(super) fn element(schema: &Schema, list: Shaped<'_, List>, item: &Value) -> Result<Element, String> {
    if list.relationship != Relationship::Associative {
        return Err("invalid indexing of non-associative list".to_owned());
    }
    if list.shape.keys.is_empty() {
        set_item(item)
    } else {
        keyed_item(schema, list.shape, item)
    }
}

fn set_item(item: &Value) -> Result<Element, String> {
    let why = match item {
        Value::Object(_) => "associative list without keys has an element that's a map type",
        Value::Array(_) => "not supported: associative list with lists as elements",
        Value::Null => "associative list without keys has an element that's an explicit null",
        scalar => return Ok(Element::Value(scalar.clone())),
    };
    Err(why.to_owned())
}

fn keyed_item(schema: &Schema, list: &List, item: &Value) -> Result<Element, String> {
    let map = match item {
        Value::Object(map) => map,
        Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut fields: Vec<(Arc<str>, Value)> = Vec::with_capacity(list.keys.len());
    for key in &list.keys {
        // A key that is missing and has no default names another item than the same key with a value.
        let value = match map.get(&**key) {
            Some(value) => Some(value.clone()),
            None => key_default(schema, list, key)?,
        };
        fields.extend(value.map(|value| (key.clone(), value)));
    }
    if fields.is_empty() {
        let mut keys = String::new();
        for (i, key) in list.keys.iter().enumerate() {
            keys.push_str(if i > 0 { " " } else { "" });
            quote(key, &mut keys);
        }
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default \
             values for any key fields)"
        ));
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Element::Key(fields.into()))
}

fn key_default(schema: &Schema, list: &List, key: &str) -> Result<Option<Value>, String> {
    let resolved = Resolved::of(schema, list.element);
    let map = match resolved {
        Some(Resolved { map: Some(map), .. }) => map,
        Some(_) => {
            return Err(format!(
                "couldn't find default value for {key}: associative list may not have non-map types"
            ));
        }
        None => {
            return Err(format!(
                "couldn't find default value for {key}: invalid elementType for list"
            ));
        }
    };
    Ok(map.shape.field(key).and_then(|field| field.default.clone()))
}
