//! JSON patches (RFC 6902), with the liberties and the words of the library that kustomize uses
//! (gopkg.in/evanphx/json-patch.v4): negative indexes, `replace` of a key that is not there, `test` of a missing value.
//!
//! A patched resource has been through JSON: its keys are sorted, its comments gone, its numbers doubles.

use deploy_yaml::Dialect;
use deploy_yaml::node::{Content, Node, Position, Style};
use serde_json::{Map, Value};

use crate::kustomize::limits::MAX_COPIED_VALUES;

/// One operation, as its text gives it; what is wrong with it shows when it is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation(Map<String, Value>);

/// Why a JSON patch cannot be read or applied. Displays kustomize's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The patch's text is no list of operations.
    #[error("{0}")]
    Syntax(String),
    /// The resource cannot be written as JSON.
    #[error("{0}")]
    Resource(String),
    /// A `test` did not hold.
    #[error("testing value {0} failed: test failed")]
    TestFailed(String),
    /// An operation cannot be carried out.
    #[error("{0}")]
    Apply(String),
}

/// Reads a patch: a list of operations in JSON or YAML.
pub fn parse_operations(text: &str) -> Result<Vec<Operation>, JsonError> {
    let json: Value = match text.starts_with('[') {
        true => serde_json::from_str(text).map_err(|e| JsonError::Syntax(e.to_string()))?,
        false => deploy_yaml::to_json(text.as_bytes(), Dialect::GoYaml11)
            .map_err(|e| JsonError::Syntax(e.to_string()))?,
    };
    let refuse = |value: &Value, wanted: &str| {
        let kind = match value {
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) | Value::Null => "object",
        };
        JsonError::Syntax(format!(
            "json: cannot unmarshal {kind} into Go value of type jsonpatch.{wanted}"
        ))
    };
    match json {
        Value::Null => Ok(Vec::new()),
        Value::Array(operations) => operations
            .into_iter()
            .map(|operation| match operation {
                Value::Object(fields) => Ok(Operation(fields)),
                Value::Null => Ok(Operation(Map::new())),
                other => Err(refuse(&other, "Operation")),
            })
            .collect(),
        other => Err(refuse(&other, "Patch")),
    }
}

