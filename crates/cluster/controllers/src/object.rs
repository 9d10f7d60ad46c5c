//! Reading objects that are JSON values, and the parts that many controllers write: owner references, conditions.

pub use deploy_cluster_api::object::{generation, is_deleting, name, namespace, text, uid};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kind::Kind;

/// A label, if it is there.
pub fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["labels"][name].as_str()
}

/// An annotation, if it is there.
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// An integer at a JSON pointer, 0 where it is missing.
pub fn integer(object: &Value, pointer: &str) -> i64 {
    object
        .pointer(pointer)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// A number, or a percentage of `total`, rounded up or down.
pub fn scaled(value: &Value, total: i64, up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent = value
        .as_str()
        .and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    let hundredths = percent.unwrap_or_default().saturating_mul(total);
    if up {
        hundredths.saturating_add(99) / 100
    } else {
        hundredths / 100
    }
}

/// The owner reference that says `controller: true`.
pub fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// The reference that makes `owner` the controller of what carries it.
pub fn owner_reference(kind: &Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// When the object was made; the beginning of time where that is not known.
pub fn created(object: &Value) -> Timestamp {
    time(&object["metadata"]["creationTimestamp"]).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time as objects carry it.
pub fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A time as objects carry it: UTC, in seconds.
pub fn shown(time: Timestamp) -> Value {
    Value::String(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The condition of this type in `status.conditions`.
pub fn condition<'a>(object: &'a Value, r#type: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == r#type)
}

/// Whether the condition of this type is `True`.
pub fn is_true(object: &Value, r#type: &str) -> bool {
    condition(object, r#type).is_some_and(|condition| condition["status"] == "True")
}

/// A pod that has neither ended nor is being deleted (`controller.IsPodActive`).
pub fn is_active(pod: &Value) -> bool {
    !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) && !is_deleting(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        let text = json!("2026-11-22T09:00:00Z");
        assert_eq!(shown(time(&text).expect("a time")), text);
        assert_eq!(time(&json!(null)), None);
    }

    #[test]
    fn only_one_owner_controls() {
        let object = json!({"metadata": {"ownerReferences": [
            {"uid": "a"}, {"uid": "b", "controller": true}
        ]}});
        assert_eq!(controller(&object).map(|owner| &owner["uid"]), Some(&json!("b")));
        assert_eq!(controller(&json!({})), None);
    }
}
