//! The OpenAPI documents of a default server, without descriptions, cut so that the reader can put them together as text.
//!
//! Sections: the schemas of v3, a line for each, `NAME TAB JSON`; those of v2; the paths of v2, `PATH TAB JSON`; an
//! index (JSON: the v3 documents with name, hash and the names of their schemas; the parameters that v2 shares); the paths
//! of each v3 document (a JSON object).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{blob, read_json, without_descriptions};

/// Fields whose values are listed: schema, field, values.
type Enums = [(String, String, Vec<String>)];

/// The sections.
pub fn sections(folder: &Path, enums: &Enums) -> Result<Vec<String>, String> {
    let mut documents = BTreeMap::new();
    let listed = std::fs::read_dir(folder.join("v3")).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in listed {
        let path = entry.map_err(|e| e.to_string())?.path();
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let Some(name) = file.strip_suffix("_openapi.json").map(|n| n.replace("__", "/")) else {
            continue;
        };
        if is_served(&name) {
            documents.insert(name, served(&read_json(&path)?));
        }
    }
    let mut schemas = BTreeMap::new();
    for document in documents.values() {
        let own = document["components"]["schemas"].as_object();
        for (name, schema) in own.into_iter().flatten() {
            schemas.insert(name.clone(), schema.clone());
        }
    }
    let v2 = served(&read_json(&folder.join("swagger.json"))?);
    let mut definitions: BTreeMap<String, Value> = BTreeMap::new();
    for (name, definition) in v2["definitions"].as_object().into_iter().flatten() {
        if schemas.contains_key(name) {
            definitions.insert(name.clone(), definition.clone());
        }
    }
    for (name, field, values) in enums.iter().filter(|(.., values)| !is_unlisted(values)) {
        for set in [&mut schemas, &mut definitions] {
            if let Some(property) = set.get_mut(name).and_then(|s| s["properties"].get_mut(field)) {
                list_values(property, values);
            }
        }
    }
    let paths = v2["paths"].as_object().into_iter().flatten();
    let paths: Map<String, Value> = paths
        .filter(|(path, _)| is_served(path.trim_start_matches('/')))
        .map(|(path, item)| (path.clone(), item.clone()))
        .collect();
    let index = json!({
        "documents": index(&documents, &schemas),
        "parameters": parameters(&v2["parameters"]),
    });
    let mut sections = vec![
        lines(schemas.iter()),
        lines(definitions.iter()),
        lines(paths.iter()),
        index.to_string(),
    ];
    sections.extend(documents.values().map(|document| document["paths"].to_string()));
    Ok(sections)
}

/// Whether a default server has the document or the path.
fn is_served(name: &str) -> bool {
    name.split('/').next() != Some("logs")
        && !name
            .split('/')
            .nth(2)
            .is_some_and(|version| version.contains("alpha") || version.contains("beta"))
        && !ALPHA_GROUPS
            .iter()
            .any(|group| name.split('/').nth(1) == Some(group))
}

/// Values that upstream's generator does not list although their type is marked: its two versions are aliases.
fn is_unlisted(values: &[String]) -> bool {
    values == ["*", "Cluster", "Namespaced"] || values == ["IfNeeded", "Never"]
}

/// Groups that have no stable version.
const ALPHA_GROUPS: &[&str] = &["internal.apiserver.k8s.io", "storagemigration.k8s.io"];

/// A document without descriptions and without the encoding (CBOR) that is off by default.
fn served(document: &Value) -> Value {
    fn without_cbor(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(name, _)| !name.contains("cbor"))
                .map(|(name, value)| (name.clone(), without_cbor(value)))
                .collect(),
            Value::Array(list) => list
                .iter()
                .filter(|item| !item.as_str().is_some_and(|text| text.contains("cbor")))
                .map(without_cbor)
                .collect(),
            other => other.clone(),
        }
    }
    without_cbor(&without_descriptions(document))
}

/// Adds the values to the schema of a field, or to that of its items.
fn list_values(property: &mut Value, values: &[String]) {
    let target = match property["type"].as_str() {
        Some("array") => &mut property["items"],
        Some("object") => &mut property["additionalProperties"],
        _ => property,
    };
    target["enum"] = json!(values);
}

/// The parameters that the paths share, without that of a path which is not served.
fn parameters(all: &Value) -> Map<String, Value> {
    let named = all.as_object().into_iter().flatten();
    named
        .filter(|(_, parameter)| parameter["name"] != "logpath")
        .map(|(name, parameter)| (name.clone(), parameter.clone()))
        .collect()
}

fn lines<'v>(rows: impl Iterator<Item = (&'v String, &'v Value)>) -> String {
    rows.fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name}\t{value}").expect("writing to a string cannot fail");
        text
    })
}

fn index(documents: &BTreeMap<String, Value>, schemas: &BTreeMap<String, Value>) -> Value {
    documents
        .iter()
        .map(|(name, document)| {
            let own = document["components"]["schemas"].as_object();
            let names: BTreeSet<&String> = own.into_iter().flat_map(Map::keys).collect();
            let mut content = document["paths"].to_string();
            for name in &names {
                content.push_str(&schemas[*name].to_string());
            }
            json!({"name": name, "hash": blob::sha512(content.as_bytes()), "schemas": names})
        })
        .collect()
}