/// Applies operations to a document.
pub(super) fn apply(target: &mut Node, operations: &[Operation]) -> Result<(), JsonError> {
    let mut document = deploy_yaml::node_to_json(target, Dialect::GoYaml3)
        .map_err(|e| JsonError::Resource(e.to_string()))?;
    let mut copied = 0;
    for operation in operations {
        operation.apply(&mut document, &mut copied)?;
    }
    if !document.is_object() {
        let kind = if document.is_array() { "array" } else { "string" };
        return Err(JsonError::Apply(format!(
            "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )));
    }
    *target = to_node(&document);
    Ok(())
}

/// A JSON value as kustomize reads it back: sorted keys, every number a double.
pub(crate) fn to_node(value: &Value) -> Node {
    let mut node = deploy_yaml::json_to_node(&doubles(value));
    mark_read(&mut node);
    node
}

fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) => Value::from(double),
            None => value.clone(),
        },
        Value::Array(elements) => elements.iter().map(doubles).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), doubles(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// What was written and read back has the types of its text, as a document has.
fn mark_read(node: &mut Node) {
    node.position = Position { line: 1, column: 1 };
    match &mut node.content {
        Content::Mapping(entries) => {
            for (key, value) in entries {
                mark_read(key);
                mark_read(value);
            }
        }
        Content::Sequence(elements) => elements.iter_mut().for_each(mark_read),
        Content::Scalar(text) if text.contains('\n') && node.style == Style::Plain => {
            node.style = Style::Literal;
        }
        _ => {}
    }
}

/// How many values a value is made of.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

impl Operation {
    /// `copied` is how many values have been copied so far.
    fn apply(&self, document: &mut Value, copied: &mut usize) -> Result<(), JsonError> {
        match self.text("op").unwrap_or("unknown") {
            "add" => self.add(document),
            "remove" => self.remove(document),
            "replace" => self.replace(document),
            "move" => self.move_value(document),
            "copy" => self.copy(document, copied),
            "test" => self.test(document),
            other => fail(format!("Unexpected kind: {other}")),
        }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// A value that is not given is null.
    fn value(&self) -> Value {
        self.0.get("value").cloned().unwrap_or_default()
    }

    fn path(&self, field: &str, failure: &str) -> Result<&str, JsonError> {
        self.text(field)
            .ok_or_else(|| JsonError::Apply(failure.to_owned()))
    }

    fn add(&self, document: &mut Value) -> Result<(), JsonError> {
        let path = self.path("path", "add operation failed to decode path: missing value")?;
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "add operation does not apply: doc is missing path: \"{path}\": missing value"
            ))
        })?;
        insert(container, &key, self.value())
            .map_err(|e| JsonError::Apply(format!("error in add for path: '{path}': {e}")))
    }

    fn remove(&self, document: &mut Value) -> Result<(), JsonError> {
        let path = self.path("path", "remove operation failed to decode path: missing value")?;
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "remove operation does not apply: doc is missing path: \"{path}\": missing value"
            ))
        })?;
        take(container, &key)
            .map_err(|e| JsonError::Apply(format!("error in remove for path: '{path}': {e}")))
    }

    fn replace(&self, document: &mut Value) -> Result<(), JsonError> {
        let path = self.path(
            "path",
            "replace operation failed to decode path: operation missing path field: missing value",
        )?;
        if path.is_empty() {
            let value = self.value();
            if !value.is_object() && !value.is_array() {
                return fail("replace operation value must be object or array: %!w(<nil>)".to_owned());
            }
            *document = value;
            return Ok(());
        }
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "replace operation does not apply: doc is missing path: {path}: missing value"
            ))
        })?;
        match container {
            Value::Array(elements) => match index(&key, elements.len()) {
                Ok(at) => elements[at] = self.value(),
                Err(_) => {
                    return fail(format!(
                        "replace operation does not apply: doc is missing key: {path}: missing value"
                    ));
                }
            },
            Value::Object(fields) => {
                fields.insert(key, self.value());
            }
            _ => {}
        }
        Ok(())
    }

    fn move_value(&self, document: &mut Value) -> Result<(), JsonError> {
        let from = self.path(
            "from",
            "move operation failed to decode from: operation, missing from field: missing value",
        )?;
        let (container, key) = find(document, from).ok_or_else(|| {
            JsonError::Apply(format!(
                "move operation does not apply: doc is missing from path: {from}: missing value"
            ))
        })?;
        let wrap = |e: String| JsonError::Apply(format!("error in move for path: '{key}': {e}"));
        let value = look(container, &key).map_err(wrap)?.cloned().unwrap_or_default();
        take(container, &key).map_err(wrap)?;
        let path = self.path(
            "path",
            "move operation failed to decode path: operation missing path field: missing value",
        )?;
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "move operation does not apply: doc is missing destination path: {path}: missing value"
            ))
        })?;
        insert(container, &key, value)
            .map_err(|e| JsonError::Apply(format!("error in move for path: '{path}': {e}")))
    }

    fn copy(&self, document: &mut Value, copied: &mut usize) -> Result<(), JsonError> {
        let from = self.path(
            "from",
            "copy operation failed to decode from: operation, missing from field: missing value",
        )?;
        let (container, key) = find(document, from).ok_or_else(|| {
            JsonError::Apply(format!(
                "copy operation does not apply: doc is missing from path: {from}: missing value"
            ))
        })?;
        let value = look(container, &key)
            .map_err(|e| JsonError::Apply(format!("error in copy for from: '{from}': {e}")))?;
        *copied += value.map_or(0, size);
        if *copied > MAX_COPIED_VALUES {
            return fail(format!(
                "error in copy for from: '{from}': the patch copies more than {MAX_COPIED_VALUES} values"
            ));
        }
        let value = value.cloned().unwrap_or_default();
        let path = self.path("path", "copy operation failed to decode path: missing value")?;
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "copy operation does not apply: doc is missing destination path: {path}: missing value"
            ))
        })?;
        insert(container, &key, value)
            .map_err(|e| JsonError::Apply(format!("error while adding value during copy: {e}")))
    }

    fn test(&self, document: &mut Value) -> Result<(), JsonError> {
        let path = self.path(
            "path",
            "test operation failed to decode path: operation missing path field: missing value",
        )?;
        let failed = || Err(JsonError::TestFailed(path.to_owned()));
        let expected = self.value();
        if path.is_empty() {
            return if *document == expected { Ok(()) } else { failed() };
        }
        let (container, key) = find(document, path).ok_or_else(|| {
            JsonError::Apply(format!(
                "test operation does not apply: is missing path: {path}: missing value"
            ))
        })?;
        let found = look(container, &key)
            .map_err(|e| JsonError::Apply(format!("error in test for path: '{path}': {e}")))?;
        // What is not there is null.
        match found.unwrap_or(&Value::Null) == &expected {
            true => Ok(()),
            false => failed(),
        }
    }
}

