//! Sorting of rendered files into manifests and hooks, against helm's own case.

use std::collections::BTreeMap;

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::manifests::hooks::Hook;
use deploy_render::helm::manifests::sort::sort_manifests;
use serde_json::{Value, json};

#[test]
fn manifest_sort() {
    const NAME: &str = "helm/manifest_sort";
    let Some(root) = root() else {
        skipped(NAME);
        return;
    };
    let mut suite = Suite::new(NAME);
    for row in rows(&root, "helm/manifest_sort.jsonl") {
        suite.case(row["name"].as_str().unwrap_or_default(), || check(&row));
    }
    suite.finish();
}

fn check(row: &Value) -> Result<(), String> {
    let files: BTreeMap<String, String> =
        serde_json::from_value(row["files"].clone()).map_err(|e| e.to_string())?;
    let order: Vec<&str> = row["order"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let sorted = match sort_manifests(&files, &order, Compat::V4) {
        Ok(sorted) => sorted,
        Err(error) if row["error"].is_null() => return Err(format!("refused: {error}")),
        Err(_) => return Ok(()),
    };
    let manifests: Vec<Value> = sorted
        .manifests
        .iter()
        .map(|m| json!({"name": m.path, "kind": m.head.kind, "content": m.content}))
        .collect();
    same("manifests", &json!(manifests), &row["want"])?;
    let hooks: Vec<Value> = sorted.hooks.iter().map(hook).collect();
    same("hooks", &json!(hooks), &row["hooks"])
}

/// A hook as helm stores it: what is empty is left out.
fn hook(hook: &Hook) -> Value {
    let mut fields = json!({
        "name": hook.name,
        "kind": hook.kind,
        "path": hook.path,
        "manifest": hook.manifest,
        "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
        "last_run": {"phase": ""},
    });
    if hook.weight != 0 {
        fields["weight"] = json!(hook.weight);
    }
    if !hook.delete_policies.is_empty() {
        fields["delete_policies"] = json!(hook.delete_policies);
    }
    if !hook.output_log_policies.is_empty() {
        fields["output_log_policies"] = json!(hook.output_log_policies);
    }
    fields
}

fn same(what: &str, got: &Value, want: &Value) -> Result<(), String> {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}\n got: {got}\nwant: {want}"))
    }
}
