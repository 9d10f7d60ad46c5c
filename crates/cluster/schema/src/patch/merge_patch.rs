//! RFC 7386, as evanphx/json-patch v4 (`merge.go`) reads it.

use serde_json::{Map, Value};

use super::error::{PatchError, json_kind};

/// The document with a merge patch applied: null removes, objects merge, all else replaces.
pub fn merge_patch(doc: Value, patch: Value) -> Result<Value, PatchError> {
    match (doc, patch) {
        (Value::Object(mut doc), Value::Object(patch)) => {
            merge_maps(&mut doc, patch);
            Ok(Value::Object(doc))
        }
        (_, Value::Null) => Err(PatchError::BadRequest("Invalid JSON Patch".to_owned())),
        (_, patch) => Err(PatchError::BadRequest(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_kind(&patch)
        ))),
    }
}

fn merge_maps(doc: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, mut value) in patch {
        if value.is_null() {
            doc.remove(&key);
            continue;
        }
        match doc.get_mut(&key) {
            None | Some(Value::Null) => {
                remove_nulls(&mut value);
                doc.insert(key, value);
            }
            Some(current) => merge(current, value),
        }
    }
}

fn merge(current: &mut Value, mut patch: Value) {
    match (&mut *current, patch) {
        (Value::Object(current), Value::Object(patch)) => merge_maps(current, patch),
        // Whatever replaces an object is taken as it is, nulls inside included.
        (Value::Object(_), other) => *current = other,
        (_, other) => {
            patch = other;
            remove_nulls(&mut patch);
            *current = patch;
        }
    }
}

/// Removes what is null in objects, also in those inside lists, but no items of lists.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_merged_as_the_rfc_and_the_library_say() {
        for (doc, patch, want) in [
            // RFC 7386, appendix A.
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
            // The library removes nulls inside lists, unless the list replaces an object.
            (
                json!({}),
                json!({"a": [{"b": null}, null]}),
                json!({"a": [{}, null]}),
            ),
            (
                json!({"a": {}}),
                json!({"a": [{"b": null}]}),
                json!({"a": [{"b": null}]}),
            ),
            (json!({"a": null}), json!({"a": {"b": null}}), json!({"a": {}})),
        ] {
            assert_eq!(merge_patch(doc.clone(), patch.clone()), Ok(want), "{doc} {patch}");
        }
    }

    #[test]
    fn patches_that_are_no_objects_are_refused() {
        for (patch, want) in [
            (json!(null), "Invalid JSON Patch"),
            (
                json!([]),
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
            (
                json!(1),
                "error decoding patch: json: cannot unmarshal number into Go value of type map[string]interface {}",
            ),
        ] {
            assert_eq!(
                merge_patch(json!({}), patch),
                Err(PatchError::BadRequest(want.to_owned()))
            );
        }
    }
}
