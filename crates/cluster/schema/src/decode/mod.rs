//! From the text of a request to an object as Go would hold it, and the texts of what is wrong with it.
//!
//! [`parse`] reads JSON into a [`Node`], which keeps the order of fields and all duplicates. [`typed`] decodes a node into
//! the object that Go's encoder would write back: unknown fields gone, quantities and times canonical, fields left out or
//! written with their zero value as the tags of Go's structures say. It also tells what a strict decoder objects to, in the
//! order of the document. [`untyped`] does the same for objects without a structure in Go.
//!
//! Facts: `sigs.k8s.io/json` (a fork of Go's `encoding/json`: case-sensitive, preserves integers, strict errors).

mod base64_text;
mod dates;
mod duration;
mod node;
mod parse;
mod quantity;
mod scalars;
mod strict;
mod typed;

use serde_json::Value;

pub(crate) use dates::time;
pub(crate) use duration::canonical as duration;
pub use node::Node;
pub use parse::{SyntaxError, parse};
pub use quantity::{Quantity, QuantityError};
pub use strict::Strict;
pub use typed::{sent, typed};

use crate::registry::GroupVersionKind;
use crate::types::{Schema, TypeId};

/// An object, and what a strict decoder says of its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object.
    pub value: Value,
    /// `unknown field "spec.foo"`, `duplicate field "spec.replicas"`, in the order of the document; at most 100.
    pub strict: Vec<String>,
}

/// Reads JSON for which there is no type in Go: everything is kept, the last of two equal fields wins. `strict` has the
/// duplicate fields.
pub fn untyped(node: Node<'_>) -> Decoded {
    let mut strict = Strict::default();
    let value = strict.untyped(node);
    Decoded {
        value,
        strict: strict.into_texts(),
    }
}

/// Parses JSON and reports duplicate fields as [`untyped`] does.
pub fn parse_json(text: &[u8]) -> Result<(Value, Vec<String>), SyntaxError> {
    let decoded = untyped(parse(text)?);
    Ok((decoded.value, decoded.strict))
}

/// The `apiVersion` and `kind` of an object; empty where they are absent. The error is what upstream says of other values
/// (`apimachinery/pkg/runtime/serializer/json/meta.go Interpret`).
pub fn type_meta(node: &Node<'_>) -> Result<(String, String), String> {
    let fail = |text: String| format!("couldn't get version/kind; json parse error: {text}");
    let Node::Object(fields) = node else {
        if matches!(node, Node::Null) {
            return Ok((String::new(), String::new()));
        }
        let found = node.describe();
        let r#type = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
        return Err(fail(format!(
            "json: cannot unmarshal {found} into Go value of type {type}"
        )));
    };
    let text = |wanted: &str| {
        let mut found = String::new();
        // Go's own decoder, which is asked here, ignores case.
        for (_, value) in fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
        {
            match value {
                Node::String(text) => found = text.clone().into_owned(),
                Node::Null => {}
                other => {
                    let other = other.describe();
                    return Err(fail(format!(
                        "json: cannot unmarshal {other} into Go struct field .{wanted} of type string"
                    )));
                }
            }
        }
        Ok(found)
    };
    Ok((text("apiVersion")?, text("kind")?))
}

/// Removes the fields that the type does not know and tells them: `unknown field "spec.foo"`. Values of a wrong type, of
/// which [`check_types`] tells, are left alone.
pub fn prune(schema: &Schema, r#type: TypeId, value: &mut Value) -> Vec<String> {
    strict::prune(schema, r#type, value)
}

/// Whether Go could decode the value: `Deployment in version "v1" cannot be handled as a Deployment: json: cannot ...`
/// (`apiserver/pkg/endpoints/handlers/rest.go transformDecodeError`).
pub fn check_types(
    schema: &Schema,
    r#type: TypeId,
    kind: &GroupVersionKind,
    value: &Value,
) -> Result<(), String> {
    match typed(schema, r#type, Node::from(value.clone())) {
        Ok(_) => Ok(()),
        Err(text) => Err(cannot_be_handled(kind, &text)),
    }
}

/// The text of an answer to an object that cannot be decoded.
pub fn cannot_be_handled(kind: &GroupVersionKind, text: &str) -> String {
    format!(
        "{} in version {:?} cannot be handled as a {}: {text}",
        kind.kind, &*kind.version, kind.kind
    )
}

/// Makes an object look as Go's encoder would write it; what [`typed`] does with the text of a request, for an object that
/// was made or changed since. The error is that of [`typed`], and the object is then unchanged.
pub fn normalise(schema: &Schema, r#type: TypeId, value: &mut Value) -> Result<(), String> {
    let decoded = typed(schema, r#type, Node::from(value.clone()))?;
    *value = decoded.value;
    Ok(())
}
