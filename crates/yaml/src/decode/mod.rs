//! Trees to JSON values, in a dialect.

mod base64;
mod go_syntax;
mod reader;
mod targets;

use crate::compose::Composer;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::node::Node;
use crate::read::read;
use crate::scan::Flavour;
use crate::simple;
use reader::Reader;
use serde_json::Value;

/// The first document of a source as JSON, as sigs.k8s.io/yaml's `YAMLToJSON` and `Unmarshal` give it: keys are
/// strings, integers stay integers, an empty source is null.
///
/// Two equal keys: in [`Dialect::GoYaml11`] the last one wins, as Helm has it; the other dialects refuse them.
pub fn to_json(source: &[u8], dialect: Dialect) -> Result<Value, Error> {
    simple_or_parsed(source, dialect, None)
}

/// [`to_json`] for a reader of a few entries of the outermost mapping: those with keys in `keys`, in letters of any case,
/// are there; others may be left out. All of the document is checked.
pub fn some_to_json(source: &[u8], dialect: Dialect, keys: &[&str]) -> Result<Value, Error> {
    simple_or_parsed(source, dialect, Some(keys))
}

fn simple_or_parsed(source: &[u8], dialect: Dialect, keys: Option<&[&str]>) -> Result<Value, Error> {
    let simple = match dialect {
        Dialect::GoYaml11 => simple::read(source, keys),
        _ => None,
    };
    match simple {
        Some(value) => Ok(value),
        None => to_json_by_parser(source, dialect, dialect != Dialect::GoYaml11),
    }
}

/// [`to_json`], but refusing two equal keys in every dialect, as `UnmarshalStrict` does.
pub fn to_json_strict(source: &[u8], dialect: Dialect) -> Result<Value, Error> {
    to_json_by_parser(source, dialect, true)
}

/// By tokens and a tree, whatever the source is.
pub(crate) fn to_json_by_parser(source: &[u8], dialect: Dialect, strict: bool) -> Result<Value, Error> {
    let flavour = match dialect {
        Dialect::GoYaml11 => Flavour::V2,
        Dialect::GoYaml3 | Dialect::Core12 => Flavour::V3,
    };
    let text = read(source)?;
    let document = Composer::new(&text, flavour).next_document()?;
    match document {
        Some(document) => Reader::new(&document.root, dialect, strict).read(),
        None => Ok(Value::Null),
    }
}

/// A tree as JSON. Aliases are expanded within bounds; equal keys as in [`to_json`].
pub fn node_to_json(node: &Node, dialect: Dialect) -> Result<Value, Error> {
    Reader::new(node, dialect, dialect != Dialect::GoYaml11).read()
}
