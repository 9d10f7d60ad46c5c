//! JSON to protobuf, as a table of messages says.

use serde_json::{Map, Value};

/// A message: what each member of an object becomes.
pub struct Message {
    /// Members: name in JSON, field number, how it is written.
    pub members: &'static [(&'static str, u32, Kind)],
    /// The field of members whose names begin with `x-`.
    pub extensions: u32,
}

/// How a member is written.
pub enum Kind {
    /// A text.
    Text,
    /// Each item a text.
    Texts,
    /// Texts, or one, in a message of its own.
    TextsInside,
    /// True or false; false is left out.
    Bool,
    /// A whole number.
    Integer,
    /// A float.
    Float,
    /// Anything, as YAML.
    Any,
    /// Each item anything.
    Anys,
    /// A number, a boolean or a text, in a message that has a field for each.
    Plain,
    /// A message.
    One(Choose),
    /// Each item a message.
    Many(Choose),
    /// A message, or a boolean in field 2.
    OneOrBool(Choose),
    /// An object whose every member is a message with its name, in this field of a message of its own.
    Named(u32, Choose),
    /// The same with lists of texts.
    NamedTexts,
}

/// Which message a value is, and the fields of the messages around it, outermost first.
pub type Choose = fn(&Value) -> (&'static [u32], &'static Message);

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const BYTES: u32 = 2;

/// Writes a value as a message.
pub fn encode(message: &Message, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let empty = Map::new();
    let members = value.as_object().unwrap_or(&empty);
    for (name, number, kind) in message.members {
        if let Some(value) = members.get(*name) {
            add(&mut bytes, *number, kind, value);
        }
    }
    for (name, value) in members.iter().filter(|(name, _)| name.starts_with("x-")) {
        let mut named = Vec::new();
        add_bytes(&mut named, 1, name.as_bytes());
        add_bytes(&mut named, 2, &any(value));
        add_bytes(&mut bytes, message.extensions, &named);
    }
    bytes
}

fn add(bytes: &mut Vec<u8>, number: u32, kind: &Kind, value: &Value) {
    match kind {
        Kind::Text => {
            if let Some(text) = value.as_str() {
                add_bytes(bytes, number, text.as_bytes());
            }
        }
        Kind::Texts => add_texts(bytes, number, value),
        Kind::TextsInside => {
            let mut inside = Vec::new();
            add_texts(&mut inside, 1, value);
            add_bytes(bytes, number, &inside);
        }
        Kind::Bool => {
            if value == true {
                add_varint(bytes, number, 1);
            }
        }
        Kind::Integer => {
            if let Some(integer) = value.as_i64() {
                add_varint(bytes, number, integer.cast_unsigned());
            }
        }
        Kind::Float => {
            if let Some(float) = value.as_f64() {
                add_float(bytes, number, float);
            }
        }
        Kind::Any => add_bytes(bytes, number, &any(value)),
        Kind::Anys => {
            for item in value.as_array().into_iter().flatten() {
                add_bytes(bytes, number, &any(item));
            }
        }
        Kind::Plain => add_plain(bytes, number, value),
        Kind::One(choose) => add_bytes(bytes, number, &chosen(*choose, value)),
        Kind::Many(choose) => {
            for item in value.as_array().into_iter().flatten() {
                add_bytes(bytes, number, &chosen(*choose, item));
            }
        }
        Kind::OneOrBool(choose) => {
            let mut inside = Vec::new();
            if let Some(bool) = value.as_bool() {
                add_varint(&mut inside, 2, u64::from(bool));
            } else {
                add_bytes(&mut inside, 1, &chosen(*choose, value));
            }
            add_bytes(bytes, number, &inside);
        }
        Kind::Named(entries, choose) => {
            let mut inside = Vec::new();
            for (name, value) in value.as_object().into_iter().flatten() {
                add_named(&mut inside, *entries, name, &chosen(*choose, value));
            }
            add_bytes(bytes, number, &inside);
        }
        Kind::NamedTexts => {
            for item in value.as_array().into_iter().flatten() {
                let mut inside = Vec::new();
                for (name, value) in item.as_object().into_iter().flatten() {
                    let mut texts = Vec::new();
                    add_texts(&mut texts, 1, value);
                    add_named(&mut inside, 1, name, &texts);
                }
                add_bytes(bytes, number, &inside);
            }
        }
    }
}

