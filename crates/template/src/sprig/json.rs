//! The JSON functions.

use crate::func::{FuncError, FuncResult, Host};
use crate::json::{self, Part};
use crate::limits::JSON_DEPTH;
use crate::sprig::args::{any, string, text};
use crate::value::{JsonStyle, Str, Value};

pub(super) fn from_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(decode(text(args, 0)).unwrap_or(Value::Nil))
}

pub(super) fn must_from_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    decode(text(args, 0))
}

pub(super) fn to_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    // The plain functions give an empty string where the twins fail.
    string(encode(any(args, 0), COMPACT).unwrap_or_default())
}

pub(super) fn must_to_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), COMPACT)?)
}

pub(super) fn to_pretty_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), PRETTY).unwrap_or_default())
}

pub(super) fn must_to_pretty_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), PRETTY)?)
}

/// Fails like its twin: sprig panics here, which the executor reports as an error.
pub(super) fn to_raw_json(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode(any(args, 0), RAW)?)
}

/// `json.Marshal`.
const COMPACT: JsonStyle = JsonStyle {
    escape_html: true,
    pretty: false,
};
/// `json.MarshalIndent(v, "", "  ")`.
const PRETTY: JsonStyle = JsonStyle {
    escape_html: true,
    pretty: true,
};
/// An encoder with `SetEscapeHTML(false)`.
const RAW: JsonStyle = JsonStyle {
    escape_html: false,
    pretty: false,
};

fn encode(value: &Value, style: JsonStyle) -> Result<String, FuncError> {
    value
        .to_json_text(style)
        .map_err(|e| FuncError::new(e.to_string()))
}

/// Decodes JSON as `json.Unmarshal` does into `interface {}`: every number is a `float64`.
pub fn decode(source: &[u8]) -> FuncResult {
    json::read(source, JSON_DEPTH, &mut build).map_err(|e| FuncError::new(e.message))
}

fn build(part: Part<'_, Value>) -> Result<Value, String> {
    Ok(match part {
        Part::Null => Value::Nil,
        Part::Bool(b) => Value::Bool(b),
        Part::Number(number) => Value::Float(json::float64(number)?),
        Part::String(text) => Value::Str(Str::from(text)),
        Part::Array(items) => Value::list(items),
        Part::Object(entries) => Value::map(entries),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(source: &str) -> Result<String, String> {
        let value = decode(source.as_bytes()).map_err(|e| e.message)?;
        encode(&value, COMPACT).map_err(|e| e.message)
    }

    #[test]
    fn numbers_and_escapes_are_gos() {
        let cases = [
            ("1e21", "1e+21"),
            ("100000000000000000000", "100000000000000000000"),
            ("0.0000001", "1e-7"),
            ("-0", "-0"),
            (
                r#""<a>\u2028\ud83d\ude00\ud800""#,
                "\"\\u003ca\\u003e\\u2028😀\u{FFFD}\"",
            ),
            (r#"{"b":[],"a":{}}"#, r#"{"a":{},"b":[]}"#),
        ];
        for (source, want) in cases {
            assert_eq!(again(source).as_deref(), Ok(want), "{source}");
        }
    }
}
