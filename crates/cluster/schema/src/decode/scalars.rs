//! Scalars as Go decodes and encodes them.

use serde_json::Value;

use super::node::{self, Node};
use super::quantity::Quantity;
use super::{base64_text, dates, duration};
use crate::types;

/// What came of reading a scalar.
pub enum Scalar {
    /// The value as Go writes it.
    Value(Value),
    /// The wrong type; decoding goes on.
    Mismatch {
        /// What stood there, as Go calls it.
        found: String,
        /// Go's type that was wanted.
        wanted: String,
    },
    /// The wrong value; decoding goes on.
    Bad(String),
    /// The wrong type for a type with a decoder of its own, which ends decoding.
    MismatchEnds {
        /// What stood there, as Go calls it.
        found: String,
        /// Go's type that was wanted.
        wanted: String,
    },
    /// The wrong value for a type with a decoder of its own, which ends decoding.
    BadEnds(String),
}

/// What Go writes where nothing was read.
pub fn zero(scalar: types::Scalar) -> Value {
    use types::Scalar as S;
    match scalar {
        S::String => Value::String(String::new()),
        S::Boolean => Value::Bool(false),
        S::Numeric | S::Int32 | S::Int64 | S::Double | S::IntOrString => Value::from(0),
        S::Quantity => Value::String("0".to_owned()),
        S::Duration => Value::String("0s".to_owned()),
        S::Bytes | S::Time | S::MicroTime | S::Untyped => Value::Null,
    }
}

/// Reads a scalar. `go` is what Go calls its type.
pub fn read(scalar: types::Scalar, go: &str, node: Node<'_>) -> Scalar {
    use types::Scalar as S;
    match (scalar, node) {
        (S::Untyped, node) => Scalar::Value(node.into_value()),
        (S::Quantity, node) => read_quantity(&node),
        (scalar, Node::Null) => Scalar::Value(zero(scalar)),
        (S::String, Node::String(text)) => Scalar::Value(Value::String(text.into_owned())),
        (S::Boolean, Node::Bool(bool)) => Scalar::Value(Value::Bool(bool)),
        (S::Int32, Node::Number(text)) => match text.parse::<i32>() {
            Ok(integer) => Scalar::Value(Value::from(integer)),
            Err(_) => mismatch(&format!("number {text}"), go),
        },
        (S::Int64, Node::Number(text)) => match text.parse::<i64>() {
            Ok(integer) => Scalar::Value(Value::from(integer)),
            Err(_) => mismatch(&format!("number {text}"), go),
        },
        (S::Double | S::Numeric, Node::Number(text)) => match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Scalar::Value(node::float(float)),
            _ => mismatch(&format!("number {text}"), go),
        },
        (S::Bytes, Node::String(text)) => match base64_text::decode(&text) {
            Ok(bytes) if bytes.is_empty() => Scalar::Value(Value::Null),
            Ok(bytes) => Scalar::Value(Value::String(base64_text::encode(&bytes))),
            Err(text) => Scalar::Bad(text),
        },
        (S::Bytes, Node::List(items)) => read_bytes(items),
        (S::IntOrString, Node::String(text)) => Scalar::Value(Value::String(text.into_owned())),
        (S::IntOrString, Node::Number(text)) => match text.parse::<i32>() {
            Ok(integer) => Scalar::Value(Value::from(integer)),
            Err(_) => ends(&format!("number {text}"), "int32"),
        },
        (S::IntOrString, node) => ends(node.describe(), "int32"),
        (S::Time, Node::String(text)) => moment(dates::time(&text)),
        (S::MicroTime, Node::String(text)) => moment(dates::micro_time(&text)),
        (S::Duration, Node::String(text)) => own(duration::canonical(&text)),
        (S::Time | S::MicroTime | S::Duration, node) => ends(node.describe(), "string"),
        (_, node) => mismatch(node.describe(), go),
    }
}

fn mismatch(found: &str, wanted: &str) -> Scalar {
    Scalar::Mismatch {
        found: found.to_owned(),
        wanted: wanted.to_owned(),
    }
}

fn ends(found: &str, wanted: &str) -> Scalar {
    Scalar::MismatchEnds {
        found: found.to_owned(),
        wanted: wanted.to_owned(),
    }
}

/// The first moment of Go's calendar is a time that nobody set.
fn moment(read: Result<String, String>) -> Scalar {
    match read {
        Ok(text) if text.starts_with("0001-01-01T00:00:00") => Scalar::Value(Value::Null),
        read => own(read),
    }
}

fn own(read: Result<String, String>) -> Scalar {
    match read {
        Ok(text) => Scalar::Value(Value::String(text)),
        Err(text) => Scalar::BadEnds(text),
    }
}

/// A quantity is read from whatever text stands there, in quotes or not.
fn read_quantity(node: &Node<'_>) -> Scalar {
    let text = match node {
        Node::Null => return Scalar::Value(zero(types::Scalar::Quantity)),
        Node::String(text) | Node::Number(text) => text.trim().to_owned(),
        Node::Bool(bool) => bool.to_string(),
        Node::List(_) => "[".to_owned(),
        Node::Object(_) => "{".to_owned(),
    };
    match Quantity::parse(&text) {
        Ok(quantity) => Scalar::Value(Value::String(quantity.canonical())),
        Err(error) => Scalar::BadEnds(error.to_string()),
    }
}

/// Bytes as a list of numbers, which Go takes as well.
fn read_bytes(items: Vec<Node<'_>>) -> Scalar {
    let mut bytes = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Node::Null => bytes.push(0),
            Node::Number(text) => match text.parse::<u8>() {
                Ok(byte) => bytes.push(byte),
                Err(_) => return mismatch(&format!("number {text}"), "uint8"),
            },
            other => return mismatch(other.describe(), "uint8"),
        }
    }
    if bytes.is_empty() {
        return Scalar::Value(Value::Null);
    }
    Scalar::Value(Value::String(base64_text::encode(&bytes)))
}
