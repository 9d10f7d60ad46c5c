//! Values as JSON, as Go's `encoding/json` writes it.

use super::{Value, inspect};
use crate::encoding::encode_base64;
use crate::fmt::{Layout, format_float};
use crate::limits::VALUE_DEPTH;
use crate::stack::deeper;
use crate::unicode;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonStyle {
    /// Write `<`, `>` and `&` as `\u003c`, `\u003e` and `\u0026`, as Go does unless told otherwise.
    pub escape_html: bool,
    /// Two spaces for each level and a member a line.
    pub pretty: bool,
}

/// Why a value has no JSON; its text is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// An infinity or something that is not a number.
    #[error("json: unsupported value: {0}")]
    Number(String),
    /// A complex number.
    #[error("json: unsupported type: {0}")]
    Type(String),
    /// It contains itself.
    #[error("json: unsupported value: encountered a cycle via {0}")]
    Cycle(String),
}

impl Value {
    /// The value as JSON text, without a newline at the end.
    pub fn to_json_text(&self, style: JsonStyle) -> Result<String, JsonError> {
        let mut writer = Writer {
            out: String::new(),
            style,
            depth: 0,
        };
        writer.value(self)?;
        Ok(writer.out)
    }

    /// The value as a JSON tree. Integral floats become integers, as they look in JSON text.
    pub fn to_json(&self) -> Result<serde_json::Value, JsonError> {
        tree(self, 0)
    }
}

/// Appends a string in quotes.
pub fn push_json_string(out: &mut String, text: &[u8], escape_html: bool) {
    out.push('"');
    for (_, c, length) in unicode::chars(text) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' if escape_html => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            '\0'..' ' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            unicode::REPLACEMENT if length == 1 => out.push_str("\\ufffd"),
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Writer {
    out: String,
    style: JsonStyle,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), JsonError> {
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Value::Int(n, _) => self.out.push_str(&n.to_string()),
            Value::Uint(n, _) => self.out.push_str(&n.to_string()),
            Value::Float(n) => self.out.push_str(&float(*n)?),
            Value::Complex(..) => return Err(JsonError::Type("complex128".to_owned())),
            Value::Str(s) => push_json_string(&mut self.out, s.as_bytes(), self.style.escape_html),
            Value::Bytes(bytes) => push_json_string(&mut self.out, encode_base64(bytes).as_bytes(), false),
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::Map(map) if map.is_nil() => self.out.push_str("null"),
            Value::List(list) => {
                let items = list.items();
                self.container(value, '[', ']', items.len(), |writer, at| {
                    writer.value(&items[at])
                })?;
            }
            Value::Map(map) => {
                let entries = map.entries();
                let mut entries_in_order = entries.iter();
                self.container(value, '{', '}', entries.len(), |writer, _| {
                    let Some((key, value)) = entries_in_order.next() else {
                        return Ok(());
                    };
                    push_json_string(&mut writer.out, key.as_bytes(), writer.style.escape_html);
                    writer.out.push_str(if writer.style.pretty { ": " } else { ":" });
                    writer.value(value)
                })?;
            }
            Value::Object(object) => match inspect::underlying(object) {
                Some(value) => self.value(&value)?,
                None => self.tree(&object.to_json())?,
            },
        }
        Ok(())
    }

    /// A JSON tree that an object gave.
    fn tree(&mut self, json: &serde_json::Value) -> Result<(), JsonError> {
        self.value(&Value::from_json_integers(json))
    }

    fn container(
        &mut self,
        value: &Value,
        open: char,
        close: char,
        count: usize,
        mut member: impl FnMut(&mut Writer, usize) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.depth >= VALUE_DEPTH {
            return Err(JsonError::Cycle(value.type_name().into_owned()));
        }
        self.out.push(open);
        self.depth += 1;
        for at in 0..count {
            if at > 0 {
                self.out.push(',');
            }
            self.line();
            deeper(|| member(self, at))?;
        }
        self.depth -= 1;
        if count > 0 {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.style.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

/// A float as JSON: digits alone between 1e-6 and 1e21, and an exponent without a leading zero elsewhere.
fn float(value: f64) -> Result<String, JsonError> {
    if !value.is_finite() {
        let text = format_float(value, Layout::General, None);
        return Err(JsonError::Number(text));
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Ok(format_float(value, Layout::Fixed, None));
    }
    let text = format_float(value, Layout::Exponent, None);
    Ok(match text.split_once("e-0") {
        Some((mantissa, exponent)) => format!("{mantissa}e-{exponent}"),
        None => text,
    })
}

fn tree(value: &Value, depth: usize) -> Result<serde_json::Value, JsonError> {
    if depth > VALUE_DEPTH {
        return Err(JsonError::Cycle(value.type_name().into_owned()));
    }
    let text = |bytes: &[u8]| serde_json::Value::String(lossy(bytes));
    Ok(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(n, _) => (*n).into(),
        Value::Uint(n, _) => (*n).into(),
        Value::Float(n) => number(*n)?,
        Value::Complex(..) => return Err(JsonError::Type("complex128".to_owned())),
        Value::Str(s) => text(s.as_bytes()),
        Value::Bytes(bytes) => serde_json::Value::String(encode_base64(bytes)),
        Value::List(list) if list.is_nil() => serde_json::Value::Null,
        Value::Map(map) if map.is_nil() => serde_json::Value::Null,
        Value::List(list) => {
            let items = list.items();
            deeper(|| {
                items
                    .iter()
                    .map(|item| tree(item, depth + 1))
                    .collect::<Result<_, _>>()
            })
            .map(serde_json::Value::Array)?
        }
        Value::Map(map) => {
            let entries = map.entries();
            deeper(|| {
                let member = |(key, value): (&super::Str, &Value)| {
                    Ok((lossy(key.as_bytes()), tree(value, depth + 1)?))
                };
                entries.iter().map(member).collect::<Result<_, _>>()
            })
            .map(serde_json::Value::Object)?
        }
        Value::Object(object) => match inspect::underlying(object) {
            Some(value) => tree(&value, depth)?,
            None => object.to_json(),
        },
    })
}

fn number(value: f64) -> Result<serde_json::Value, JsonError> {
    const EXACT_END: f64 = 9_007_199_254_740_992.0;
    const INT_END: f64 = 9_223_372_036_854_775_808.0;
    const UINT_END: f64 = 18_446_744_073_709_551_616.0;
    if value.trunc() == value && (-EXACT_END..EXACT_END).contains(&value) {
        return Ok((value as i64).into());
    }
    // Beyond that, the text has the shortest digits that read back as the same float, then zeros.
    if value.trunc() == value && (-INT_END..UINT_END).contains(&value) {
        let text = format!("{value}");
        if let Some(number) = text
            .parse::<i64>()
            .ok()
            .map(Into::into)
            .or_else(|| text.parse::<u64>().ok().map(Into::into))
        {
            return Ok(number);
        }
    }
    match serde_json::Number::from_f64(value) {
        Some(number) => Ok(number.into()),
        None => Err(JsonError::Number(format_float(value, Layout::General, None))),
    }
}

fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    unicode::push_lossy(&mut text, bytes);
    text
}
