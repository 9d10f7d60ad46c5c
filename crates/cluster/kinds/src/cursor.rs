//! A place in an object: the value there, if any, and the path that leads to it.
//!
//! Validation reads objects through [`Field`]: `pod.get("spec").items("containers")` walks, `str()`, `int()`, `bool()`
//! read (Go's zero value where there is nothing), and `required()`, `invalid()` ... make the [`Finding`] for exactly
//! that place. A JSON null is nothing, as it is for Go's decoder.

use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::field::{Finding, FindingKind, go_quote};

/// What a validation collects.
pub type Findings = Vec<Finding>;

/// A place in an object. Cheap to clone; the path is written out only when a finding is made.
#[derive(Clone)]
pub struct Field<'a> {
    value: Option<&'a Value>,
    path: Path,
}

/// The way to a place, from the end to the start.
#[derive(Clone, Default)]
struct Path(Option<Rc<(Path, Step)>>);

enum Step {
    Name(&'static str),
    Owned(String),
    Index(usize),
    Key(String),
}

impl Path {
    fn then(&self, step: Step) -> Self {
        Self(Some(Rc::new((self.clone(), step))))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = &self.0 else { return Ok(()) };
        let (parent, step) = last.as_ref();
        parent.fmt(f)?;
        let dot = if parent.0.is_some() { "." } else { "" };
        match step {
            Step::Name(name) => write!(f, "{dot}{name}"),
            Step::Owned(name) => write!(f, "{dot}{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

impl<'a> Field<'a> {
    /// The object itself, whose path is empty.
    pub fn root(object: &'a Value) -> Self {
        Self {
            value: Some(object),
            path: Path::default(),
        }
    }

    /// A value that is not reached from a root, at a path of its own.
    pub fn at(path: &'static str, value: Option<&'a Value>) -> Self {
        Self {
            value: value.filter(|value| !value.is_null()),
            path: Path::default().then(Step::Name(path)),
        }
    }

    /// The field `name` of this object.
    pub fn get(&self, name: &'static str) -> Self {
        Self {
            value: self.child(name),
            path: self.path.then(Step::Name(name)),
        }
    }

    /// The field whose name is only known now: `spec.template.{name}`.
    pub fn named(&self, name: &str) -> Self {
        Self {
            value: self.child(name),
            path: self.path.then(Step::Owned(name.to_owned())),
        }
    }

    /// The value under a key of this map; the path shows it as `data[key]`.
    pub fn key(&self, key: &str) -> Self {
        Self {
            value: self.child(key),
            path: self.path.then(Step::Key(key.to_owned())),
        }
    }

    /// The item at `index` of this list.
    pub fn index(&self, index: usize) -> Self {
        let value = self
            .value
            .and_then(|value| value.get(index))
            .filter(|value| !value.is_null());
        Self {
            value,
            path: self.path.then(Step::Index(index)),
        }
    }

    /// The same place with another value, for checks of a value that is derived from the one there.
    pub fn with(&self, value: Option<&'a Value>) -> Self {
        Self {
            value: value.filter(|value| !value.is_null()),
            path: self.path.clone(),
        }
    }

    fn child(&self, name: &str) -> Option<&'a Value> {
        self.value?
            .as_object()?
            .get(name)
            .filter(|value| !value.is_null())
    }

    /// The items of this list, in order; nothing where there is no list.
    pub fn list(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let path = self.path.clone();
        let items = self
            .value
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        items.iter().enumerate().map(move |(index, value)| Field {
            value: Some(value).filter(|value| !value.is_null()),
            path: path.then(Step::Index(index)),
        })
    }

    /// The items of the list in the field `name`.
    pub fn items(&self, name: &'static str) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.get(name).list()
    }

    /// The entries of this map, sorted by key; the paths show the keys in brackets.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + use<'a> {
        let path = self.path.clone();
        self.map().into_iter().flatten().map(move |(key, value)| {
            let value = Some(value).filter(|value| !value.is_null());
            (
                key.as_str(),
                Field {
                    value,
                    path: path.then(Step::Key(key.clone())),
                },
            )
        })
    }

    /// The value, unless there is none or it is null.
    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// The value as a map.
    pub fn map(&self) -> Option<&'a Map<String, Value>> {
        self.value?.as_object()
    }

    /// Whether there is a value (Go: the pointer is not nil).
    pub fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// Whether there is nothing, or Go's zero value: an empty text, list or map, 0, false.
    pub fn is_empty(&self) -> bool {
        self.value.is_none_or(is_zero)
    }

    /// How many items or entries; for text, how many bytes.
    pub fn len(&self) -> usize {
        match self.value {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(entries)) => entries.len(),
            Some(Value::String(text)) => text.len(),
            _ => 0,
        }
    }

    /// The text, empty where there is none.
    pub fn str(&self) -> &'a str {
        self.opt_str().unwrap_or_default()
    }

