//! A write that changes nothing but the times of managers changes nothing (apiserver
//! `endpoints/handlers/fieldmanager/equality.go`), so that applying again and again stores no new revision.

use serde_json::Value;

/// Gives the managers of `new` their old times back, if nothing but times differs from `old`.
pub fn keep_times_of_no_change(old: &Value, new: &mut Value) {
    let path = "/metadata/managedFields";
    let (Some(before), Some(after)) = (
        old.pointer(path).and_then(Value::as_array),
        new.pointer(path).and_then(Value::as_array),
    ) else {
        return;
    };
    if after.is_empty() || before.len() != after.len() || before == after {
        return;
    }
    let same_entries = before.iter().zip(after).all(|(l, r)| same_but(l, r, &["time"]));
    if !same_entries || !same_but(old, new, &["metadata", "managedFields"]) {
        return;
    }
    let before = Value::Array(before.clone());
    if let Some(after) = new.pointer_mut(path) {
        *after = before;
    }
}

/// Whether two objects are the same but for what is at the end of `path`.
fn same_but(left: &Value, right: &Value, path: &[&str]) -> bool {
    let (Some(l), Some(r), [first, rest @ ..]) = (left.as_object(), right.as_object(), path) else {
        return path.is_empty() || left == right;
    };
    let others = |map: &'_ serde_json::Map<String, Value>| map.len() - usize::from(map.contains_key(*first));
    others(l) == others(r)
        && l.iter()
            .filter(|(key, _)| key != first)
            .all(|(key, value)| r.get(key) == Some(value))
        && match (l.get(*first), r.get(*first)) {
            (Some(l), Some(r)) => same_but(l, r, rest),
            _ => rest.is_empty(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(time: &str, data: &str, version: &str) -> Value {
        json!({"metadata": {"name": "x", "resourceVersion": version,
            "managedFields": [{"manager": "m", "time": time, "fieldsV1": {}}]}, "data": data})
    }

    #[test]
    fn times_move_only_with_something_else() {
        let old = object("1", "a", "7");
        for (new, want) in [
            (object("2", "a", "7"), "1"),
            (object("2", "b", "7"), "2"),
            (object("2", "a", "8"), "2"),
        ] {
            let mut kept = new.clone();
            keep_times_of_no_change(&old, &mut kept);
            assert_eq!(
                kept.pointer("/metadata/managedFields/0/time"),
                Some(&json!(want)),
                "{new}"
            );
        }
        let mut other_manager = object("2", "a", "7");
        other_manager["metadata"]["managedFields"][0]["manager"] = json!("n");
        let before = other_manager.clone();
        keep_times_of_no_change(&old, &mut other_manager);
        assert_eq!(other_manager, before);
    }
}
