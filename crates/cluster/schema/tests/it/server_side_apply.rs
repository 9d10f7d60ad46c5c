//! Server-side apply and the tracking of other writes, held to what a real API server 1.34.2 answered
//! (`fixtures/cluster/managed_fields.jsonl`).
//!
//! A row has the object before (`live`), what was applied (`config`) or written (`object`, as it was stored), and the
//! answer: `object` with its managers, or a `status`.

use std::collections::BTreeMap;

use deploy_cluster_schema::apply::{
    ApplyError, FieldManager, LAST_APPLIED, OneVersion, Updater, empty_object, keep_times_of_no_change,
    reset_fields,
};
use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use deploy_cluster_schema::structural::{self, Structural};
use deploy_cluster_schema::types::{Schema, TypeId};
use deploy_conformance::{Suite, repository};
use serde_json::{Value, json};

const SUITE: &str = "cluster/managed-fields";

/// The time of the request; rows have older ones.
const NOW: &str = "2099-01-01T00:00:00Z";

#[test]
fn managers_are_those_of_a_real_server() {
    let registry = Registry::builtin();
    let mut suite = Suite::new(SUITE);
    let path = repository().join("fixtures/cluster/managed_fields.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row is JSON"))
        .collect();
    let custom = custom_types(&rows);
    for row in &rows {
        suite.case(row["name"].as_str().expect("a row has a name"), || {
            check(&registry, &custom, row)
        });
    }
    suite.finish();
}

/// The types of the one custom resource of the rows, from its definition, which is one of them.
fn custom_types(rows: &[Value]) -> (Schema, TypeId) {
    let definition = rows
        .iter()
        .find(|row| row["object"]["kind"] == "CustomResourceDefinition");
    let definition = definition.expect("a row creates the definition");
    let schema = definition.pointer("/object/spec/versions/0/schema/openAPIV3Schema");
    let structural = Structural::parse(schema.expect("the definition has a schema"));
    let (schema, object, _) = structural::types(Some(&structural));
    (schema, object)
}

fn check(registry: &Registry, custom: &(Schema, TypeId), row: &Value) -> Result<(), String> {
    let object = [&row["live"], &row["object"], &row["config"]]
        .into_iter()
        .find(|object| object.is_object());
    let object = object.expect("a row has an object");
    let (api_version, kind) = (text(object, "apiVersion"), text(object, "kind"));
    let gvk = GroupVersionKind::parse(api_version, kind).ok_or("the version is bad")?;
    let is_custom = kind == "Widget";
    let (schema, id) = match registry.types(&gvk) {
        _ if is_custom => (&custom.0, custom.1),
        Some(found) => found,
        None => return Err("the kind is unknown".to_owned()),
    };
    let shape = Shape::new(schema, id);
    let versions = OneVersion { api_version, shape };
    let subresource = text(row, "subresource");
    let has_status = is_custom
        || registry
            .kind(&gvk)
            .is_some_and(|resource| resource.subresource("status").is_some());
    let mut filters = BTreeMap::new();
    if let Some(filter) = reset_fields(&gvk.group, text(row, "resource"), subresource, has_status) {
        filters.insert(api_version.to_owned(), filter);
    }
    let empty = if is_custom {
        json!({"apiVersion": api_version, "kind": kind})
    } else {
        empty_object(shape)
    };
    let manager = FieldManager {
        updater: Updater {
            versions: &versions,
            filters: &filters,
        },
        api_version,
        kind,
        subresource,
        empty: &empty,
    };
    let live = row.get("live").filter(|live| live.is_object());
    let outcome = match text(row, "op") {
        "apply" => manager.apply(
            live,
            &row["config"],
            text(row, "manager"),
            row["force"] == true,
            NOW,
        ),
        _ => Ok(manager.update(live, written(row), text(row, "manager"), NOW)),
    };
    match (outcome, row.get("status")) {
        (Ok(mut object), None) => {
            if let Some(live) = live {
                keep_times_of_no_change(live, &mut object);
            }
            if text(row, "op") == "apply" {
                same(&annotation(&object), &annotation(&row["object"]))?;
            }
            same(&managers(&object), &managers(&row["object"]))
        }
        (Err(error), Some(status)) => {
            // Upstream walks maps in random order, so that several violations or causes stand in any.
            same(
                &json!(sorted_lines(&error.to_string())),
                &json!(sorted_lines(text(status, "message"))),
            )?;
            same(
                &sorted(causes(&error)),
                &sorted(status.pointer("/details/causes").cloned().unwrap_or_default()),
            )
        }
        (got, want) => Err(format!("got {got:?}, want {want:?}")),
    }
}

/// What was written, with the managers that the client sent.
fn written(row: &Value) -> Value {
    let mut object = row["object"].clone();
    let metadata = object["metadata"]
        .as_object_mut()
        .expect("an object has metadata");
    match row.get("sent") {
        Some(sent) => metadata.insert("managedFields".to_owned(), sent.clone()),
        None => metadata.remove("managedFields"),
    };
    for path in row["set_by_server"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let (parent, field) = path.rsplit_once('/').expect("a path has a slash");
        if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.remove(field);
        }
    }
    object
}

/// What client-side apply has left in the object, and server-side apply keeps up to date.
fn annotation(object: &Value) -> Value {
    object["metadata"]["annotations"][LAST_APPLIED].clone()
}

/// The entries in some order; of a time only that it is there, because the row was answered at another one.
fn managers(object: &Value) -> Value {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let mut entries = entries.cloned().unwrap_or_default();
    for time in entries.iter_mut().filter_map(|entry| entry.get_mut("time")) {
        *time = json!("some time");
    }
    sorted(Value::Array(entries))
}

fn sorted(mut list: Value) -> Value {
    if let Some(items) = list.as_array_mut() {
        items.sort_by_key(Value::to_string);
    }
    list
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn causes(error: &ApplyError) -> Value {
    match error {
        ApplyError::Conflicts(conflicts) => conflicts
            .0
            .iter()
            .map(|conflict| {
                json!({"reason": "FieldManagerConflict", "message": conflict.message(), "field": conflict.field()})
            })
            .collect(),
        _ => Value::Null,
    }
}

fn same(got: &Value, want: &Value) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("\ngot  {got}\nwant {want}"))
    }
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_default()
}
