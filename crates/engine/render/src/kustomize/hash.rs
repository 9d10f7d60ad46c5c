//! The suffix of generated names: a hash of what a ConfigMap or Secret holds.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::resource::Resource;
use super::tree;

/// Letters of the suffix.
const LENGTH: usize = 10;

/// The suffix for a resource.
pub(super) fn suffix(resource: &Resource) -> Result<String> {
    let encoded = match resource.id().gvk.kind.as_str() {
        "ConfigMap" => encode(resource, &[("data", false), ("binaryData", true)])?,
        "Secret" => encode(
            resource,
            &[("data", false), ("stringData", true), ("type", false)],
        )?,
        kind => {
            return Err(Error::unsupported(
                "needsHashSuffix",
                format!("a hash suffix for an object of kind {kind} is not supported"),
            ));
        }
    };
    Ok(shorten(&Sha256::digest(encoded)))
}

/// The object that kustomize hashes, as encoding/json writes it. Its `name` is always empty: kustomize looks for one field
/// called `metadata/name`.
fn encode(resource: &Resource, fields: &[(&str, bool)]) -> Result<String> {
    let mut object = Map::new();
    object.insert("kind".to_owned(), resource.id().gvk.kind.clone().into());
    object.insert("name".to_owned(), "".into());
    for (field, optional) in fields {
        let value = match tree::field(&resource.node, field) {
            None => "".into(),
            Some(node) => match tree::text(node) {
                Some(text) => text.into(),
                None => deploy_yaml::node_to_json(node, deploy_yaml::Dialect::GoYaml3)
                    .map_err(|error| Error::invalid(error.to_string()))?,
            },
        };
        if !optional || value.is_object() {
            object.insert((*field).to_owned(), value);
        }
    }
    Ok(go_json(&Value::Object(object)))
}

/// JSON with the characters escaped that Go escapes for HTML.
fn go_json(value: &Value) -> String {
    let json = value.to_string();
    if !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// The first digits in hexadecimal, with those replaced that could spell words.
fn shorten(hash: &[u8]) -> String {
    const LETTERS: &[u8; 16] = b"gh2k456789mbcdtf";
    hash.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(LENGTH)
        .map(|digit| char::from(LETTERS[usize::from(digit)]))
        .collect()
}
