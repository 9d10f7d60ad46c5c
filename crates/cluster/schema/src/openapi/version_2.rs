//! OpenAPI 2: everything in one document.

use serde_json::{Value, json};

use super::{BEARER_TOKEN, Document, VERSION, add_member, custom, gnostic_v2, hash, protobuf, rows};
use crate::registry::{Registry, blob};

/// `/openapi/v2`.
pub fn v2(registry: &Registry) -> Document {
    let custom = custom::content_v2(registry);
    let mut json = String::from("{\"definitions\":{");
    for (name, schema) in rows(&blob::text_section(blob::DEFINITIONS_V2)) {
        add_member(&mut json, name, schema);
    }
    for (name, schema) in &custom.schemas {
        add_member(&mut json, name, &schema.to_string());
    }
    json.push_str(&format!(
        "}},\"info\":{},\"parameters\":{},\"paths\":{{",
        info(),
        parameters()
    ));
    for (path, item) in rows(&blob::text_section(blob::PATHS_V2)) {
        add_member(&mut json, path, item);
    }
    for (path, item) in &custom.paths {
        add_member(&mut json, path, &item.to_string());
    }
    json.push_str(&format!(
        "}},\"security\":{},\"securityDefinitions\":{BEARER_TOKEN},\"swagger\":\"2.0\"}}",
        security()
    ));
    let hash = hash(&json);
    Document { json, hash }
}

/// The same document in the form of `gnostic-models/openapiv2/OpenAPIv2.proto`. It is written a type and a path at a time:
/// the tree of the whole would be many times its size.
pub fn v2_protobuf(registry: &Registry) -> Vec<u8> {
    let custom = custom::content_v2(registry);
    let mut bytes = protobuf::encode(
        &gnostic_v2::DOCUMENT,
        &json!({
            "swagger": "2.0",
            "info": info(),
            "parameters": parameters(),
            "security": security(),
            "securityDefinitions": serde_json::from_str::<Value>(BEARER_TOKEN).unwrap_or_default(),
        }),
    );
    let read = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
    let mut paths = Vec::new();
    let section = blob::text_section(blob::PATHS_V2);
    let builtin = rows(&section).map(|(path, item)| (path.to_owned(), read(item)));
    for (path, item) in builtin.chain(custom.paths) {
        gnostic_v2::add_path(&mut paths, &path, &item);
    }
    let mut definitions = Vec::new();
    let section = blob::text_section(blob::DEFINITIONS_V2);
    let builtin = rows(&section).map(|(name, schema)| (name.to_owned(), read(schema)));
    for (name, schema) in builtin.chain(custom.schemas) {
        gnostic_v2::add_definition(&mut definitions, &name, &schema);
    }
    gnostic_v2::add_paths_and_definitions(&mut bytes, &paths, &definitions);
    bytes
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": VERSION})
}

fn security() -> Value {
    json!([{"BearerToken": []}])
}

/// Parameters that the paths share.
fn parameters() -> Value {
    blob::json_section(blob::OPEN_API_INDEX)["parameters"].take()
}
