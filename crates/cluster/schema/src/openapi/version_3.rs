//! OpenAPI 3: an index, and a document for each group and version.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{BEARER_TOKEN, Document, VERSION, add_member, custom, gnostic_v3, hash, protobuf, rows};
use crate::registry::{Registry, blob};

/// `/openapi/v3`: where each document is, with the hash of its content.
pub fn v3_index(registry: &Registry) -> Value {
    let index = blob::json_section(blob::OPEN_API_INDEX);
    let mut paths = Map::new();
    let mut add = |name: &str, hash: &str| {
        let url = format!("/openapi/v3/{name}?hash={hash}");
        paths.insert(name.to_owned(), json!({"serverRelativeURL": url}));
    };
    for row in index["documents"].as_array().into_iter().flatten() {
        add(
            row["name"].as_str().unwrap_or_default(),
            row["hash"].as_str().unwrap_or_default(),
        );
    }
    for (group, version) in custom::versions(registry) {
        if let Some(document) = custom_document(registry, &group, &version) {
            add(&format!("apis/{group}/{version}"), &document.hash);
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/NAME`: a document by its name in the index (`api/v1`, `apis/apps/v1`, `version`).
pub fn v3_document(registry: &Registry, name: &str) -> Option<Document> {
    let parts: Vec<&str> = name.split('/').collect();
    if let ["apis", group, version] = parts[..]
        && let Some(document) = custom_document(registry, group, version)
    {
        return Some(document);
    }
    let index = blob::json_section(blob::OPEN_API_INDEX);
    let documents = index["documents"].as_array()?;
    let place = documents.iter().position(|row| row["name"] == name)?;
    let row = &documents[place];
    let names = row["schemas"].as_array().into_iter().flatten();
    let names: BTreeSet<&str> = names.filter_map(Value::as_str).collect();
    let mut json = String::from("{\"components\":{");
    if !names.is_empty() {
        json.push_str("\"schemas\":{");
        add_builtin_schemas(&mut json, &names);
        json.push_str("},");
    }
    let paths = blob::text_section(blob::DOCUMENTS_V3 + place);
    json.push_str(&format!(
        "\"securitySchemes\":{BEARER_TOKEN}}},\"info\":{{\"title\":\"Kubernetes\",\"version\":\"{VERSION}\"}},\
         \"openapi\":\"3.0.0\",\"paths\":{paths}}}"
    ));
    let hash = row["hash"].as_str().unwrap_or_default().to_owned();
    Some(Document { json, hash })
}

/// The document of a group and version that has custom resources.
fn custom_document(registry: &Registry, group: &str, version: &str) -> Option<Document> {
    let content = custom::content_v3(registry, group, version)?;
    let mut json = String::from("{\"components\":{\"schemas\":{");
    for (name, schema) in &content.schemas {
        add_member(&mut json, name, &schema.to_string());
    }
    add_builtin_schemas(&mut json, &content.builtin_schemas);
    json.push_str(
        "}},\"info\":{\"title\":\"Kubernetes CRD Swagger\",\"version\":\"v0.1.0\"},\"openapi\":\"3.0.0\",\"paths\":{",
    );
    for (path, item) in &content.paths {
        add_member(&mut json, path, &item.to_string());
    }
    json.push_str("}}");
    let hash = hash(&json);
    Some(Document { json, hash })
}

fn add_builtin_schemas(json: &mut String, names: &BTreeSet<&str>) {
    let schemas = blob::text_section(blob::SCHEMAS_V3);
    for (name, schema) in rows(&schemas).filter(|(name, _)| names.contains(name)) {
        add_member(json, name, schema);
    }
}

/// The same document in the form of `gnostic-models/openapiv3/OpenAPIv3.proto`.
pub fn v3_protobuf(document: &Document) -> Vec<u8> {
    let value: Value = serde_json::from_str(&document.json).unwrap_or_default();
    protobuf::encode(&gnostic_v3::DOCUMENT, &value)
}