    /// The text, if there is one.
    pub fn opt_str(&self) -> Option<&'a str> {
        self.value?.as_str()
    }

    /// The number, 0 where there is none.
    pub fn int(&self) -> i64 {
        self.opt_int().unwrap_or_default()
    }

    /// The number, if there is one.
    pub fn opt_int(&self) -> Option<i64> {
        integer(self.value?)
    }

    /// The truth value, false where there is none.
    pub fn bool(&self) -> bool {
        self.opt_bool().unwrap_or_default()
    }

    /// The truth value, if there is one.
    pub fn opt_bool(&self) -> Option<bool> {
        self.value?.as_bool()
    }

    /// The texts of this list.
    pub fn strings(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.value
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|item| item.as_str().unwrap_or_default())
    }

    /// Whether both places hold the same; nothing, null, and an empty list are the same, as for Go's
    /// `Semantic.DeepEqual`.
    pub fn same(&self, other: &Field<'_>) -> bool {
        same(self.value, other.value)
    }

    /// The path as it is written in messages.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// A finding at this place; the value is shown as given.
    pub fn finding(&self, kind: FindingKind, value: Option<Value>, detail: impl Into<String>) -> Finding {
        Finding {
            kind,
            path: self.path(),
            value,
            shown: None,
            detail: detail.into(),
        }
    }

    /// Something must be here.
    pub fn required(&self, detail: impl Into<String>) -> Finding {
        self.finding(FindingKind::Required, None, detail)
    }

    /// What is here is malformed; it is shown, `""` where there is nothing.
    pub fn invalid(&self, detail: impl Into<String>) -> Finding {
        self.finding(FindingKind::Invalid, Some(self.shown()), detail)
    }

    /// What is here is malformed; another value than the one here is shown.
    pub fn invalid_value(&self, value: impl Into<Value>, detail: impl Into<String>) -> Finding {
        self.finding(FindingKind::Invalid, Some(value.into()), detail)
    }

    /// As [`Field::invalid`], the value shown as upstream's struct is: `shown` is the text after the colon.
    pub fn invalid_shown(&self, shown: String, detail: impl Into<String>) -> Finding {
        Finding {
            shown: Some(shown),
            ..self.finding(FindingKind::Invalid, Some(self.shown()), detail)
        }
    }

    /// What is here is allowed by its form, and not here.
    pub fn forbidden(&self, detail: impl Into<String>) -> Finding {
        self.finding(FindingKind::Forbidden, None, detail)
    }

    /// What is here is there already.
    pub fn duplicate(&self) -> Finding {
        self.finding(FindingKind::Duplicate, Some(self.shown()), "")
    }

    /// As [`Field::duplicate`], showing another value.
    pub fn duplicate_value(&self, value: impl Into<Value>) -> Finding {
        self.finding(FindingKind::Duplicate, Some(value.into()), "")
    }

    /// What is here leads nowhere.
    pub fn not_found(&self) -> Finding {
        self.finding(FindingKind::NotFound, Some(self.shown()), "")
    }

    /// As [`Field::not_found`], showing another value.
    pub fn not_found_value(&self, value: impl Into<Value>) -> Finding {
        self.finding(FindingKind::NotFound, Some(value.into()), "")
    }

    /// What is here is none of `supported`, which are listed as given (upstream sorts where it has a set).
    pub fn not_supported(&self, supported: &[&str]) -> Finding {
        self.not_supported_value(self.shown(), supported)
    }

    /// As [`Field::not_supported`], showing another value.
    pub fn not_supported_value(&self, value: impl Into<Value>, supported: &[&str]) -> Finding {
        let quoted: Vec<String> = supported.iter().map(|text| go_quote(text)).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        self.finding(FindingKind::NotSupported, Some(value.into()), detail)
    }

    /// What is here is longer than `max_bytes`.
    pub fn too_long(&self, max_bytes: usize) -> Finding {
        let unit = if max_bytes == 1 { "byte" } else { "bytes" };
        self.finding(
            FindingKind::TooLong,
            None,
            format!("may not be more than {max_bytes} {unit}"),
        )
    }

    /// The list here has more than `max` items.
    pub fn too_many(&self, max: usize) -> Finding {
        let unit = if max == 1 { "item" } else { "items" };
        let count = Value::from(self.len());
        self.finding(
            FindingKind::TooMany,
            Some(count),
            format!("must have at most {max} {unit}"),
        )
    }

    /// The check failed for another reason than what the user wrote.
    pub fn internal(&self, detail: impl Into<String>) -> Finding {
        self.finding(FindingKind::Internal, None, detail)
    }

    fn shown(&self) -> Value {
        self.value.cloned().unwrap_or_else(|| Value::from(""))
    }
}

/// Whether a value is one that Go's `omitempty` leaves out.
pub fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

/// Whether two values are the same for Go's `Semantic.DeepEqual`: absent, null and empty lists are one.
pub fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let present = |value: &&Value| !(value.is_null() || value.as_array().is_some_and(Vec::is_empty));
    match (a.filter(present), b.filter(present)) {
        (None, None) => true,
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.iter().all(|(key, value)| same(Some(value), b.get(key)))
                && b.iter()
                    .all(|(key, value)| a.contains_key(key) || same(None, Some(value)))
        }
        (a, b) => a == b,
    }
}

/// A JSON number as Go's decoder reads it into an integer: 3 and 3.0.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whole numbers within the range of i64 get here"
        )]
        (float.fract() == 0.0 && float.abs() < 9.0e18).then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_written_as_upstream_writes_it() {
        let object = json!({"spec": {"containers": [{"name": "a"}, {"name": null}]}, "data": {"a.b": 1}});
        let root = Field::root(&object);
        let names: Vec<String> = root
            .get("spec")
            .items("containers")
            .map(|c| c.get("name").required("").to_string())
            .collect();
        assert_eq!(
            names,
            [
                "spec.containers[0].name: Required value",
                "spec.containers[1].name: Required value"
            ]
        );
        assert_eq!(root.get("data").key("a.b").path(), "data[a.b]");
        assert!(!root.get("spec").get("containers").index(1).get("name").exists());
    }

    #[test]
    fn an_empty_list_is_the_same_as_none_and_an_empty_map_is_not() {
        let (empty, list) = (json!({"a": {}}), json!({"a": {"b": []}}));
        assert!(same(Some(&empty), Some(&list)));
        assert!(!same(Some(&empty), Some(&json!({}))));
    }
}
