//! Tables: what `kubectl get` prints, made by the server (`apiserver/pkg/registry/rest/table.go`).

use std::sync::Arc;

use deploy_cluster_kinds::columns;
use deploy_cluster_kinds::rules::Column;
use deploy_cluster_kinds::table::since;
use serde_json::{Map, Value, json};

use crate::answer::{IncludeObject, now, partial};
use crate::custom::Columns;
use crate::encode::ListMeta;
use crate::object;
use crate::scope::Scope;

/// A table of objects in the served version.
pub(crate) fn table(
    scope: &Scope,
    objects: &[Arc<Value>],
    meta: &ListMeta,
    version: &str,
    include: IncludeObject,
    with_columns: bool,
) -> Value {
    let now = now();
    let custom = scope.resource.custom.as_ref().map(|custom| Columns::of(custom));
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells = match &custom {
                Some(columns) => columns.cells(object, now),
                None => (scope.served_rules.cells)(object, now),
            };
            row(scope, object, version, include, cells)
        })
        .collect();
    let columns: Vec<Value> = if with_columns {
        match &custom {
            Some(columns) => columns.definitions(),
            None => scope.served_rules.columns.iter().map(column).collect(),
        }
    } else {
        Vec::new()
    };
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": meta.to_value(),
        "columnDefinitions": if with_columns { columns.into() } else { Value::Null },
        "rows": rows,
    })
}

/// The table of a Scale (`pkg/printers/internalversion/printers.go scaleColumnDefinitions`).
pub(crate) fn of_scale(scale: &Value, version: &str, include: IncludeObject) -> Value {
    let described = |name: &str| {
        let columns = columns::POD.iter().chain(columns::DEPLOYMENT);
        let mut found = columns.filter(|column| column.name == name);
        found.next().map_or("", |column| column.description)
    };
    let columns = [
        ("Name", "string", described("Name")),
        (
            "Desired",
            "integer",
            "replicas is the desired number of instances for the scaled object.",
        ),
        (
            "Available",
            "integer",
            "replicas is the actual number of observed instances of the scaled object.",
        ),
        ("Age", "string", described("Age")),
    ];
    let columns = columns.map(|(name, r#type, description)| {
        json!({"name": name, "type": r#type, "format": "", "description": description, "priority": 0})
    });
    let replicas = |part: &str| scale[part]["replicas"].as_i64().unwrap_or_default();
    let cells = json!([
        object::name(scale),
        replicas("spec"),
        replicas("status"),
        since(object::text(scale, "creationTimestamp"), now()),
    ]);
    let carried = match include {
        IncludeObject::Object => scale.clone(),
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial(scale, version),
    };
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": {"resourceVersion": object::resource_version(scale)},
        "columnDefinitions": columns,
        "rows": [{"cells": cells, "object": carried}],
    })
}

fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.r#type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    })
}

fn row(scope: &Scope, object: &Value, version: &str, include: IncludeObject, cells: Vec<Value>) -> Value {
    let is_bookmark = !object["metadata"]["annotations"]["k8s.io/initial-events-end"].is_null();
    let mut row = Map::new();
    row.insert("cells".into(), cells.into());
    let conditions = (scope.served_rules.row_conditions)(object);
    if !conditions.is_empty() {
        row.insert("conditions".into(), conditions.into());
    }
    let carried = match include {
        IncludeObject::Object if !is_bookmark => object.clone(),
        IncludeObject::None if !is_bookmark => Value::Null,
        _ => partial(object, version),
    };
    row.insert("object".into(), carried);
    row.into()
}
