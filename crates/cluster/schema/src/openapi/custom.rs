//! What custom resources add to the documents: their schemas and paths.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::paths::{self, Form, schema_name};
use crate::registry::{CustomResource, Registry, Resource};

/// What is added to a document.
pub struct Content {
    /// Schemas by name.
    pub schemas: Vec<(String, Value)>,
    /// The schemas of Kubernetes that these use, in one way or another.
    pub builtin_schemas: BTreeSet<&'static str>,
    /// Paths.
    pub paths: Vec<(String, Value)>,
}

/// The schemas of Kubernetes that a document of custom resources has.
const BUILTIN: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause",
    "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
];

/// And those where one of them can be scaled.
const BUILTIN_OF_SCALE: &[&str] = &[
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.autoscaling.v1.ScaleSpec",
    "io.k8s.api.autoscaling.v1.ScaleStatus",
];

/// The groups and versions that have custom resources.
pub fn versions(registry: &Registry) -> BTreeSet<(String, String)> {
    custom(registry)
        .map(|(_, custom)| (custom.group.to_string(), custom.version.to_string()))
        .collect()
}

/// What a version of a group has; none where it has no custom resource.
pub fn content_v3(registry: &Registry, group: &str, version: &str) -> Option<Content> {
    let mut resources = custom(registry)
        .filter(|(_, custom)| &*custom.group == group && &*custom.version == version)
        .peekable();
    resources.peek()?;
    Some(content(resources, Form::V3))
}

/// What all custom resources add to the one document of version 2.
pub fn content_v2(registry: &Registry) -> Content {
    content(custom(registry), Form::V2)
}

fn custom(registry: &Registry) -> impl Iterator<Item = (&Resource, &CustomResource)> {
    registry
        .resources()
        .filter_map(|resource| Some((&**resource, &**resource.custom.as_ref()?)))
}

fn content<'r>(resources: impl Iterator<Item = (&'r Resource, &'r CustomResource)>, form: Form) -> Content {
    let mut content = Content {
        schemas: Vec::new(),
        builtin_schemas: BUILTIN.iter().copied().collect(),
        paths: Vec::new(),
    };
    for (resource, custom) in resources {
        if custom.scale.is_some() {
            content.builtin_schemas.extend(BUILTIN_OF_SCALE);
        }
        content
            .schemas
            .push((schema_name(custom, &custom.kind), object_schema(custom, form)));
        content
            .schemas
            .push((schema_name(custom, &custom.list_kind), list_schema(custom, form)));
        content.paths.extend(paths::paths(resource, custom, form));
    }
    content
}

fn kind(custom: &CustomResource, kind: &str) -> Value {
    json!([{"group": *custom.group, "version": *custom.version, "kind": kind}])
}

/// The schema of a kind (`builder.go buildKubeNative`).
fn object_schema(custom: &CustomResource, form: Form) -> Value {
    let written = custom.open_api();
    let mut schema = match &written {
        Some(written) if form == Form::V3 || !is_open(written) => {
            let mut schema = published(written, form);
            add_meta(&mut schema, form, false);
            schema
        }
        // Clients of version 2 take a schema with properties for one that allows no others.
        _ => json!({"type": "object"}),
    };
    schema["x-kubernetes-group-version-kind"] = kind(custom, &custom.kind);
    let selectable = selectable_fields(custom);
    if form == Form::V3 && !selectable.is_empty() {
        schema["x-kubernetes-selectable-fields"] = Value::Array(selectable);
    }
    schema
}

/// By which fields of its own a kind can be selected.
fn selectable_fields(custom: &CustomResource) -> Vec<Value> {
    let versions = custom.definition["spec"]["versions"].as_array();
    let version = versions
        .into_iter()
        .flatten()
        .find(|v| v["name"] == *custom.version);
    let fields = version.and_then(|version| version["selectableFields"].as_array());
    let paths = fields
        .into_iter()
        .flatten()
        .filter_map(|field| field["jsonPath"].as_str());
    paths
        .map(|path| json!({"fieldPath": path.trim_start_matches('.')}))
        .collect()
}

