//! Objects to text: in the order in which upstream writes them, with a gap for the revision; lists by copying.

use bytes::{BufMut, Bytes, BytesMut};
use deploy_cluster_storage::Encoded;
use serde_json::{Map, Value};

/// `metadata` as `ObjectMeta` declares it; a field that is not listed follows these.
const METADATA: [&str; 14] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
];

/// The text of an object around the digits of its resourceVersion; it ends with a line feed, as Go's encoder ends.
/// It starts with kind and apiVersion, which [`without_type`] relies on.
pub fn object(object: &Value) -> Encoded {
    let mut text = start(object);
    let after_metadata = write_metadata_before(&mut text, object);
    let before = text.split().freeze();
    write_rest(&mut text, object, after_metadata);
    Encoded {
        before,
        after: text.freeze(),
    }
}

/// The text of an object as it is; for answers that are not stored.
pub fn plain(object: &Value) -> Bytes {
    let revision = crate::object::resource_version(object);
    let is_object = object["metadata"].is_object() && object["kind"].is_string() && !revision.is_empty();
    if !is_object {
        let mut text = serde_json::to_vec(object).expect("values have no keys but strings");
        text.push(b'\n');
        return text.into();
    }
    let encoded = self::object(object);
    let mut text = BytesMut::with_capacity(encoded.before.len() + revision.len() + encoded.after.len());
    text.extend_from_slice(&encoded.before);
    text.extend_from_slice(revision.as_bytes());
    text.extend_from_slice(&encoded.after);
    text.freeze()
}

fn start(object: &Value) -> BytesMut {
    let mut text = BytesMut::with_capacity(1024);
    text.put_u8(b'{');
    for field in ["kind", "apiVersion"] {
        key(&mut text, field);
        value(&mut text, &object[field]);
        text.put_u8(b',');
    }
    text
}

/// Writes `"metadata":{` up to the first digit of the revision. The fields that remain are those from the returned
/// place in [`METADATA`] on.
fn write_metadata_before(text: &mut BytesMut, object: &Value) -> usize {
    let place = METADATA
        .iter()
        .position(|name| *name == "resourceVersion")
        .expect("it is in the table");
    key(text, "metadata");
    text.put_u8(b'{');
    for name in &METADATA[..place] {
        member(text, name, &object["metadata"][*name]);
    }
    key(text, "resourceVersion");
    text.put_u8(b'"');
    place + 1
}

fn write_rest(text: &mut BytesMut, object: &Value, from: usize) {
    text.put_slice(b"\",");
    let metadata = object["metadata"].as_object();
    for name in &METADATA[from..] {
        member(text, name, &object["metadata"][*name]);
    }
    for (name, inner) in metadata.into_iter().flatten() {
        if !METADATA.contains(&name.as_str()) {
            member(text, name, inner);
        }
    }
    close(text);
    text.put_u8(b',');
    for (name, inner) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
            key(text, name);
            value(text, inner);
            text.put_u8(b',');
        }
    }
    close(text);
    text.put_u8(b'\n');
}

/// Ends an object: `}` in the place of the last comma.
fn close(text: &mut BytesMut) {
    let last = text.len() - 1;
    text[last] = b'}';
}

fn member(text: &mut BytesMut, name: &str, inner: &Value) {
    if !inner.is_null() {
        key(text, name);
        value(text, inner);
        text.put_u8(b',');
    }
}

fn key(text: &mut BytesMut, name: &str) {
    value(text, &name);
    text.put_u8(b':');
}

fn value(text: &mut BytesMut, value: &impl serde::Serialize) {
    serde_json::to_writer((&mut *text).writer(), value).expect("values have no keys but strings");
}

/// The text of a stored object without kind and apiVersion, as items of built-in lists have none.
pub fn without_type(body: &[u8], kind: &str, api_version: &str) -> Option<usize> {
    let prefix_length = "{\"kind\":\"\",\"apiVersion\":\"\",".len() + kind.len() + api_version.len();
    let starts = body.starts_with(b"{\"kind\":\"") && body.get(prefix_length - 1) == Some(&b',');
    starts.then_some(prefix_length)
}

/// What a list says about itself.
#[derive(Clone, Debug, Default)]
pub struct ListMeta {
    /// The revision of its state.
    pub resource_version: String,
    /// The token for the next page, empty at the end.
    pub continue_token: String,
    /// Items after this page, where known.
    pub remaining: Option<u64>,
}

