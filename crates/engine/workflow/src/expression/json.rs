//! JSON in expressions: names keep their order, which serde_json's map does not.

use super::number::print_number;
use super::value::{Object, Value};
use crate::limits::MAX_JSON_DEPTH;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Why a text is no JSON: the parser's words, with line and column.
pub type JsonError = serde_json::Error;

/// A value as `toJSON` writes it: two blanks of indentation, nothing within empty brackets.
pub fn to_json(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&print_number(*number)),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => block(out, depth, ['[', ']'], items.iter(), |item, out| {
            write(item, depth + 1, out);
        }),
        Value::Object(object) => block(out, depth, ['{', '}'], object.iter(), |(name, value), out| {
            out.push_str(&quoted(name));
            out.push_str(": ");
            write(value, depth + 1, out);
        }),
    }
}

fn block<T>(
    out: &mut String,
    depth: usize,
    brackets: [char; 2],
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(T, &mut String),
) {
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    out.push(brackets[0]);
    let mut any = false;
    for item in items {
        if any {
            out.push(',');
        }
        any = true;
        indent(out, depth + 1);
        write_item(item, out);
    }
    if any {
        indent(out, depth);
    }
    out.push(brackets[1]);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The value of a JSON text.
pub fn from_json(text: &str) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Seed(0).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Makes values, at a depth.
struct Seed(usize);

impl Seed {
    fn inner<E: serde::de::Error>(&self) -> Result<usize, E> {
        match self.0 < MAX_JSON_DEPTH {
            true => Ok(self.0 + 1),
            false => Err(E::custom("too deeply nested")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let depth = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(Seed(depth))? {
            items.push(item);
        }
        Ok(Value::array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let depth = self.inner::<A::Error>()?;
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            entries.push((name, map.next_value_seed(Seed(depth))?));
        }
        Ok(Object::of(entries).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order() {
        let text = "{\n  \"b\": 1,\n  \"a\": [\n    {}\n  ]\n}";
        assert_eq!(to_json(&from_json(text).unwrap()), text);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "[1,]", "nul", "1 2", &"[".repeat(10_000)] {
            assert!(from_json(text).is_err(), "{text}");
        }
    }
}
