//! Trees and values to text, byte for byte as the encoders write it that users of Helm and kustomize see.

mod analysis;
mod order;
mod tree;
mod value;
mod writer;

use crate::error::{Error, ErrorKind};
use crate::node::{Node, Position};
use serde_json::Value;
use writer::Layout;

/// What `toYaml` prints: sigs.k8s.io/yaml's `Marshal`, which writes JSON and lets go-yaml v2 rewrite it. Ends with a
/// newline. Keys are in natural order, lists are not indented below their key, lines are folded at column 80.
///
/// A value that JSON carries but YAML refuses to read gives the empty string, as `toYaml` does; use
/// [`try_emit_sigs`] to learn why.
pub fn emit_sigs(value: &Value) -> String {
    try_emit_sigs(value).unwrap_or_default()
}

/// [`emit_sigs`], with the error of values that go-yaml v2 cannot read as JSON: control characters, keys longer than
/// 1,024 characters.
pub fn try_emit_sigs(value: &Value) -> Result<String, Error> {
    check_readable(value, 0)?;
    let layout = Layout {
        indent: 2,
        width: 80,
        v3: false,
        compact: false,
    };
    Ok(value::emit(value, layout))
}

/// What `toYamlPretty` prints: go-yaml v3's encoder, with `indent` spaces (2 to 9, else 2) for each level, lists
/// included. Ends with a newline. Lines are not folded; doubles are written as Go writes them (`1e+06`).
pub fn emit_v3(value: &Value, indent: usize) -> String {
    let layout = Layout {
        indent: indent_or_default(indent),
        width: usize::MAX >> 1,
        v3: true,
        compact: false,
    };
    value::emit(value, layout)
}

/// How lists in mappings are indented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SequenceStyle {
    /// Below their key.
    #[default]
    Compact,
    /// One level deeper.
    Wide,
}

/// One document as kyaml's encoder writes it: styles, order and comments kept, two spaces for each level, lists not
/// indented, lines not folded. Ends with a newline.
///
/// `kustomize build` does not print this: it goes through JSON, and prints [`emit_sigs`] of [`crate::node_to_json`]
/// with [`crate::Dialect::GoYaml3`].
pub fn emit_kyaml(node: &Node) -> String {
    emit_kyaml_with(node, SequenceStyle::Compact)
}

/// [`emit_kyaml`] with a choice for lists.
pub fn emit_kyaml_with(node: &Node, sequences: SequenceStyle) -> String {
    let layout = Layout {
        indent: 2,
        width: usize::MAX >> 1,
        v3: true,
        compact: sequences == SequenceStyle::Compact,
    };
    tree::emit(node, layout)
}

fn indent_or_default(indent: usize) -> i64 {
    match indent {
        2..=9 => indent as i64,
        _ => 2,
    }
}

/// Refuses what go-yaml v2 would refuse when it reads the JSON of this value.
fn check_readable(value: &Value, depth: usize) -> Result<(), Error> {
    let refuse = |kind, message| Err(Error::at(kind, Position::default(), message));
    if depth > crate::limits::MAX_DEPTH {
        return refuse(ErrorKind::Limit, "exceeded max depth");
    }
    let readable = |text: &str| text.bytes().all(|b| b < 0x7F) || !text.contains(is_unreadable);
    match value {
        Value::String(text) if !readable(text) => {
            refuse(ErrorKind::Encoding, "control characters are not allowed")
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_readable(item, depth + 1)),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            if !readable(key) {
                return refuse(ErrorKind::Encoding, "control characters are not allowed");
            }
            // NEL breaks the line, and a key may not.
            if key.contains('\u{85}')
                || key.len() > 160 && json_chars(key) > crate::limits::MAX_SIMPLE_KEY_CHARS as usize
            {
                return refuse(ErrorKind::Syntax, "line 1: did not find expected ',' or '}'");
            }
            check_readable(value, depth + 1)
        }),
        _ => Ok(()),
    }
}

/// Characters that JSON text carries as they are and YAML does not allow.
fn is_unreadable(c: char) -> bool {
    matches!(c, '\x7F' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// How many characters a string takes in Go's JSON, quotes included.
fn json_chars(text: &str) -> usize {
    let width = |c| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\x08' | '\x0C' => 2,
        '\0'..='\x1F' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
        _ => 1,
    };
    2 + text.chars().map(width).sum::<usize>()
}
