//! JSON values as the encoders of go-yaml v2 and v3 write them.

use super::analysis::is_harmless;
use super::order::{KeyOrder, sort_by_key};
use super::writer::{Layout, Place, Writer};
use crate::dialect::Dialect;
use crate::node::Style;
use crate::number::{json_float, shortest};
use crate::resolve::{Resolved, is_base60, old_bool, resolve};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// A value as a document.
pub(super) fn emit(value: &Value, layout: Layout) -> String {
    let mut emitter = Emitter {
        writer: Writer::new(layout, 1024),
    };
    emitter.node(value, Place::Root);
    emitter.writer.indent = -1;
    emitter.writer.write_indent();
    emitter.writer.out
}

struct Emitter {
    writer: Writer,
}

impl Emitter {
    fn node(&mut self, value: &Value, place: Place) {
        match value {
            Value::Null => self.writer.flow_scalar("null", Style::Plain, place),
            Value::Bool(true) => self.writer.flow_scalar("true", Style::Plain, place),
            Value::Bool(false) => self.writer.flow_scalar("false", Style::Plain, place),
            Value::Number(number) => {
                let text = self.number(number);
                self.writer.flow_scalar(&text, Style::Plain, place);
            }
            Value::String(text) => self.string(text, place),
            Value::Array(items) if items.is_empty() => self.empty("[", "]"),
            Value::Array(items) => self.sequence(items, place),
            Value::Object(map) if map.is_empty() => self.empty("{", "}"),
            Value::Object(map) => self.mapping(map, place),
        }
    }

    fn number(&self, number: &Number) -> String {
        match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), ..) => int.to_string(),
            (_, Some(int), _) => int.to_string(),
            // v2 comes by its values through JSON, where 1e6 is 1000000; v3 is given the double itself.
            (.., Some(float)) if self.writer.layout.v3 => shortest(float),
            (.., Some(float)) => json_float(float),
            _ => number.to_string(),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.writer.indicator(open, true, true, false);
        self.writer.indicator(close, false, false, false);
    }

    fn sequence(&mut self, items: &[Value], place: Place) {
        let before = self.writer.indent;
        self.writer.enter_block_sequence(place);
        for item in items {
            self.writer.write_indent();
            self.writer.indicator("-", true, false, true);
            self.node(item, Place::BlockItem);
        }
        self.writer.indent = before;
    }

    fn mapping(&mut self, map: &Map<String, Value>, place: Place) {
        let before = self.writer.deeper(place, false, false);
        let order = match self.writer.layout.v3 {
            true => KeyOrder::V3,
            false => KeyOrder::V2,
        };
        let mut entries: Vec<(&str, &Value)> = map.iter().map(|(k, v)| (k.as_str(), v)).collect();
        sort_by_key(&mut entries, order);
        for (key, value) in entries {
            self.writer.write_indent();
            if self.writer.fits_simple_key(key, 0) {
                self.string(key, Place::SimpleKey);
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, true);
                self.string(key, Place::Key);
                self.writer.write_indent();
                self.writer.indicator(":", true, false, true);
            }
            self.node(value, Place::Value);
        }
        self.writer.indent = before;
    }

    fn string(&mut self, text: &str, place: Place) {
        if is_harmless(text) && !self.means_something_else(text) {
            return self.writer.flow_scalar(text, Style::Plain, place);
        }
        let text = match self.writer.layout.v3 {
            true => Cow::Borrowed(text),
            false => as_read_from_json(text),
        };
        let style = if text.contains('\n') {
            Style::Literal
        } else if self.means_something_else(&text) {
            Style::DoubleQuoted
        } else {
            Style::Plain
        };
        match self.writer.style_for(&text, style, place) {
            Style::Literal => self.literal(&text, place),
            style => self.writer.flow_scalar(&text, style, place),
        }
    }

    fn literal(&mut self, text: &str, place: Place) {
        let before = self.writer.deeper(place, true, false);
        self.writer.indicator("|", true, false, false);
        self.writer.block_hints(text);
        self.writer.put_break();
        self.writer.literal_lines(text);
        self.writer.indent = before;
    }

    fn means_something_else(&self, text: &str) -> bool {
        let Some(first) = text.as_bytes().first() else {
            return true;
        };
        if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'a'..=b'z' | b'A'..=b'Z') {
            return false;
        }
        let dialect = match self.writer.layout.v3 {
            true => Dialect::GoYaml3,
            false => Dialect::GoYaml11,
        };
        let old_bool = self.writer.layout.v3 && text.len() <= 3 && old_bool(text).is_some();
        old_bool || resolve(text, dialect) != Resolved::Str || is_base60(text)
    }
}

/// sigs.k8s.io/yaml writes JSON and reads it as YAML, where NEL in a string is a line break, and folded.
fn as_read_from_json(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{85}') {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len());
    let mut parts = text.split('\u{85}').peekable();
    let mut breaks = 0usize;
    let mut first = true;
    while let Some(part) = parts.next() {
        // Only spaces are written as they are; a tab is an escape, and no blank.
        let part = if first { part } else { part.trim_start_matches(' ') };
        let last = parts.peek().is_none();
        let part = if last { part } else { part.trim_end_matches(' ') };
        if !first {
            breaks += 1;
        }
        first = false;
        if part.is_empty() && !last && breaks > 0 {
            continue;
        }
        match breaks {
            0 => {}
            1 => folded.push(' '),
            n => folded.extend(std::iter::repeat_n('\n', n - 1)),
        }
        breaks = 0;
        folded.push_str(part);
    }
    Cow::Owned(folded)
}
