//! Strategic merge patches, made and applied, held to the origin's own cases
//! (`structured-merge/strategic_merge_patch.jsonl`).

use std::path::Path;

use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::patch::{PatchError, create_three_way, create_two_way, strategic};
use deploy_cluster_schema::types::{
    Field, GoField, List, Map, PatchStrategy, Relationship, Scalar, Schema, Type, TypeId, TypeRef,
};
use deploy_conformance::{Suite, root, rows, skipped};
use serde_json::Value;

use crate::smd_schema::yaml;

const SUITE: &str = "structured-merge/strategic";

#[test]
fn patches_are_made_and_applied_as_upstream_does() {
    let Some(root) = root() else {
        return skipped(SUITE);
    };
    let folder = root.join("structured-merge");
    let schema = swagger(&folder.join("swagger/swagger-merge-item.json"));
    let id = schema.find("mergeItem").expect("the document defines the type");
    let shape = Shape::new(&schema, id);
    let mut suite = Suite::new(SUITE);
    for row in rows(&folder, "strategic_merge_patch.jsonl") {
        let name = row["name"].as_str().expect("a row has a name");
        suite.case(name, || match row["kind"].as_str() {
            Some("two_way") => two_way(shape, &row),
            Some("three_way") => three_way(shape, &row, name.contains("conflict")),
            other => Err(format!("no such kind: {other:?}")),
        });
    }
    suite.finish();
}

fn two_way(shape: Shape<'_>, row: &Value) -> Result<(), String> {
    let (original, modified) = (object(&row["original"])?, object(&row["modified"])?);
    let patch = create_two_way(shape, &original, &modified).map_err(text)?;
    same("patch", &patch, &object(&row["want_patch"])?)?;
    let want = if is_given(&row["want_result"]) {
        object(&row["want_result"])?
    } else {
        modified
    };
    same("result", &strategic(shape, original, patch).map_err(text)?, &want)
}

fn three_way(shape: Shape<'_>, row: &Value, conflict: bool) -> Result<(), String> {
    let (original, modified) = (object(&row["original"])?, object(&row["modified"])?);
    let current = object(&row["current"])?;
    let careful = create_three_way(shape, &original, &modified, &current, false);
    let patch = match careful {
        Ok(_) if conflict => return Err("there was no conflict".to_owned()),
        Err(error) if !conflict => return Err(text(error)),
        Ok(patch) => patch,
        Err(error) if !text(error.clone()).contains("\nconflicts with changes made") => {
            return Err(text(error));
        }
        Err(_) if !is_given(&row["want_result"]) => return Ok(()),
        Err(_) => create_three_way(shape, &original, &modified, &current, true).map_err(text)?,
    };
    same("patch", &patch, &object(&row["want_patch"])?)?;
    same(
        "result",
        &strategic(shape, current, patch).map_err(text)?,
        &object(&row["want_result"])?,
    )
}

fn is_given(value: &Value) -> bool {
    !matches!(value, Value::Null)
        && value.as_str() != Some("")
        && value.as_object().is_none_or(|map| !map.is_empty())
}

/// Rows have objects, or YAML text of them.
fn object(value: &Value) -> Result<Value, String> {
    let value = match value {
        Value::String(text) => yaml(text)?,
        other => other.clone(),
    };
    Ok(if value.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        value
    })
}

fn same(what: &str, got: &Value, want: &Value) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}: got {got}\nwant {want}"))
    }
}

fn text(error: PatchError) -> String {
    error.to_string()
}

/// The types of an OpenAPI document, as far as these cases need it.
fn swagger(path: &Path) -> Schema {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let document: Value = serde_json::from_str(&text).expect("the document is JSON");
    let definitions = document["definitions"]
        .as_object()
        .expect("the document has definitions");
    let mut schema = Schema::default();
    for name in definitions.keys() {
        schema.add(Some(name.as_str().into()), Type::default());
    }
    for (name, definition) in definitions {
        let id = schema.find(name).expect("the type was added");
        let mut fields: Vec<Field> = definition["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, property)| Field {
                name: field.as_str().into(),
                r#type: reference(property_type(&mut schema, property)),
                default: None,
                required: false,
                patch: strategy(property),
                go: GoField::default(),
            })
            .collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        let map = Map {
            fields,
            element: None,
            relationship: Relationship::Separable,
            go_name: Some(name.as_str().into()),
        };
        schema.set(
            id,
            Type {
                map: Some(map),
                ..Type::default()
            },
        );
    }
    schema
}

fn property_type(schema: &mut Schema, property: &Value) -> TypeId {
    if let Some(name) = property["$ref"].as_str() {
        let name = name.trim_start_matches("#/definitions/");
        let object = schema.find(name).expect("a reference names a definition");
        // The field of this document that is a pointer to an item is a list in all cases.
        return match property["x-kubernetes-patch-merge-key"].as_str() {
            Some(_) => list(schema, object),
            None => object,
        };
    }
    match property["type"].as_str() {
        Some("array") => {
            let item = property_type(schema, &property["items"]);
            list(schema, item)
        }
        Some("integer") => schema.add(
            None,
            Type {
                scalar: Some(Scalar::Int32),
                ..Type::default()
            },
        ),
        Some("string") => schema.add(
            None,
            Type {
                scalar: Some(Scalar::String),
                ..Type::default()
            },
        ),
        _ => {
            let entry = schema.add(
                None,
                Type {
                    scalar: Some(Scalar::String),
                    ..Type::default()
                },
            );
            let map = Map {
                fields: Vec::new(),
                element: Some(reference(entry)),
                relationship: Relationship::Separable,
                go_name: None,
            };
            schema.add(
                None,
                Type {
                    map: Some(map),
                    ..Type::default()
                },
            )
        }
    }
}

fn list(schema: &mut Schema, item: TypeId) -> TypeId {
    let list = List {
        element: reference(item),
        relationship: Relationship::Atomic,
        keys: Vec::new(),
    };
    schema.add(
        None,
        Type {
            list: Some(list),
            ..Type::default()
        },
    )
}

fn reference(id: TypeId) -> TypeRef {
    TypeRef {
        id,
        relationship: None,
    }
}

fn strategy(property: &Value) -> PatchStrategy {
    let strategies = property["x-kubernetes-patch-strategy"]
        .as_str()
        .unwrap_or_default();
    let has = |name: &str| strategies.split(',').any(|strategy| strategy == name);
    PatchStrategy {
        merge: has("merge"),
        retain_keys: has("retainKeys"),
        replace: has("replace"),
        merge_key: property["x-kubernetes-patch-merge-key"].as_str().map(Into::into),
    }
}
