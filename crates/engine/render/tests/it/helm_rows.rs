//! Charts as the conformance rows write them.

use deploy_render::helm::chart::{Chart, Dependency, File, Metadata};
use serde_json::Value;

/// A chart of a row.
pub fn chart(row: &Value) -> Chart {
    let files = |key: &str| {
        let entries = row[key].as_object().into_iter().flatten();
        entries
            .map(|(name, text)| File::new(name, text.as_str().unwrap_or_default().as_bytes()))
            .collect()
    };
    Chart {
        metadata: metadata(&row["metadata"]),
        values: row["values"].as_object().cloned().unwrap_or_default(),
        schema: row["schema"].as_str().map(|s| s.as_bytes().into()),
        templates: files("templates"),
        files: files("files"),
        dependencies: row["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .map(chart)
            .collect(),
        ..Chart::default()
    }
}

/// What of a chart a row shows of its tree: names, values, listed dependencies, charts below.
pub fn tree(chart: &Chart) -> Value {
    let listed = chart.metadata.dependencies.iter().map(|d| {
        serde_json::json!({
            "name": d.name, "version": d.version, "repository": d.repository, "condition": d.condition,
            "tags": d.tags, "enabled": d.enabled, "import-values": d.import_values, "alias": d.alias,
        })
    });
    serde_json::json!({
        "name": chart.name(),
        "version": chart.metadata.version,
        "values": chart.values,
        "listed": listed.collect::<Vec<_>>(),
        "dependencies": chart.dependencies.iter().map(tree).collect::<Vec<_>>(),
    })
}

/// Whether two values are equal; integers and floats of the same value are, as helm's tests compare them after JSON.
pub fn same(got: &Value, want: &Value) -> Result<(), String> {
    if equal(got, want) {
        Ok(())
    } else {
        Err(format!("got  {got}\nwant {want}"))
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64() && a.is_f64() == b.is_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
        }
        (a, b) => a == b,
    }
}

fn metadata(row: &Value) -> Metadata {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let listed = row["dependencies"].as_array();
    Metadata {
        name: text("name"),
        version: text("version"),
        api_version: text("apiVersion"),
        chart_type: text("type"),
        kube_version: text("kubeVersion"),
        dependencies: listed.into_iter().flatten().map(dependency).collect(),
        lists_dependencies: listed.is_some(),
        ..Metadata::default()
    }
}

fn dependency(row: &Value) -> Dependency {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| row[key].as_array().cloned().unwrap_or_default();
    Dependency {
        name: text("name"),
        version: text("version"),
        repository: text("repository"),
        condition: text("condition"),
        tags: list("tags")
            .iter()
            .filter_map(|t| Some(t.as_str()?.to_owned()))
            .collect(),
        enabled: row["enabled"].as_bool().unwrap_or_default(),
        import_values: list("import-values"),
        alias: text("alias"),
    }
}