/// A value as the message that it is, inside those around it.
pub fn chosen(choose: Choose, value: &Value) -> Vec<u8> {
    let (around, message) = choose(value);
    let mut bytes = encode(message, value);
    for number in around.iter().rev() {
        let mut outer = Vec::new();
        add_bytes(&mut outer, *number, &bytes);
        bytes = outer;
    }
    bytes
}

/// A message with a name (field 1) and a value (field 2).
pub fn add_named(bytes: &mut Vec<u8>, number: u32, name: &str, value: &[u8]) {
    let mut named = Vec::new();
    add_bytes(&mut named, 1, name.as_bytes());
    add_bytes(&mut named, 2, value);
    add_bytes(bytes, number, &named);
}

/// A field of bytes, a text or a message.
pub fn add_bytes(bytes: &mut Vec<u8>, number: u32, content: &[u8]) {
    varint(bytes, u64::from(number << 3 | BYTES));
    varint(bytes, content.len() as u64);
    bytes.extend(content);
}

fn add_texts(bytes: &mut Vec<u8>, number: u32, value: &Value) {
    if let Some(text) = value.as_str() {
        add_bytes(bytes, number, text.as_bytes());
    }
    for text in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
        add_bytes(bytes, number, text.as_bytes());
    }
}

fn add_varint(bytes: &mut Vec<u8>, number: u32, value: u64) {
    varint(bytes, u64::from(number << 3 | VARINT));
    varint(bytes, value);
}

fn add_float(bytes: &mut Vec<u8>, number: u32, value: f64) {
    varint(bytes, u64::from(number << 3 | FIXED_64));
    bytes.extend(value.to_le_bytes());
}

/// Objects and lists have no place in it and are left out.
fn add_plain(bytes: &mut Vec<u8>, number: u32, value: &Value) {
    let mut inside = Vec::new();
    match value {
        Value::Number(float) => add_float(&mut inside, 1, float.as_f64().unwrap_or_default()),
        Value::Bool(bool) => add_varint(&mut inside, 2, u64::from(*bool)),
        Value::String(text) => add_bytes(&mut inside, 3, text.as_bytes()),
        _ => return,
    }
    add_bytes(bytes, number, &inside);
}

/// Gnostic's form of any value: its YAML. JSON is YAML.
fn any(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    add_bytes(&mut bytes, 2, format!("{value}\n").as_bytes());
    bytes
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static INNER: Message = Message {
        members: &[("on", 1, Kind::Bool), ("size", 2, Kind::Integer)],
        extensions: 9,
    };

    static OUTER: Message = Message {
        members: &[
            ("name", 1, Kind::Text),
            ("inner", 2, Kind::One(inside)),
            ("either", 3, Kind::OneOrBool(inner)),
            ("named", 4, Kind::Named(7, inner)),
        ],
        extensions: 5,
    };

    fn inner(_: &Value) -> (&'static [u32], &'static Message) {
        (&[], &INNER)
    }

    fn inside(_: &Value) -> (&'static [u32], &'static Message) {
        (&[3], &INNER)
    }

    #[test]
    fn values_are_written_as_the_table_says() {
        let cases: &[(Value, &[u8])] = &[
            (json!({}), b""),
            (json!({"name": "ab", "unknown": 1}), b"\x0a\x02ab"),
            (
                json!({"inner": {"on": true, "size": 300}}),
                b"\x12\x07\x1a\x05\x08\x01\x10\xac\x02",
            ),
            (json!({"either": true}), b"\x1a\x02\x10\x01"),
            (json!({"either": {"on": true}}), b"\x1a\x04\x0a\x02\x08\x01"),
            (
                json!({"named": {"x": {"on": false}}}),
                b"\x22\x07\x3a\x05\x0a\x01x\x12\x00",
            ),
            (json!({"x-a": [1]}), b"\x2a\x0d\x0a\x03x-a\x12\x06\x12\x04[1]\n"),
        ];
        for (value, bytes) in cases {
            assert_eq!(encode(&OUTER, value), *bytes, "{value}");
        }
    }
}
