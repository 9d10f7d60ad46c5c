//! Values to TOML as BurntSushi/toml writes it, and TOML to values.

use std::fmt::Write as _;

use deploy_template::value::{Str, Value};
use toml::de::{DeTable, DeValue};

/// Why a value cannot be written, in the library's words.
pub type EncodeError = String;

/// One document. Keys are sorted, plain ones before tables; tables are indented by two spaces a level.
pub fn encode(value: &Value) -> Result<String, EncodeError> {
    let mut encoder = Encoder { out: String::new() };
    encoder.encode(&mut Vec::new(), value)?;
    Ok(encoder.out)
}

struct Encoder {
    out: String,
}

impl Encoder {
    fn encode(&mut self, path: &mut Vec<String>, value: &Value) -> Result<(), EncodeError> {
        if let Some(tables) = tables_of(value)? {
            return self.array_of_tables(path, &tables);
        }
        match value {
            Value::Nil => Ok(()),
            Value::Map(map) => {
                if path.len() == 1 {
                    self.blank_line();
                }
                if !path.is_empty() {
                    self.indent(path);
                    writeln!(self.out, "[{}]", joined(path)).expect("writing to a string cannot fail");
                }
                self.entries(path, &map.entries().clone().into_iter().collect::<Vec<_>>())
            }
            value => self.key_value(path, value),
        }
    }

    fn array_of_tables(&mut self, path: &mut Vec<String>, tables: &[Value]) -> Result<(), EncodeError> {
        if path.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        for table in tables {
            let Value::Map(map) = table else { continue };
            self.blank_line();
            self.indent(path);
            writeln!(self.out, "[[{}]]", joined(path)).expect("writing to a string cannot fail");
            self.entries(path, &map.entries().clone().into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn entries(&mut self, path: &mut Vec<String>, entries: &[(Str, Value)]) -> Result<(), EncodeError> {
        for tables in [false, true] {
            for (key, value) in entries {
                if is_table(value)? == tables {
                    path.push(key.to_str().into_owned());
                    self.encode(path, value)?;
                    path.pop();
                }
            }
        }
        Ok(())
    }

    fn key_value(&mut self, path: &[String], value: &Value) -> Result<(), EncodeError> {
        let Some(key) = path.last() else {
            return self.element(value);
        };
        self.indent(path);
        self.out.push_str(&quoted_if_needed(key));
        self.out.push_str(" = ");
        self.element(value)?;
        self.out.push('\n');
        Ok(())
    }

    fn element(&mut self, value: &Value) -> Result<(), EncodeError> {
        match value {
            Value::Str(text) => self.out.push_str(&quoted(&text.to_str())),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(number, _) => self.out.push_str(&number.to_string()),
            Value::Uint(number, _) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::List(list) => {
                self.out.push('[');
                for (i, item) in list.items().iter().enumerate() {
                    if i > 0 {
                        self.out.push_str(", ");
                    }
                    self.element(item)?;
                }
                self.out.push(']');
            }
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
                write!(self.out, "[{}]", items.join(", ")).expect("writing to a string cannot fail");
            }
            Value::Map(map) => {
                let entries: Vec<(Str, Value)> = map.entries().clone().into_iter().collect();
                self.inline_table(&entries)?;
            }
            Value::Object(object) => self.out.push_str(&quoted(&object.display())),
            Value::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
            Value::Complex(..) => return Err("unsupported type: complex128".to_owned()),
        }
        Ok(())
    }

    fn inline_table(&mut self, entries: &[(Str, Value)]) -> Result<(), EncodeError> {
        self.out.push('{');
        let mut first = true;
        for tables in [false, true] {
            for (key, value) in entries {
                if matches!(value, Value::Nil) || is_table(value)? != tables {
                    continue;
                }
                if !first {
                    self.out.push_str(", ");
                }
                first = false;
                self.out.push_str(&quoted_if_needed(&key.to_str()));
                self.out.push_str(" = ");
                self.element(value)?;
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, path: &[String]) {
        for _ in 1..path.len() {
            self.out.push_str("  ");
        }
    }
}

/// The items of a list of maps only; such a list is written as `[[tables]]`.
fn tables_of(value: &Value) -> Result<Option<Vec<Value>>, EncodeError> {
    let Value::List(list) = value else {
        return Ok(None);
    };
    let items = list.items();
    if items.iter().any(|item| matches!(item, Value::Nil)) {
        return Err("toml: cannot encode array with nil element".to_owned());
    }
    let all = !items.is_empty() && items.iter().all(|item| matches!(item, Value::Map(_)));
    Ok(all.then(|| items.clone()))
}

fn is_table(value: &Value) -> Result<bool, EncodeError> {
    Ok(matches!(value, Value::Map(_)) || tables_of(value)?.is_some())
}

fn joined(path: &[String]) -> String {
    let parts: Vec<String> = path.iter().map(|key| quoted_if_needed(key)).collect();
    parts.join(".")
}

fn quoted_if_needed(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' || c == '\u{7f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = deploy_template::fmt::float_g(number);
    if text.contains(['e', '.']) {
        text
    } else {
        text + ".0"
    }
}

/// Reads a document: integers as `int64`, floats as `float64`, times as text.
pub fn decode(text: &str) -> Result<Value, String> {
    match DeTable::parse(text) {
        Ok(table) => Ok(table_value(table.get_ref())),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = 1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
            // The most frequent mistake, text that is no TOML at all, has the words of helm's library.
            let message = match text.get(at..).map(str::trim_start) {
                Some(rest) if error.message().starts_with("key with no value") => {
                    let behind =
                        rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    match behind.trim_start_matches([' ', '\t']).chars().next() {
                        None => "unexpected EOF; expected key separator '='".to_owned(),
                        Some(c) => format!("expected key separator '=', but got {c:?} instead"),
                    }
                }
                _ => error.message().to_owned(),
            };
            Err(format!("toml: line {line}: {message}"))
        }
    }
}

fn table_value(table: &DeTable<'_>) -> Value {
    Value::map(
        table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), toml_value(value.get_ref()))),
    )
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::str(text.as_ref()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::int64(number),
            Err(_) => Value::Nil,
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::str(time.to_string()),
        DeValue::Array(items) => Value::list(items.iter().map(|item| toml_value(item.get_ref())).collect()),
        DeValue::Table(table) => table_value(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_tables_behind_plain_keys() {
        let table = Value::map([
            ("a", Value::int(1)),
            (
                "b",
                Value::map([
                    ("c", Value::Float(2.0)),
                    ("d", Value::list(vec![Value::map([("x", Value::Bool(true))])])),
                ]),
            ),
            ("e", Value::list(vec![Value::int(1), Value::str("two\n")])),
            ("odd key", Value::Nil),
        ]);
        assert_eq!(
            encode(&table).as_deref(),
            Ok("a = 1\ne = [1, \"two\\n\"]\n\n[b]\n  c = 2.0\n\n  [[b.d]]\n    x = true\n")
        );
        assert!(encode(&Value::list(vec![Value::Nil])).is_err());
    }

    #[test]
    fn reads_what_it_writes() {
        let text = "a = 1\nb = 1.5\nc = \"x\"\n\n[d]\n  e = [1, 2]\n";
        let value = decode(text).expect("TOML");
        assert_eq!(encode(&value).as_deref(), Ok(text));
        assert!(decode("a = ").is_err_and(|error| error.starts_with("toml: line 1")));
    }
}
