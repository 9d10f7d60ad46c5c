//! JSON as it was written: fields in order, with duplicates, numbers as text.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// A JSON value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; its text is valid JSON.
    Number(Cow<'t, str>),
    /// A string, unescaped.
    String(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// Fields in order; a name may stand twice.
    Object(Vec<(Cow<'t, str>, Node<'t>)>),
}

impl Node<'_> {
    /// What Go calls it in errors of decoding.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "bool",
            Node::Number(_) => "number",
            Node::String(_) => "string",
            Node::List(_) => "array",
            Node::Object(_) => "object",
        }
    }

    /// The value, the last of two equal fields winning.
    pub fn into_value(self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(bool) => Value::Bool(bool),
            Node::Number(text) => number(&text),
            Node::String(text) => Value::String(text.into_owned()),
            Node::List(items) => Value::Array(items.into_iter().map(Node::into_value).collect()),
            Node::Object(fields) => {
                let mut map = Map::new();
                for (name, value) in fields {
                    map.insert(name.into_owned(), value.into_value());
                }
                Value::Object(map)
            }
        }
    }
}

/// A number as Go holds it where it knows no type: an integer of 64 bits if it is one, else a float.
pub(super) fn number(text: &str) -> Value {
    if !text.contains('.')
        && let Ok(integer) = text.parse::<i64>()
    {
        return Value::Number(integer.into());
    }
    text.parse().ok().map_or(Value::Null, float)
}

/// A float as Go's encoder writes it: whole numbers without a fraction.
pub(super) fn float(float: f64) -> Value {
    /// Above it not every integer is a float.
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= LARGEST_EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and small")]
        return Value::Number((float as i64).into());
    }
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

impl From<Value> for Node<'static> {
    fn from(value: Value) -> Node<'static> {
        match value {
            Value::Null => Node::Null,
            Value::Bool(bool) => Node::Bool(bool),
            Value::Number(number) => Node::Number(Cow::Owned(number.to_string())),
            Value::String(text) => Node::String(Cow::Owned(text)),
            Value::Array(items) => Node::List(items.into_iter().map(Node::from).collect()),
            Value::Object(map) => Node::Object(
                map.into_iter()
                    .map(|(name, value)| (Cow::Owned(name), Node::from(value)))
                    .collect(),
            ),
        }
    }
}