fn fail(text: String) -> Result<(), JsonError> {
    Err(JsonError::Apply(text))
}

/// The container that a pointer leads to, and the last key. What stands before the first slash is not looked at.
fn find<'d>(document: &'d mut Value, pointer: &str) -> Option<(&'d mut Value, String)> {
    let (parents, last) = pointer.split_once('/')?.1.rsplit_once('/').map_or_else(
        || (None, pointer.split_once('/').map_or("", |(_, last)| last)),
        |(parents, last)| (Some(parents), last),
    );
    let mut at = document;
    for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
        let key = unescape(part);
        at = match at {
            Value::Object(fields) => fields.get_mut(&key)?,
            Value::Array(elements) => {
                let at = index(&key, elements.len()).ok()?;
                &mut elements[at]
            }
            _ => return None,
        };
        if !at.is_object() && !at.is_array() {
            return None;
        }
    }
    Some((at, unescape(last)))
}

/// `~1` is a slash, `~0` a tilde, in one pass.
fn unescape(part: &str) -> String {
    if !part.contains('~') {
        return part.to_owned();
    }
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = rest.find('~') {
        out.push_str(&rest[..at]);
        let (text, skip) = match rest.as_bytes().get(at + 1) {
            Some(b'1') => ("/", 2),
            Some(b'0') => ("~", 2),
            _ => ("~", 1),
        };
        out.push_str(text);
        rest = &rest[at + skip..];
    }
    out.push_str(rest);
    out
}

fn number(key: &str) -> Result<i64, String> {
    key.parse()
        .map_err(|_| format!("strconv.Atoi: parsing {key:?}: invalid syntax"))
}

/// The place of an element that is there; negative numbers count from the end.
fn index(key: &str, len: usize) -> Result<usize, String> {
    let at = number(key)?;
    place(at, len)
        .filter(|&place| place < len)
        .ok_or_else(|| format!("Unable to access invalid index: {at}: invalid index referenced"))
}

fn place(at: i64, len: usize) -> Option<usize> {
    match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => len.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
    }
}

fn look<'v>(container: &'v Value, key: &str) -> Result<Option<&'v Value>, String> {
    match container {
        Value::Array(elements) => index(key, elements.len()).map(|at| elements.get(at)),
        other => Ok(other.get(key)),
    }
}

fn insert(container: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match container {
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
            Ok(())
        }
        Value::Array(elements) if key == "-" => {
            elements.push(value);
            Ok(())
        }
        Value::Array(elements) => {
            let at = number(key).map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
            // Counted from the end of the list as it will be, so that -1 appends.
            let place = place(at, elements.len() + 1)
                .filter(|&place| place <= elements.len())
                .ok_or_else(|| format!("Unable to access invalid index: {at}: invalid index referenced"))?;
            elements.insert(place, value);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn take(container: &mut Value, key: &str) -> Result<(), String> {
    match container {
        Value::Array(elements) => {
            let at = index(key, elements.len())?;
            elements.remove(at);
            Ok(())
        }
        Value::Object(fields) => match fields.remove(key) {
            Some(_) => Ok(()),
            None => Err(format!("Unable to remove nonexistent key: {key}: missing value")),
        },
        _ => Ok(()),
    }
}
