//! JSON text to [`serde_json::Value`] with the errors of Go's `encoding/json`, as `fromJson` and `lint` show them.

use deploy_template::json::{self, Part, SyntaxError};
use serde_json::{Number, Value};

use crate::limits::JSON_DEPTH;

/// Reads one value and nothing behind it.
pub fn parse(text: &[u8]) -> Result<Value, SyntaxError> {
    json::read(text, JSON_DEPTH, &mut build)
}

/// Reads the value at the start of a text; with it, how many bytes it takes. `None` if there is nothing but blanks.
pub fn parse_first(text: &[u8]) -> Result<Option<(Value, usize)>, SyntaxError> {
    json::read_first(text, JSON_DEPTH, &mut build)
}

/// The name that Go's errors give to a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn build(part: Part<'_, Value>) -> Result<Value, String> {
    Ok(match part {
        Part::Null => Value::Null,
        Part::Bool(b) => Value::Bool(b),
        Part::Number(text) => Value::Number(number(text)?),
        Part::String(text) => Value::String(text),
        Part::Array(items) => Value::Array(items),
        Part::Object(entries) => Value::Object(entries.into_iter().collect()),
    })
}

/// Integers stay integers as far as an `i64` holds them.
fn number(text: &str) -> Result<Number, String> {
    match text.parse::<i64>() {
        Ok(integer) => Ok(integer.into()),
        Err(_) => Ok(Number::from_f64(json::float64(text)?).expect("float64 refuses what is not finite")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values() {
        for text in [
            "null",
            " [1, -2.5, 1e3, 9223372036854775808.0, true, \"a\\u00e9\"] ",
            "{\"a\": {\"b\": []}, \"c\": {}}",
        ] {
            let expected: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
        assert!(parse("[".repeat(200_000).as_bytes()).is_err());
    }
}
