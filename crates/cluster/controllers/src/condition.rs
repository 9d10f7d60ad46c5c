//! Lists of conditions.

use serde_json::Value;

/// The conditions of an object's status.
pub fn list(object: &Value) -> Vec<Value> {
    object["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Puts conditions into a status; none are not written.
pub fn store(status: &mut Value, conditions: Vec<Value>) {
    if let (Value::Object(status), false) = (status, conditions.is_empty()) {
        status.insert("conditions".to_owned(), Value::Array(conditions));
    }
}

/// Drops the condition of this type.
pub fn remove(conditions: &mut Vec<Value>, r#type: &str) {
    conditions.retain(|condition| condition["type"] != r#type);
}
