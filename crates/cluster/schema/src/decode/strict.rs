//! What a strict decoder objects to: unknown and duplicate fields, with the path to each.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::node::Node;
use crate::limits::MAX_STRICT_FINDINGS;
use crate::types::{Schema, TypeId};

/// The path to where the decoder is, and what it found so far.
#[derive(Default)]
pub struct Strict {
    path: String,
    texts: Vec<String>,
    seen: HashSet<String>,
}

impl Strict {
    /// Goes into a field; the mark leads back.
    pub(super) fn enter_field(&mut self, name: &str) -> usize {
        let mark = self.path.len();
        if mark > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        mark
    }

    /// Goes into an item of a list.
    pub(super) fn enter_item(&mut self, place: usize) -> usize {
        let mark = self.path.len();
        write!(self.path, "[{place}]").expect("writing to a string cannot fail");
        mark
    }

    /// Goes back.
    pub(super) fn leave(&mut self, mark: usize) {
        self.path.truncate(mark);
    }

    /// Reports a field of a structure that has none of that name.
    pub(super) fn unknown(&mut self, name: &str) {
        self.report("unknown field", name);
    }

    /// Reports a field that stood before.
    pub(super) fn duplicate(&mut self, name: &str) {
        self.report("duplicate field", name);
    }

    fn report(&mut self, what: &str, name: &str) {
        if self.texts.len() >= MAX_STRICT_FINDINGS {
            return;
        }
        let mark = self.enter_field(name);
        let text = format!("{what} {}", quote(&self.path));
        self.leave(mark);
        if self.seen.insert(text.clone()) {
            self.texts.push(text);
        }
    }

    /// A value that has no type in Go.
    pub(super) fn untyped(&mut self, node: Node<'_>) -> Value {
        match node {
            Node::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (place, item) in items.into_iter().enumerate() {
                    let mark = self.enter_item(place);
                    values.push(self.untyped(item));
                    self.leave(mark);
                }
                Value::Array(values)
            }
            Node::Object(fields) => {
                let mut map = Map::new();
                for (name, field) in fields {
                    if map.contains_key(&*name) {
                        self.duplicate(&name);
                    }
                    let mark = self.enter_field(&name);
                    let value = self.untyped(field);
                    self.leave(mark);
                    map.insert(name.into_owned(), value);
                }
                Value::Object(map)
            }
            scalar => scalar.into_value(),
        }
    }

    /// All findings in order.
    pub(super) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// Removes unknown fields and tells them.
pub(super) fn prune(schema: &Schema, r#type: TypeId, value: &mut Value) -> Vec<String> {
    let mut strict = Strict::default();
    remove_unknown(&mut strict, schema, r#type, value);
    strict.into_texts()
}

fn remove_unknown(strict: &mut Strict, schema: &Schema, id: TypeId, value: &mut Value) {
    let r#type = schema.get(id);
    match value {
        Value::Array(items) => {
            let Some(list) = &r#type.list else { return };
            for (place, item) in items.iter_mut().enumerate() {
                let mark = strict.enter_item(place);
                remove_unknown(strict, schema, list.element.id, item);
                strict.leave(mark);
            }
        }
        Value::Object(fields) => {
            let Some(map) = &r#type.map else { return };
            fields.retain(|name, value| {
                let Some(id) = map.field(name).map(|f| f.r#type.id).or(map.element.map(|e| e.id)) else {
                    strict.unknown(name);
                    return false;
                };
                let mark = strict.enter_field(name);
                remove_unknown(strict, schema, id, value);
                strict.leave(mark);
                true
            });
        }
        _ => {}
    }
}

/// A text in Go's quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{b}' => quoted.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => {
                write!(quoted, "\\x{:02x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c if c.is_control() || c == '\u{feff}' || ('\u{2028}'..='\u{2029}').contains(&c) => {
                write!(quoted, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
