//! RFC 6902, as evanphx/json-patch v4 (`patch.go`) reads it: `replace` of a missing field of an object adds it, negative
//! indices count from the end, `test` of null passes where nothing is.

use serde_json::{Map, Value};

use super::error::{PatchError, json_kind};
use super::pointer::{Parent, delete, find, get, place, put, segments};
use crate::limits::{MAX_DEPTH, MAX_JSON_PATCH_COPY_BYTES, MAX_JSON_PATCH_OPERATIONS};

/// The document with the operations of a patch applied, in order, all or none.
pub fn json_patch(doc: Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = decode(patch)?;
    let mut run = Run {
        depth: depth(&doc),
        doc,
        copied: 0,
    };
    for operation in operations {
        run.step(operation).map_err(PatchError::Unprocessable)?;
    }
    Ok(run.doc)
}

/// What strict decoding finds in a patch: fields that no operation has, in upstream's words.
pub fn json_patch_unknown_fields(patch: &Value) -> Vec<String> {
    let operations = patch.as_array().into_iter().flatten().enumerate();
    operations
        .flat_map(|(place, operation)| {
            operation
                .as_object()
                .into_iter()
                .flatten()
                .map(move |(key, _)| (place, key))
        })
        .filter(|(_, key)| !["op", "path", "from", "value"].contains(&key.as_str()))
        .map(|(place, key)| format!("json patch unknown field \"[{place}].{key}\""))
        .collect()
}

type Operation<'p> = Option<&'p Map<String, Value>>;

fn decode(patch: &Value) -> Result<Vec<Operation<'_>>, PatchError> {
    let wrong = |value: &Value, place: &str| {
        let kind = json_kind(value);
        PatchError::BadRequest(format!(
            "error decoding patch: json: cannot unmarshal {kind} into Go {place}"
        ))
    };
    let operations = match patch {
        Value::Null => return Ok(Vec::new()),
        Value::Array(operations) => operations,
        other => return Err(wrong(other, "value of type []handlers.jsonPatchOp")),
    };
    let mut decoded = Vec::with_capacity(operations.len());
    for operation in operations {
        let fields = match operation {
            Value::Null => None,
            Value::Object(fields) => Some(fields),
            other => return Err(wrong(other, "value of type handlers.jsonPatchOp")),
        };
        for name in ["op", "path", "from"] {
            match fields.and_then(|fields| fields.get(name)) {
                None | Some(Value::Null | Value::String(_)) => {}
                Some(other) => {
                    return Err(wrong(
                        other,
                        &format!("struct field jsonPatchOp.{name} of type string"),
                    ));
                }
            }
        }
        decoded.push(fields);
    }
    if decoded.len() > MAX_JSON_PATCH_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {}",
            decoded.len()
        )));
    }
    Ok(decoded)
}

struct Run {
    doc: Value,
    /// No value of the document is nested deeper than this.
    depth: usize,
    copied: usize,
}

impl Run {
    fn step(&mut self, operation: Operation<'_>) -> Result<(), String> {
        let field = |name: &str| operation.and_then(|fields| fields.get(name));
        let text = |name: &str| field(name).and_then(Value::as_str);
        let path = text("path");
        let path_of = |kind: &str| {
            path.ok_or_else(|| {
                format!("{kind} operation failed to decode path: operation missing path field: missing value")
            })
        };
        let from_of = |kind: &str| {
            text("from").ok_or_else(|| {
                format!(
                    "{kind} operation failed to decode from: operation, missing from field: missing value"
                )
            })
        };
        match text("op").unwrap_or("unknown") {
            "add" => {
                let path = path.ok_or("add operation failed to decode path: missing value")?;
                let value = field("value").cloned().unwrap_or_default();
                self.grow(path, depth(&value), &value)?;
                self.add(path, value)
            }
            "remove" => self.remove(path.ok_or("remove operation failed to decode path: missing value")?),
            "replace" => self.replace(path_of("replace")?, field("value")),
            "move" => {
                let from = from_of("move")?;
                let value = self.take(from)?;
                let path = path_of("move")?;
                self.grow(path, self.depth.saturating_sub(segments(from)), &value)?;
                self.insert(path, value)
            }
            "test" => self.test(path_of("test")?, field("value")),
            "copy" => self.copy(from_of("copy")?, path),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    /// Holds the document to its bound before `value`, nested at most `estimate` deep, comes to `path`. The estimate
    /// saves the walk through document and value for each operation.
    fn grow(&mut self, path: &str, estimate: usize, value: &Value) -> Result<(), String> {
        let at = segments(path);
        self.depth = self.depth.max(at + estimate);
        if self.depth > MAX_DEPTH {
            self.depth = depth(&self.doc).max(at + depth(value));
        }
        if self.depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        Ok(())
    }

    fn add(&mut self, path: &str, value: Value) -> Result<(), String> {
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| {
            format!("add operation does not apply: doc is missing path: \"{path}\": missing value")
        })?;
        put(parent, &key, value).map_err(|why| format!("error in add for path: '{path}': {why}"))
    }

    fn remove(&mut self, path: &str) -> Result<(), String> {
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| {
            format!("remove operation does not apply: doc is missing path: \"{path}\": missing value")
        })?;
        delete(parent, &key)
            .map(|_| ())
            .map_err(|why| format!("error in remove for path: '{path}': {why}"))
    }