fn is_open(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

/// The fields that every object has.
fn add_meta(schema: &mut Value, form: Form, embedded: bool) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if !properties.is_object() {
        *properties = json!({});
    }
    properties["apiVersion"] = json!({"type": "string"});
    properties["kind"] = json!({"type": "string"});
    properties["metadata"] = reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", form);
    if embedded {
        let required = object.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            for name in ["kind", "apiVersion"] {
                if !required.iter().any(|r| r == name) {
                    required.push(json!(name));
                }
            }
        }
    }
}

/// Beside a reference there can be no other word in version 3.0, hence `allOf`.
fn reference(name: &str, form: Form) -> Value {
    match form {
        Form::V2 => json!({"$ref": format!("#/definitions/{name}")}),
        Form::V3 => json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]}),
    }
}

fn list_schema(custom: &CustomResource, form: Form) -> Value {
    let item = schema_name(custom, &custom.kind);
    let item = match form {
        Form::V2 => format!("#/definitions/{item}"),
        Form::V3 => format!("#/components/schemas/{item}"),
    };
    json!({
        "description": format!("{} is a list of {}", custom.list_kind, custom.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {
                "description": format!("List of {}.", custom.plural),
                "type": "array",
                "items": {"$ref": item},
            },
            "kind": {"type": "string"},
            "metadata": reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", form),
        },
        "x-kubernetes-group-version-kind": kind(custom, &custom.list_kind),
    })
}

/// A schema of a definition as it is published. Version 2 has no words for much of it, and clients of that version refuse
/// what they do not know (`apiextensions-apiserver/pkg/controller/openapi/v2/conversion.go`).
fn published(schema: &Value, form: Form) -> Value {
    let Some(written) = schema.as_object() else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (word, value) in written {
        let value = match word.as_str() {
            "properties" | "patternProperties" | "definitions" => value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), published(schema, form)))
                .collect::<Map<String, Value>>()
                .into(),
            "items" | "additionalProperties" => published(value, form),
            _ => value.clone(),
        };
        out.insert(word.clone(), value);
    }
    match form {
        Form::V3 => {
            let int_or_string = is(&out, "x-kubernetes-int-or-string");
            if int_or_string && !out.contains_key("anyOf") && !out.contains_key("allOf") {
                out.insert(
                    "anyOf".to_owned(),
                    json!([{"type": "integer"}, {"type": "string"}]),
                );
            }
            let embedded = is(&out, "x-kubernetes-embedded-resource");
            let mut schema = Value::Object(out);
            if embedded {
                add_meta(&mut schema, form, true);
            }
            schema
        }
        Form::V2 => {
            reduce(&mut out, written);
            let open = out.contains_key("x-kubernetes-preserve-unknown-fields");
            let embedded = out.contains_key("x-kubernetes-embedded-resource");
            let mut schema = Value::Object(out);
            if embedded && !open {
                add_meta(&mut schema, form, true);
            }
            schema
        }
    }
}

fn is(schema: &Map<String, Value>, word: &str) -> bool {
    schema.get(word) == Some(&Value::Bool(true))
}

/// Takes from a schema what version 2, or its clients, cannot read.
fn reduce(schema: &mut Map<String, Value>, written: &Map<String, Value>) {
    let nullable = is(schema, "nullable");
    let open = is(schema, "x-kubernetes-preserve-unknown-fields");
    for word in ["default", "nullable", "oneOf", "anyOf", "allOf", "not"] {
        schema.remove(word);
    }
    if nullable || open {
        schema.remove("items");
        schema.remove("properties");
    }
    let untyped_list = schema.get("type") == Some(&json!("array")) && !schema.contains_key("items");
    let open_object = open && schema.get("type") == Some(&json!("object"));
    if nullable || untyped_list || open_object {
        schema.remove("type");
    }
    if written
        .get("additionalProperties")
        .is_some_and(|a| a["nullable"] == true)
    {
        schema.remove("required");
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        let properties = written.get("properties");
        required.retain(|name| {
            let property = properties
                .zip(name.as_str())
                .and_then(|(all, name)| all.get(name));
            property.is_none_or(|property| property["nullable"] != true)
        });
    }
}
