//! Tables: what `kubectl get` prints, made by the server (`apiserver/pkg/registry/rest/table.go`).

use std::sync::Arc;

use deploy_cluster_kinds::rules::Column;
use serde_json::{Map, Value, json};

use crate::answer::{IncludeObject, now, partial};
use crate::custom::Columns;
use crate::encode::ListMeta;
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
