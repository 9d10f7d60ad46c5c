//! A message as the JSON that the same object has.

use deploy_cluster_schema::types::{Schema, TypeId};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::table::{self, Field, Shape};
use super::wire::{self, Fields};
use crate::limits;

/// The type of the place that is read, where it is known.
type Types<'a> = Option<(&'a Schema, TypeId)>;

/// Reads a message; none where its bytes are malformed.
pub(super) fn read(name: &str, bytes: &[u8], types: Types<'_>) -> Option<Value> {
    message(name, bytes, types, 0)
}

fn message(name: &str, bytes: &[u8], types: Types<'_>, depth: usize) -> Option<Value> {
    if depth > limits::JSON_DEPTH {
        return None;
    }
    if let Some(value) = special(name, bytes) {
        return value;
    }
    let known = table::fields(name)?;
    let mut object = Map::new();
    for field in Fields::new(bytes) {
        let (number, value) = field?;
        let Some(field) = known.get(&number) else {
            continue;
        };
        add(&mut object, field, value, types, depth)?;
    }
    // Wrappers of lists (`ExtraValue`) are lists in JSON.
    if known.len() == 1
        && known
            .values()
            .all(|field| field.name == "items" && field.shape == Shape::List)
    {
        return Some(object.remove("items").unwrap_or_else(|| Value::Array(Vec::new())));
    }
    Some(object.into())
}

fn add(
    object: &mut Map<String, Value>,
    field: &Field,
    value: wire::Value<'_>,
    types: Types<'_>,
    depth: usize,
) -> Option<()> {
    let inner = types.and_then(|types| member(types, field.name));
    match field.shape {
        Shape::One => {
            let is_message = field.r#type.contains('.');
            let is_part = is_message && types.is_some() && inner.is_none();
            let read = single(field.r#type, value, if is_part { types } else { inner }, depth)?;
            match read {
                // Go embeds the structure: its fields are the parent's.
                Value::Object(fields) if is_part => object.extend(fields),
                read => {
                    object.insert(field.name.to_owned(), read);
                }
            }
        }
        Shape::List => {
            let list = object
                .entry(field.name)
                .or_insert_with(|| Value::Array(Vec::new()));
            let items = list.as_array_mut()?;
            match value {
                wire::Value::Bytes(mut packed) if field.r#type == "i" => {
                    while !packed.is_empty() {
                        items.push(integer(wire::varint(&mut packed)?));
                    }
                }
                value => items.push(single(field.r#type, value, inner.and_then(element), depth)?),
            }
        }
        Shape::Map => {
            let wire::Value::Bytes(entry) = value else {
                return None;
            };
            let (mut key, mut item) = (String::new(), None);
            for part in Fields::new(entry) {
                match part? {
                    (1, wire::Value::Bytes(text)) => key = text_of(text)?,
                    (2, value) => item = Some(single(field.r#type, value, inner.and_then(element), depth)?),
                    _ => {}
                }
            }
            let map = object
                .entry(field.name)
                .or_insert_with(|| Value::Object(Map::new()));
            map.as_object_mut()?
                .insert(key, item.unwrap_or_else(|| empty(field.r#type)));
        }
    }
    Some(())
}

/// What a map holds where the value was left out as zero.
fn empty(r#type: &str) -> Value {
    match r#type {
        "s" | "b" => "".into(),
        "i" | "d" => 0.into(),
        "t" => false.into(),
        _ => Value::Null,
    }
}

fn single(r#type: &str, value: wire::Value<'_>, types: Types<'_>, depth: usize) -> Option<Value> {
    match (r#type, value) {
        ("s", wire::Value::Bytes(text)) => text_of(text).map(Value::from),
        ("b", wire::Value::Bytes(bytes)) => {
            use base64::Engine as _;
            Some(base64::engine::general_purpose::STANDARD.encode(bytes).into())
        }
        ("i", wire::Value::Varint(number)) => Some(integer(number)),
        ("t", wire::Value::Varint(number)) => Some((number != 0).into()),
        ("d", wire::Value::Fixed64(bits)) => Number::from_f64(f64::from_bits(bits)).map(Value::Number),
        (name, wire::Value::Bytes(bytes)) => message(name, bytes, types, depth + 1),
        _ => None,
    }
}

/// Negative numbers are written as unsigned ones of 64 bits.
#[expect(
    clippy::cast_possible_wrap,
    reason = "two's complement is how the wire has it"
)]
fn integer(number: u64) -> Value {
    (number as i64).into()
}

fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Messages that are no objects in JSON; the outer `None` is for all others.
fn special(name: &str, bytes: &[u8]) -> Option<Option<Value>> {
    let value = match name {
        "meta.v1.Time" | "meta.v1.MicroTime" => time(bytes, name == "meta.v1.MicroTime"),
        "meta.v1.Duration" => number(bytes, 1).map(|nanos| go_duration(nanos).into()),
        "Quantity" => Some(text_at(bytes, 1).unwrap_or_else(|| "0".to_owned()).into()),
        "IntOrString" => match number(bytes, 1) {
            Some(1) => Some(text_at(bytes, 3).unwrap_or_default().into()),
            _ => Some(number(bytes, 2).unwrap_or(0).into()),
        },
        "RawExtension" | "meta.v1.FieldsV1" => match bytes_at(bytes, 1) {
            Some(raw) => serde_json::from_slice(raw).ok(),
            None => Some(Value::Null),
        },
        _ => return None,
    };
    Some(value)
}

fn time(bytes: &[u8], micros: bool) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    let seconds = number(bytes, 1).unwrap_or(0);
    let nanos = i32::try_from(number(bytes, 2).unwrap_or(0)).ok()?;
    let time = Timestamp::new(seconds, nanos).ok()?;
    let format = if micros {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    Some(time.strftime(format).to_string().into())
}

/// A duration that Go's parser reads.
fn go_duration(nanos: i64) -> String {
    format!("{nanos}ns")
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "two's complement is how the wire has it"
)]
fn number(bytes: &[u8], wanted: u32) -> Option<i64> {
    Fields::new(bytes).flatten().find_map(|field| match field {
        (number, wire::Value::Varint(value)) if number == wanted => Some(value as i64),
        _ => None,
    })
}

fn bytes_at(bytes: &[u8], wanted: u32) -> Option<&[u8]> {
    Fields::new(bytes).flatten().find_map(|field| match field {
        (number, wire::Value::Bytes(value)) if number == wanted => Some(value),
        _ => None,
    })
}

fn text_at(bytes: &[u8], wanted: u32) -> Option<String> {
    bytes_at(bytes, wanted).and_then(text_of)
}

/// The type of a field.
pub(super) fn member<'s>((schema, id): (&'s Schema, TypeId), name: &str) -> Option<(&'s Schema, TypeId)> {
    let field = schema.get(id).map.as_ref()?.field(name)?;
    Some((schema, field.r#type.id))
}

/// The type of the items of a list or of the entries of a map.
pub(super) fn element((schema, id): (&Schema, TypeId)) -> Option<(&Schema, TypeId)> {
    let r#type = schema.get(id);
    let element = match (&r#type.list, &r#type.map) {
        (Some(list), _) => list.element,
        (None, Some(map)) => map.element?,
        (None, None) => return None,
    };
    Some((schema, element.id))
}
