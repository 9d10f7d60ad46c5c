//! What `kubectl get` prints of custom objects
//! (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`), and the fields that they are selected by.

use deploy_cluster_kinds::table::{CREATED, NAME, since};
use deploy_cluster_schema::registry::{CustomResource, version_order};
use serde_json::{Value, json};

use super::paths::JsonPath;
use super::rules::at;

/// The columns of a version.
pub(crate) struct Columns {
    definitions: Vec<Value>,
    paths: Vec<Option<JsonPath>>,
}

/// The version of a definition that a resource is of.
fn version(custom: &CustomResource) -> &Value {
    let versions = custom.definition["spec"]["versions"].as_array();
    let mut versions = versions.into_iter().flatten();
    versions
        .find(|version| version["name"] == *custom.version)
        .unwrap_or(&Value::Null)
}

impl Columns {
    /// Those of a resource; without any of its own, its age.
    pub fn of(custom: &CustomResource) -> Columns {
        let mut columns = Columns {
            definitions: vec![json!({
                "name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0,
            })],
            paths: Vec::new(),
        };
        let own = version(custom)["additionalPrinterColumns"].as_array().cloned();
        let age = json!({
            "name": "Age", "type": "date", "description": CREATED, "jsonPath": ".metadata.creationTimestamp",
        });
        let own = own.filter(|own| !own.is_empty()).unwrap_or_else(|| vec![age]);
        for column in own {
            let path = column["jsonPath"].as_str().unwrap_or_default();
            let description = match column["description"].as_str() {
                None | Some("") => format!("Custom resource definition column (in JSONPath format): {path}"),
                Some(description) => description.to_owned(),
            };
            columns.definitions.push(json!({
                "name": column["name"],
                "type": column["type"],
                "format": column["format"].as_str().unwrap_or_default(),
                "description": description,
                "priority": column["priority"].as_i64().unwrap_or(0),
            }));
            columns.paths.push(JsonPath::parse(path));
        }
        columns
    }

    /// What a table says of its columns.
    pub fn definitions(&self) -> Vec<Value> {
        self.definitions.clone()
    }

    /// The cells of an object; the time is in seconds since 1970.
    pub fn cells(&self, object: &Value, now: i64) -> Vec<Value> {
        let mut cells = vec![Value::from(crate::object::name(object))];
        for (path, column) in self.paths.iter().zip(&self.definitions[1..]) {
            let found = path.as_ref().and_then(|path| path.find(object).first().copied());
            let kind = column["type"].as_str().unwrap_or_default();
            cells.push(found.map_or(Value::Null, |found| cell(kind, found, now)));
        }
        cells
    }
}

fn cell(kind: &str, value: &Value, now: i64) -> Value {
    match (kind, value) {
        ("string", value) => text(value).into(),
        ("integer", Value::Number(number)) => {
            let whole = number.as_i64();
            #[allow(clippy::cast_possible_truncation)] // As Go's conversion does.
            let whole = whole.or_else(|| number.as_f64().map(|number| number as i64));
            whole.into()
        }
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(time)) => match since(time, now) {
            unknown if unknown == "<unknown>" => "<invalid>".into(),
            age => age.into(),
        },
        _ => Value::Null,
    }
}

/// A value as `client-go/util/jsonpath` prints it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// Whether objects can be selected by a field.
pub(crate) fn is_selectable(custom: &CustomResource, field: &str) -> bool {
    let fields = version(custom)["selectableFields"].as_array();
    let paths = fields
        .into_iter()
        .flatten()
        .filter_map(|field| field["jsonPath"].as_str());
    paths
        .map(|path| path.trim_start_matches('.'))
        .any(|path| path == field)
}

/// The value of such a field.
pub(crate) fn selected(field: &str, object: &Value) -> String {
    at(&format!(".{field}"), object).map(text).unwrap_or_default()
}

/// What users of a version are told that is to go.
pub(crate) fn deprecation(custom: &CustomResource) -> Option<String> {
    let own = version(custom);
    if own["deprecated"] != true {
        return None;
    }
    if let Some(warning) = own["deprecationWarning"].as_str() {
        return Some(warning.to_owned());
    }
    let (group, kind) = (&custom.group, &custom.kind);
    let versions = custom.definition["spec"]["versions"].as_array();
    let mut better: Vec<&str> = versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true && version["deprecated"] != true)
        .filter_map(|version| version["name"].as_str())
        .filter(|name| version_order(name, &custom.version).is_lt())
        .collect();
    better.sort_by(|a, b| version_order(a, b));
    let mut text = format!("{group}/{} {kind} is deprecated", custom.version);
    if let Some(better) = better.first() {
        text.push_str(&format!("; use {group}/{better} {kind}"));
    }
    Some(text)
}
