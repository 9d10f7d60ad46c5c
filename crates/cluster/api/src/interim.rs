//! Until `deploy_cluster_schema::patch` is there.
use serde_json::Value;
pub(crate) fn json_patch(_document: &Value, _patch: &Value) -> Result<Value, String> { Err("not wired".into()) }
pub(crate) fn merge_patch(document: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut out = document.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() { out.remove(key); } else {
            let merged = merge_patch(out.get(key).unwrap_or(&Value::Null), value);
            out.insert(key.clone(), merged);
        }
    }
    Value::Object(out)
}
