//! Sources and values to trees.

use crate::compose::{Composer, Document};
use crate::error::Error;
use crate::node::{Node, Style};
use crate::number::shortest;
use crate::read::read;
use crate::scan::Flavour;
use serde_json::Value;

/// All documents of a source, as their root nodes, with comments where go-yaml v3 puts them.
///
/// The comments of a document as a whole are part of its root node's: at the top they are its head, followed by a blank
/// line; at the bottom they are its foot, set apart by a
/// blank line where it is no block collection.
pub fn parse(source: &[u8]) -> Result<Vec<Node>, Error> {
    let text = read(source)?;
    let mut composer = Composer::new(&text, Flavour::V3);
    let mut roots = Vec::new();
    while let Some(document) = composer.next_document()? {
        roots.push(root_of(document));
    }
    Ok(roots)
}

fn root_of(document: Document<'_>) -> Node {
    let mut root = document.root.into_node();
    if !document.head_comment.is_empty() {
        root.head_comment = format!("{}\n\n{}", document.head_comment, root.head_comment);
    }
    if !document.foot_comment.is_empty() {
        let is_block = root.style != Style::Flow && (root.is_mapping() || root.is_sequence());
        root.foot_comment = match root.foot_comment.as_str() {
            _ if is_block => document.foot_comment,
            "" => format!("\n{}", document.foot_comment),
            own => format!("{own}\n\n{}", document.foot_comment),
        };
    }
    root
}

/// A value as a tree in block style; keys in the order of the map.
pub fn json_to_node(value: &Value) -> Node {
    match value {
        Value::Null => Node::null(),
        Value::Bool(b) => Node::scalar(b.to_string()),
        Value::Number(number) => Node::scalar(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (None, None, Some(float)) => shortest(float),
            _ => number.to_string(),
        }),
        Value::String(text) => string_node(text),
        Value::Array(items) => Node::sequence(items.iter().map(json_to_node).collect()),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (string_node(key), json_to_node(value)));
            Node::mapping(entries.collect())
        }
    }
}

fn string_node(text: &str) -> Node {
    let mut node = Node::string(text);
    if text.contains('\n') {
        node.style = Style::Literal;
    }
    node
}
