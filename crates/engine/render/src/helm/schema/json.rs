//! JSON with its numbers as they are written, for schemas and the values that are held against them.

use std::collections::BTreeMap;

use deploy_template::json::{self, Part};

use crate::helm::go::verbs;
use crate::limits::SCHEMA_LEVELS;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// A map.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a text that is one JSON value. The errors are those of Go's decoder of streams.
    pub fn parse(text: &[u8]) -> Result<Json, String> {
        let (value, end) = match json::read_first(text, SCHEMA_LEVELS, &mut build) {
            Ok(Some(first)) => first,
            Ok(None) => return Err("EOF".to_owned()),
            Err(error) if error.is_end() => return Err("unexpected EOF".to_owned()),
            Err(error) => return Err(error.message),
        };
        if text[end..].iter().all(|byte| b" \t\r\n".contains(byte)) {
            Ok(value)
        } else {
            Err("invalid character after top-level value".to_owned())
        }
    }

    /// The value with numbers written as Go's `fmt` does.
    pub fn from_value(value: &serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(b) => Json::Bool(*b),
            serde_json::Value::Number(_) => Json::Number(verbs::display(value)),
            serde_json::Value::String(s) => Json::String(s.clone()),
            serde_json::Value::Array(items) => Json::Array(items.iter().map(Json::from_value).collect()),
            serde_json::Value::Object(entries) => Json::from_map(entries),
        }
    }

    /// The map with numbers written as Go's `fmt` does.
    pub fn from_map(map: &serde_json::Map<String, serde_json::Value>) -> Json {
        Json::Object(
            map.iter()
                .map(|(k, v)| (k.clone(), Json::from_value(v)))
                .collect(),
        )
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(s) => Some(s),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Json>> {
        match self {
            Json::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value at a path of keys and indexes, each still escaped as in a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Json> {
        let mut value = self;
        for token in pointer.split('/').skip(1) {
            let token = unescaped(token);
            value = match value {
                Json::Object(entries) => entries.get(&token)?,
                Json::Array(items) => items.get(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// A key as a JSON pointer has it.
pub fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

fn build(part: Part<'_, Json>) -> Result<Json, String> {
    Ok(match part {
        Part::Null => Json::Null,
        Part::Bool(b) => Json::Bool(b),
        Part::Number(text) => Json::Number(text.to_owned()),
        Part::String(text) => Json::String(text),
        Part::Array(items) => Json::Array(items),
        Part::Object(entries) => Json::Object(entries.into_iter().collect()),
    })
}
