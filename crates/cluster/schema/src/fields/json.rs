//! FieldsV1: a set as JSON (structured-merge-diff `fieldpath/serialize.go`, `serialize-pe.go`).

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::element::Element;
use super::set::{Node, Set};

/// Why a text is no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is no JSON.
    #[error("{0}")]
    Json(String),
    /// A key of an object is no path element.
    #[error("parsing key as path element: {0}")]
    Element(String),
    /// A value is no object.
    #[error("expected a JSON object for {0:?}")]
    Shape(String),
}

impl Set {
    /// Reads the text of a set. Elements of a kind that is not known are left out.
    pub fn parse(text: &str) -> Result<Set, ParseError> {
        let value: Value = serde_json::from_str(text).map_err(|error| ParseError::Json(error.to_string()))?;
        Set::from_json(&value)
    }

    /// Reads a set from JSON. Elements of a kind that is not known are left out.
    pub fn from_json(value: &Value) -> Result<Set, ParseError> {
        match value {
            Value::Null => Ok(Set::default()),
            Value::Object(map) => Ok(read(map)?.children),
            _ => Err(ParseError::Shape(String::new())),
        }
    }

    /// The set as JSON.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        self.fill(&mut map);
        Value::Object(map)
    }

    /// The canonical text: elements in their order, `.` for a path that is in the set and has others below it.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(false, &mut out);
        out
    }

    fn fill(&self, map: &mut Map<String, Value>) {
        for node in self.nodes() {
            let mut below = Map::new();
            if node.member && !node.children.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            node.children.fill(&mut below);
            map.insert(element_key(&node.element), Value::Object(below));
        }
    }

    fn write(&self, member: bool, out: &mut String) {
        out.push('{');
        let mut separator = "";
        if member && !self.is_empty() {
            out.push_str("\".\":{}");
            separator = ",";
        }
        for node in self.nodes() {
            out.push_str(separator);
            separator = ",";
            write_string(&element_key(&node.element), false, out);
            out.push(':');
            node.children.write(node.member, out);
        }
        out.push('}');
    }
}

/// What a JSON object says: whether the path that leads to it is in the set, and the paths below it.
struct Read {
    member: bool,
    children: Set,
}

fn read(map: &Map<String, Value>) -> Result<Read, ParseError> {
    let mut member = false;
    let mut nodes = Vec::with_capacity(map.len());
    for (key, value) in map {
        if key == "." {
            member = true;
            continue;
        }
        let Some(element) = parse_element(key)? else {
            continue;
        };
        let below = match value {
            Value::Null => Read {
                member: true,
                children: Set::default(),
            },
            Value::Object(below) => read(below)?,
            _ => return Err(ParseError::Shape(key.clone())),
        };
        nodes.push(Node {
            element,
            member: below.member,
            children: below.children,
        });
    }
    let children = Set::from_nodes(nodes);
    Ok(Read {
        member: member || children.is_empty(),
        children,
    })
}

fn parse_element(key: &str) -> Result<Option<Element>, ParseError> {
    let fail = |why: String| ParseError::Element(why);
    let bytes = key.as_bytes();
    if bytes.len() < 2 {
        return Err(fail("key must be 2 characters long:".to_owned()));
    }
    if bytes[1] != b':' {
        return Err(fail(format!("missing colon: {key}")));
    }
    let rest = &key[2..];
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| fail(error.to_string()));
    Ok(match bytes[0] {
        b'f' => Some(Element::Field(rest.into())),
        b'v' => Some(Element::Value(json(rest)?)),
        b'k' => match json(rest)? {
            // A sorted map gives the fields in the order that keys have.
            Value::Object(fields) => Some(Element::Key(
                fields
                    .into_iter()
                    .map(|(name, value)| (Arc::from(name), value))
                    .collect(),
            )),
            other => return Err(fail(format!("expected an object of keys, got {other}"))),
        },
        b'i' => Some(Element::Index(
            rest.parse().map_err(|error| fail(format!("{error}")))?,
        )),
        _ => None,
    })
}

fn element_key(element: &Element) -> String {
    match element {
        Element::Field(name) => format!("f:{name}"),
        Element::Index(index) => format!("i:{index}"),
        Element::Value(value) => {
            let mut out = "v:".to_owned();
            write_value(value, &mut out);
            out
        }
        Element::Key(fields) => {
            let mut out = "k:{".to_owned();
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(name, false, &mut out);
                out.push(':');
                write_value(value, &mut out);
            }
            out.push('}');
            out
        }
    }
}

/// A value as Go's encoding/json writes it: HTML escaped, whole floats without a point.
pub(crate) fn go_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => write!(out, "{whole}").expect("writing to a string cannot fail"),
            None => write_float(number.as_f64().unwrap_or_default(), out),
        },
        Value::String(text) => write_string(text, true, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, true, out);
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
    }
}

/// As Go's encoding/json: an exponent below 1e-6 and from 1e21 on; a whole float has no point.
fn write_float(float: f64, out: &mut String) {
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        out.push_str(&if size < 1.0 { text } else { text.replace('e', "e+") });
    } else {
        write!(out, "{float}").expect("writing to a string cannot fail");
    }
}

/// A JSON string. Values inside an element escape HTML as Go does, names of elements do not.
fn write_string(text: &str, html: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => escape(c, out),
            c if (c as u32) < 0x20 => escape(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(c: char, out: &mut String) {
    write!(out, "\\u{:04x}", c as u32).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_texts_survive() {
        for text in [
            "{}",
            r#"{"f:a":{}}"#,
            r#"{"f:a":{".":{},"f:b":{}},"k:{\"name\":\"x\",\"port\":80}":{".":{},"f:name":{}},"v:1":{},"v:10":{},"v:\"a\"":{},"i:3":{}}"#,
            r#"{"v:3.14159":{},"v:\"\\u003c\"":{},"v:false":{},"v:null":{}}"#,
        ] {
            assert_eq!(Set::parse(text).expect(text).to_text(), text);
        }
    }

    #[test]
    fn order_floats_and_unknown_elements_are_made_canonical() {
        let text = r#"{"v:10":{},"v:9.0":{},"x:later":{},"f:b":{"f:c":{},".":{}},"f:a":null}"#;
        assert_eq!(
            Set::parse(text).expect(text).to_text(),
            r#"{"f:a":{},"f:b":{".":{},"f:c":{}},"v:9":{},"v:10":{}}"#
        );
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for (text, want) in [
            (
                r#"{"f":{}}"#,
                "parsing key as path element: key must be 2 characters long:",
            ),
            (r#"{"fa":{}}"#, "parsing key as path element: missing colon: fa"),
            (r#"{"f:a":1}"#, "expected a JSON object for \"f:a\""),
        ] {
            assert_eq!(Set::parse(text).expect_err(text).to_string(), want);
        }
        assert!(matches!(Set::parse("{"), Err(ParseError::Json(_))));
        assert!(matches!(Set::parse(r#"{"i:x":{}}"#), Err(ParseError::Element(_))));
        assert!(matches!(
            Set::parse(r#"{"k:[]":{}}"#),
            Err(ParseError::Element(_))
        ));
    }
}