impl ListMeta {
    /// As an object.
    pub fn to_value(&self) -> Value {
        let mut meta = Map::new();
        if !self.resource_version.is_empty() {
            meta.insert("resourceVersion".into(), self.resource_version.as_str().into());
        }
        if !self.continue_token.is_empty() {
            meta.insert("continue".into(), self.continue_token.as_str().into());
        }
        if let Some(remaining) = self.remaining {
            meta.insert("remainingItemCount".into(), remaining.into());
        }
        meta.into()
    }
}

/// A list of stored objects, copied.
pub struct ListText {
    text: BytesMut,
    empty: bool,
}

impl ListText {
    /// Starts a list of about `size` bytes.
    pub fn new(kind: &str, api_version: &str, meta: &Value, size: usize) -> ListText {
        let mut text = BytesMut::with_capacity(size + 256);
        text.put_u8(b'{');
        for (name, inner) in [("kind", kind), ("apiVersion", api_version)] {
            key(&mut text, name);
            value(&mut text, &inner);
            text.put_u8(b',');
        }
        key(&mut text, "metadata");
        value(&mut text, meta);
        text.put_slice(b",\"items\":[");
        ListText { text, empty: true }
    }

    /// Adds an object; the first `skip` bytes are left out for a brace (see [`without_type`]).
    pub fn push(&mut self, body: &[u8], skip: usize) {
        if !self.empty {
            self.text.put_u8(b',');
        }
        self.empty = false;
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        if skip > 0 {
            self.text.put_u8(b'{');
        }
        self.text.put_slice(&body[skip..]);
    }

    /// The whole text.
    pub fn finish(mut self) -> Bytes {
        self.text.put_slice(b"]}\n");
        self.text.freeze()
    }
}

/// One line of a watch.
pub fn watch_line(event: &str, body: &[u8]) -> Bytes {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let mut text = BytesMut::with_capacity(body.len() + 40);
    text.put_slice(b"{\"type\":\"");
    text.put_slice(event.as_bytes());
    text.put_slice(b"\",\"object\":");
    text.put_slice(body);
    text.put_slice(b"}\n");
    text.freeze()
}

/// JSON text with line breaks and two blanks a level, in the same order.
pub fn indented(text: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let line = |out: &mut BytesMut, depth: usize| {
        out.put_u8(b'\n');
        out.put_bytes(b' ', depth * 2);
    };
    for (place, byte) in text.iter().copied().enumerate() {
        if quoted {
            out.put_u8(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.put_u8(byte);
                depth += 1;
                if !matches!(text.get(place + 1), Some(b'}' | b']')) {
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(text.get(place.wrapping_sub(1)), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
                out.put_u8(byte);
            }
            b',' => {
                out.put_u8(byte);
                line(&mut out, depth);
            }
            b':' => out.put_slice(b": "),
            b'"' => {
                quoted = true;
                out.put_u8(byte);
            }
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'\n');
    out.freeze()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_has_a_gap_for_its_revision() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
            "metadata": {"labels": {"x": "y"}, "name": "n", "managedFields": []},
        });
        let text = self::object(&object).at(7);
        assert_eq!(
            std::str::from_utf8(&text).expect("it is text"),
            "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n\",\"resourceVersion\":\"7\",\
             \"labels\":{\"x\":\"y\"},\"managedFields\":[]},\"data\":{\"a\":\"b\"}}\n"
        );
        let skip = without_type(&text, "ConfigMap", "v1").expect("it starts with its type");
        assert!(text[skip..].starts_with(b"\"metadata\":{"));
        let mut list = ListText::new("ConfigMapList", "v1", &json!({}), 0);
        list.push(&text, skip);
        list.push(&text, skip);
        let list: Value = serde_json::from_slice(&list.finish()).expect("it is JSON");
        assert_eq!(list["items"][1]["data"]["a"], "b");
        assert_eq!(list["items"][0]["kind"], Value::Null);
    }

    #[test]
    fn a_bare_object_is_closed_rightly() {
        let text = self::object(&json!({"apiVersion": "v1", "kind": "K", "metadata": {}})).at(1);
        let parsed: Value = serde_json::from_slice(&text).expect("it is JSON");
        assert_eq!(
            parsed,
            json!({"apiVersion": "v1", "kind": "K", "metadata": {"resourceVersion": "1"}})
        );
    }

    #[test]
    fn indentation_is_that_of_go() {
        let text = indented(br#"{"a":{},"b":[],"c":[1,"x:{\"}"]}"#);
        let expected = "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    1,\n    \"x:{\\\"}\"\n  ]\n}\n";
        assert_eq!(std::str::from_utf8(&text).expect("it is text"), expected);
    }
}
