//! The text of an object with its fields in the order in which Go declares them, which is that of its message. Some
//! errors show what a patch has made of an object: what it has not touched stands there as the server wrote it.

use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_cluster_schema::types::{Schema, TypeId};
use serde_json::{Map, Value};

use super::message::{element, member};
use super::table::{self, Field};

/// A place in an object: its message and its type, where they are known.
#[derive(Clone, Copy)]
struct Place<'a> {
    message: Option<&'static str>,
    types: Option<(&'a Schema, TypeId)>,
}

/// The text of `after`, an object of `kind`; `before` is what it was before a patch.
pub(crate) fn patched(registry: &Registry, kind: &GroupVersionKind, before: &Value, after: &Value) -> String {
    // A group of custom resources may begin as one of ours.
    let is_custom = registry
        .kind(kind)
        .is_some_and(|resource| resource.custom.is_some());
    let message = if is_custom { None } else { table::message_of(kind) };
    let types = registry.types(kind);
    let place = Place { message, types };
    let mut text = String::new();
    changed(&mut text, place, before, after);
    text
}

/// What a patch has touched is written by its names.
fn changed(text: &mut String, place: Place<'_>, before: &Value, after: &Value) {
    match (before, after) {
        _ if before == after => whole(text, place, after),
        (Value::Object(old), Value::Object(new)) => {
            text.push('{');
            for (name, value) in new {
                key(text, name);
                changed(
                    text,
                    place.field(name),
                    old.get(name).unwrap_or(&Value::Null),
                    value,
                );
            }
            text.push('}');
        }
        (Value::Array(old), Value::Array(new)) => {
            text.push('[');
            for (index, value) in new.iter().enumerate() {
                separate(text);
                changed(text, place.item(), old.get(index).unwrap_or(&Value::Null), value);
            }
            text.push(']');
        }
        _ => text.push_str(&after.to_string()),
    }
}

/// What nobody has touched is written as Go declares it.
fn whole(text: &mut String, place: Place<'_>, value: &Value) {
    match value {
        Value::Object(fields) => {
            text.push('{');
            let mut written = Vec::new();
            if let Some(message) = place.message {
                declared(text, place, message, fields, &mut written);
            }
            for (name, value) in fields
                .iter()
                .filter(|(name, _)| !written.contains(&name.as_str()))
            {
                key(text, name);
                whole(text, place.field(name), value);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                separate(text);
                whole(text, place.item(), item);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn declared<'f>(
    text: &mut String,
    place: Place<'_>,
    message: &'static str,
    fields: &'f Map<String, Value>,
    written: &mut Vec<&'f str>,
) {
    for field in table::declared(message) {
        let inner = place.types.and_then(|types| member(types, field.name));
        if let Some((name, value)) = fields.get_key_value(field.name) {
            key(text, name);
            let below = Place {
                message: message_in(field),
                types: inner,
            };
            whole(text, below, value);
            written.push(name);
        } else if inner.is_none() && place.types.is_some() && field.r#type.contains('.') {
            // Go embeds the structure: its fields are the parent's.
            declared(text, place, field.r#type, fields, written);
        }
    }
}

impl Place<'_> {
    fn field(self, name: &str) -> Self {
        let fields = self.message.map(table::declared).unwrap_or_default();
        let field = fields.iter().find(|field| field.name == name);
        let inner = self.types.and_then(|types| member(types, name));
        let types = match (field, inner) {
            (None, None) => self.types.and_then(element),
            (_, inner) => inner,
        };
        Place {
            // The entries of a map have the message of the map.
            message: field.map_or(self.message.filter(|_| inner.is_none()), message_in),
            types,
        }
    }

    fn item(self) -> Self {
        Place {
            types: self.types.and_then(element),
            ..self
        }
    }
}

fn message_in(field: &Field) -> Option<&'static str> {
    field.r#type.contains('.').then_some(field.r#type)
}

fn separate(text: &mut String) {
    if !text.ends_with(['{', '[']) {
        text.push(',');
    }
}

fn key(text: &mut String, name: &str) {
    separate(text);
    text.push_str(&Value::from(name).to_string());
    text.push(':');
}
