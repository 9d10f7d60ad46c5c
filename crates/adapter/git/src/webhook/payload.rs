//! Bodies of webhooks as trees, and looking into them.

use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::WebhookError;
use crate::limits;
use crate::oid::Oid;

/// The tree of a body: JSON, or a form with JSON in `payload`.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, WebhookError> {
    let content = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content.is_some_and(|content| content.starts_with("application/x-www-form-urlencoded"));
    let unform;
    let text = if is_form {
        let field = body
            .split(|byte| *byte == b'&')
            .find_map(|field| field.strip_prefix(b"payload="))
            .ok_or_else(|| malformed("the form has no field `payload`"))?;
        unform = unescape(field);
        &unform
    } else {
        body
    };
    let value: Value = serde_json::from_slice(text).map_err(|error| malformed(&error.to_string()))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(malformed("it is no object"))
    }
}

pub fn malformed(reason: &str) -> WebhookError {
    WebhookError::Malformed {
        reason: reason.to_owned(),
    }
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut at = 0;
    while let Some(byte) = field.get(at) {
        let digits = field
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match (
            byte,
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                text.push(byte);
                at += 2;
            }
            (b'+', _) => text.push(b' '),
            (byte, _) => text.push(*byte),
        }
        at += 1;
    }
    text
}

/// The text at the first of these pointers (RFC 6901) that has one.
pub fn text<'a>(payload: &'a Value, pointers: &[&str]) -> &'a str {
    pointers
        .iter()
        .find_map(|pointer| payload.pointer(pointer)?.as_str().filter(|text| !text.is_empty()))
        .unwrap_or_default()
}

/// A text that must be there.
pub fn wanted<'a>(payload: &'a Value, pointers: &[&str]) -> Result<&'a str, WebhookError> {
    match text(payload, pointers) {
        "" => Err(malformed(&format!(
            "{} is missing",
            pointers[0].trim_start_matches('/').replace('/', ".")
        ))),
        text => Ok(text),
    }
}

/// An object's name; nothing where there is none or it is all zeros.
pub fn object(payload: &Value, pointers: &[&str]) -> Result<Option<Oid>, WebhookError> {
    match text(payload, pointers) {
        "" => Ok(None),
        text => Oid::or_none(text).map_err(|error| malformed(&error.to_string())),
    }
}

/// The paths that the commits of a push name, in order; and whether they are all of the push.
pub fn paths(payload: &Value, is_new: bool, total: Option<u64>) -> (Vec<String>, bool) {
    let commits = payload["commits"].as_array().map_or(&[][..], Vec::as_slice);
    let mut paths: Vec<String> = commits
        .iter()
        .take(limits::WEBHOOK_COMMITS)
        .flat_map(|commit| ["added", "modified", "removed"].map(|kind| &commit[kind]))
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    let has_all = !is_new
        && !commits.is_empty()
        && commits.len() <= limits::WEBHOOK_COMMITS
        && total.is_none_or(|total| total == commits.len() as u64)
        && paths.len() <= limits::CHANGED_PATHS;
    paths.truncate(limits::CHANGED_PATHS);
    (paths, has_all)
}