    fn replace(&mut self, path: &str, value: Option<&Value>) -> Result<(), String> {
        let value = value.cloned().unwrap_or_default();
        self.grow(path, depth(&value), &value)?;
        if path.is_empty() {
            if !value.is_object() && !value.is_array() {
                return Err("replace operation value must be object or array".to_owned());
            }
            self.doc = value;
            return Ok(());
        }
        let missing = |what: &str| {
            format!("replace operation does not apply: doc is missing {what}: {path}: missing value")
        };
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| missing("path"))?;
        match parent {
            Parent::Object(map) => {
                map.insert(key, value);
            }
            Parent::Array(items) => {
                let place = place(&key, items.len()).map_err(|_| missing("key"))?;
                items[place] = value;
            }
        }
        Ok(())
    }

    fn take(&mut self, from: &str) -> Result<Value, String> {
        let (parent, key) = find(&mut self.doc, from).ok_or_else(|| {
            format!("move operation does not apply: doc is missing from path: {from}: missing value")
        })?;
        delete(parent, &key).map_err(|why| format!("error in move for path: '{key}': {why}"))
    }

    fn insert(&mut self, path: &str, value: Value) -> Result<(), String> {
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| {
            format!("move operation does not apply: doc is missing destination path: {path}: missing value")
        })?;
        put(parent, &key, value).map_err(|why| format!("error in move for path: '{path}': {why}"))
    }

    fn copy(&mut self, from: &str, path: Option<&str>) -> Result<(), String> {
        let (parent, key) = find(&mut self.doc, from).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing from path: {from}: missing value")
        })?;
        let value = get(&parent, &key).map_err(|why| format!("error in copy for from: '{from}': {why}"))?;
        let value = value.cloned().unwrap_or_default();
        let path = path.ok_or("copy operation failed to decode path: missing value")?;
        self.copied = self.copied.saturating_add(value.to_string().len());
        self.grow(path, depth(&value), &value)?;
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing destination path: {path}: missing value")
        })?;
        if self.copied > MAX_JSON_PATCH_COPY_BYTES {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {}",
                self.copied, MAX_JSON_PATCH_COPY_BYTES
            ));
        }
        put(parent, &key, value).map_err(|why| format!("error while adding value during copy: {why}"))
    }

    fn test(&mut self, path: &str, want: Option<&Value>) -> Result<(), String> {
        let failed = || format!("testing value {path} failed: test failed");
        if path.is_empty() {
            return if Some(&self.doc) == want {
                Ok(())
            } else {
                Err(failed())
            };
        }
        let (parent, key) = find(&mut self.doc, path).ok_or_else(|| {
            format!("test operation does not apply: is missing path: {path}: missing value")
        })?;
        let value = get(&parent, &key).map_err(|why| format!("error in test for path: '{path}': {why}"))?;
        // What is missing, in the document or in the operation, is null.
        let null = Value::Null;
        if value.unwrap_or(&null) == want.unwrap_or(&null) {
            Ok(())
        } else {
            Err(failed())
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(doc: &str, patch: &str) -> Result<String, PatchError> {
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("the text of a test is JSON");
        json_patch(parse(doc), &parse(patch)).map(|doc| doc.to_string())
    }

    #[test]
    fn operations_do_what_the_library_does() {
        for (doc, patch, want) in [
            (
                r#"{"a":1}"#,
                r#"[{"op":"add","path":"/b","value":{"c":null}}]"#,
                r#"{"a":1,"b":{"c":null}}"#,
            ),
            (
                r#"{"a":[1,2]}"#,
                r#"[{"op":"add","path":"/a/-","value":3}]"#,
                r#"{"a":[1,2,3]}"#,
            ),
            (
                r#"{"a":[1,2]}"#,
                r#"[{"op":"add","path":"/a/1","value":3}]"#,
                r#"{"a":[1,3,2]}"#,
            ),
            (
                r#"{"a":[1,2]}"#,
                r#"[{"op":"add","path":"/a/-1","value":3}]"#,
                r#"{"a":[1,2,3]}"#,
            ),
            (
                r#"{"a":[1,2]}"#,
                r#"[{"op":"remove","path":"/a/-1"}]"#,
                r#"{"a":[1]}"#,
            ),
            (
                r#"{"a":[1,2]}"#,
                r#"[{"op":"replace","path":"/a/0","value":9}]"#,
                r#"{"a":[9,2]}"#,
            ),
            (
                r#"{"a":1}"#,
                r#"[{"op":"replace","path":"/b","value":2}]"#,
                r#"{"a":1,"b":2}"#,
            ),
            (
                r#"{"a":1}"#,
                r#"[{"op":"replace","path":"","value":{"x":1}}]"#,
                r#"{"x":1}"#,
            ),
            (
                r#"{"a":{"b":1}}"#,
                r#"[{"op":"move","from":"/a/b","path":"/c"}]"#,
                r#"{"a":{},"c":1}"#,
            ),
            (
                r#"{"a":{"b":1}}"#,
                r#"[{"op":"copy","from":"/a","path":"/a/c"}]"#,
                r#"{"a":{"b":1,"c":{"b":1}}}"#,
            ),
            (
                r#"{"a/b~":1}"#,
                r#"[{"op":"test","path":"/a~1b~0","value":1}]"#,
                r#"{"a/b~":1}"#,
            ),
            (r#"{"~1":1}"#, r#"[{"op":"remove","path":"/~01"}]"#, r"{}"),
            (
                r#"{"a":null}"#,
                r#"[{"op":"test","path":"/b","value":null},{"op":"test","path":"/a"}]"#,
                r#"{"a":null}"#,
            ),
            (
                r#"{"a":{"b":[1,{"c":2}]}}"#,
                r#"[{"op":"test","path":"/a","value":{"b":[1,{"c":2}]}}]"#,
                r#"{"a":{"b":[1,{"c":2}]}}"#,
            ),
            (
                r#"{"":{"x":1}}"#,
                r#"[{"op":"remove","path":"//x"}]"#,
                r#"{"":{}}"#,
            ),
            (
                r#"{"a":1}"#,
                r#"[{"op":"add","path":"/b"}]"#,
                r#"{"a":1,"b":null}"#,
            ),
            (r#"{"a":1}"#, "null", r#"{"a":1}"#),
        ] {
            assert_eq!(apply(doc, patch), Ok(want.to_owned()), "{doc} {patch}");
        }
    }

    #[test]
    fn what_does_not_apply_is_told_in_the_librarys_words() {
        for (patch, want) in [
            (
                r#"[{"op":"add","path":"","value":1}]"#,
                r#"add operation does not apply: doc is missing path: "": missing value"#,
            ),
            (
                r#"[{"op":"add","path":"/x/y","value":1}]"#,
                r#"add operation does not apply: doc is missing path: "/x/y": missing value"#,
            ),
            (
                r#"[{"op":"add","path":"/l/x","value":1}]"#,
                r#"error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing "x": invalid syntax"#,
            ),
            (
                r#"[{"op":"add","path":"/l/9","value":1}]"#,
                "error in add for path: '/l/9': Unable to access invalid index: 9: invalid index referenced",
            ),
            (
                r#"[{"op":"add"}]"#,
                "add operation failed to decode path: missing value",
            ),
            (
                r#"[{"op":"remove","path":"/x"}]"#,
                "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
            ),
            (
                r#"[{"op":"remove","path":"/l/2"}]"#,
                "error in remove for path: '/l/2': Unable to access invalid index: 2: invalid index referenced",
            ),
            (
                r#"[{"op":"replace","path":"/x/y","value":1}]"#,
                "replace operation does not apply: doc is missing path: /x/y: missing value",
            ),
            (
                r#"[{"op":"replace","path":"/l/5","value":1}]"#,
                "replace operation does not apply: doc is missing key: /l/5: missing value",
            ),
            (
                r#"[{"op":"replace"}]"#,
                "replace operation failed to decode path: operation missing path field: missing value",
            ),
            (
                r#"[{"op":"move","path":"/q"}]"#,
                "move operation failed to decode from: operation, missing from field: missing value",
            ),
            (
                r#"[{"op":"move","from":"/q","path":"/r"}]"#,
                "error in move for path: 'q': Unable to remove nonexistent key: q: missing value",
            ),
            (
                r#"[{"op":"copy","from":"/q/r","path":"/r"}]"#,
                "copy operation does not apply: doc is missing from path: /q/r: missing value",
            ),
            (
                r#"[{"op":"test","path":"/a","value":2}]"#,
                "testing value /a failed: test failed",
            ),
            (
                r#"[{"op":"test","path":"","value":2}]"#,
                "testing value  failed: test failed",
            ),
            (
                r#"[{"op":"test","path":"/a/b","value":2}]"#,
                "test operation does not apply: is missing path: /a/b: missing value",
            ),
            (r#"[{"op":"foo"}]"#, "Unexpected kind: foo"),
            (r"[{}]", "Unexpected kind: unknown"),
            (r"[null]", "Unexpected kind: unknown"),
        ] {
            let got = apply(r#"{"a":1,"l":[1,2]}"#, patch);
            assert_eq!(got, Err(PatchError::Unprocessable(want.to_owned())), "{patch}");
        }
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        for (patch, want) in [
            (
                "{}",
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
            ),
            (
                "[1]",
                "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
            ),
            (
                r#"[{"op":"add","path":1}]"#,
                "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string",
            ),
        ] {
            assert_eq!(apply("{}", patch), Err(PatchError::BadRequest(want.to_owned())));
        }
        let many = Value::Array(vec![
            json!({"op": "test", "path": "/a"});
            MAX_JSON_PATCH_OPERATIONS + 1
        ]);
        assert!(matches!(
            json_patch(json!({}), &many),
            Err(PatchError::TooLarge(_))
        ));
        assert_eq!(
            json_patch_unknown_fields(&json!([{"op": "add"}, {"foo": 1, "path": "/a"}])),
            ["json patch unknown field \"[1].foo\""]
        );
    }

    #[test]
    fn documents_cannot_be_made_huge_or_deep() {
        let double = |i: usize| json!({"op": "copy", "from": "/a", "path": format!("/a/x{i}")});
        let patch: Vec<Value> = (0..40).map(double).collect();
        let got = json_patch(json!({"a": {"b": "x"}}), &Value::Array(patch));
        assert!(
            matches!(&got, Err(PatchError::Unprocessable(why)) if why.starts_with("Unable to complete the copy")),
            "{got:?}"
        );

        let mut nested = json!([{"op": "add", "path": "/a", "value": {}}]);
        for _ in 0..MAX_DEPTH {
            let moves = [
                json!({"op": "add", "path": "/b", "value": {}}),
                json!({"op": "move", "from": "/a", "path": "/b/a"}),
                json!({"op": "move", "from": "/b", "path": "/a"}),
            ];
            nested.as_array_mut().expect("a list").extend(moves);
        }
        assert_eq!(
            json_patch(json!({}), &nested),
            Err(PatchError::Unprocessable("exceeded max depth".to_owned()))
        );

        let shallow: Vec<Value> = (0..1000)
            .flat_map(|_| {
                [
                    json!({"op": "move", "from": "/a", "path": "/b/a"}),
                    json!({"op": "move", "from": "/b/a", "path": "/a"}),
                ]
            })
            .collect();
        assert!(json_patch(json!({"a": {"c": 1}, "b": {}}), &Value::Array(shallow)).is_ok());
    }
}
