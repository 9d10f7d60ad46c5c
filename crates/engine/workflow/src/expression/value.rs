//! Values, what they become as text, number and truth, and how they compare
//! (GitHub, "Evaluate expressions in workflows and actions").

use super::number::{parse_number, print_number};
use std::cmp::Ordering;
use std::sync::Arc;

/// A value. Arrays and objects are shared: equal means the same one, as in JavaScript.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A double.
    Number(f64),
    /// Text.
    String(Arc<str>),
    /// A list.
    Array(Arc<Vec<Value>>),
    /// Names and values in their order.
    Object(Arc<Object>),
}

/// Names and values in their order; names are found ignoring case.
#[derive(Clone, Debug, Default)]
pub struct Object {
    entries: Vec<(String, Value)>,
}

impl Object {
    /// Nothing.
    pub fn new() -> Object {
        Object::default()
    }

    /// Of entries, many perhaps: a later one with the same name wins.
    pub fn of(entries: Vec<(String, Value)>) -> Object {
        let mut places: std::collections::HashMap<String, usize> =
            std::collections::HashMap::with_capacity(entries.len());
        let mut kept: Vec<(String, Value)> = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            match places.entry(upper(&name)) {
                std::collections::hash_map::Entry::Occupied(place) => kept[*place.get()].1 = value,
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(kept.len());
                    kept.push((name, value));
                }
            }
        }
        Object { entries: kept }
    }

    /// The value of a name, ignoring its case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let entry = self.entries.iter().find(|(key, _)| same_name(key, name));
        entry.map(|(_, value)| value)
    }

    /// Sets the value of a name, in its place or at the end.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let name = name.into();
        match self.entries.iter_mut().find(|(key, _)| same_name(key, &name)) {
            Some((_, old)) => *old = value.into(),
            None => self.entries.push((name, value.into())),
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(key, _)| same_name(key, name))?;
        Some(self.entries.remove(at).1)
    }

    /// All names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Object {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into()));
        Object::of(entries.collect())
    }
}

fn same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && upper(one) == upper(other))
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::String(Arc::from(text.as_ref()))
    }

    /// An array.
    pub fn array(items: Vec<Value>) -> Value {
        Value::Array(Arc::new(items))
    }

    /// As `GitHub` names the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "Null",
            Value::Bool(_) => "Boolean",
            Value::Number(_) => "Number",
            Value::String(_) => "String",
            Value::Array(_) => "Array",
            Value::Object(_) => "Object",
        }
    }

    /// Whether it is neither array nor object.
    pub fn is_primitive(&self) -> bool {
        !matches!(self, Value::Array(_) | Value::Object(_))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether it counts as true.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(b) => *b,
            Value::Number(n) => *n != 0.0 && !n.is_nan(),
            Value::String(s) => !s.is_empty(),
            Value::Array(_) | Value::Object(_) => true,
        }
    }

    /// As text; arrays and objects are `Array` and `Object`.
    pub fn to_text(&self) -> Arc<str> {
        match self {
            Value::Null => Arc::from(""),
            Value::Bool(true) => Arc::from("true"),
            Value::Bool(false) => Arc::from("false"),
            Value::Number(number) => Arc::from(print_number(*number)),
            Value::String(text) => Arc::clone(text),
            Value::Array(_) => Arc::from("Array"),
            Value::Object(_) => Arc::from("Object"),
        }
    }

    /// As number; what is none is NaN.
    pub fn to_number(&self) -> f64 {
        match self {
            Value::Null => 0.0,
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Number(number) => *number,
            Value::String(text) => parse_number(text),
            Value::Array(_) | Value::Object(_) => f64::NAN,
        }
    }

    /// The value of a name of an object; null for all else.
    pub fn get(&self, name: &str) -> Value {
        match self {
            Value::Object(object) => object.get(name).cloned().unwrap_or_default(),
            _ => Value::Null,
        }
    }

    /// `==`: kinds that differ become numbers, text is compared ignoring case.
    pub fn equals(&self, other: &Value) -> bool {
        match self.brought_together(other) {
            Some((Value::Null, Value::Null)) => true,
            Some((Value::Bool(a), Value::Bool(b))) => a == b,
            Some((Value::Number(a), Value::Number(b))) => a == b,
            Some((Value::String(a), Value::String(b))) => same_text(&a, &b),
            Some((Value::Array(a), Value::Array(b))) => Arc::ptr_eq(&a, &b),
            Some((Value::Object(a), Value::Object(b))) => Arc::ptr_eq(&a, &b),
            _ => false,
        }
    }

    /// `<` and `>`: none where the two have no order.
    pub fn order(&self, other: &Value) -> Option<Ordering> {
        match self.brought_together(other)? {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
            (Value::Number(a), Value::Number(b)) => a.partial_cmp(&b),
            (Value::String(a), Value::String(b)) => {
                let (a, b) = (upper(&a), upper(&b));
                Some(a.encode_utf16().cmp(b.encode_utf16()))
            }
            _ => None,
        }
    }

    /// Both as one kind; none where they stay different.
    fn brought_together(&self, other: &Value) -> Option<(Value, Value)> {
        let small = |v: &Value| matches!(v, Value::Null | Value::Bool(_));
        let number = |v: &Value| Value::Number(v.to_number());
        match (self, other) {
            (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => Some((a.clone(), b.clone())),
            (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
                Some((number(self), number(other)))
            }
            (a, b) if small(a) => number(a).brought_together(b),
            (a, b) if small(b) => a.brought_together(&number(b)),
            _ => None,
        }
    }
}

/// Whether two texts are the same, ignoring case.
pub(super) fn same_text(one: &str, other: &str) -> bool {
    match one.is_ascii() && other.is_ascii() {
        true => one.eq_ignore_ascii_case(other),
        false => upper(one) == upper(other),
    }
}

/// In capital letters, one for one, as .NET's invariant culture has them: what is not ASCII never becomes ASCII.
pub(super) fn upper(text: &str) -> String {
    let capital = |c: char| {
        let mut capitals = c.to_uppercase();
        match (capitals.next(), capitals.next()) {
            (Some(one), None) if c.is_ascii() || !one.is_ascii() => one,
            _ => c,
        }
    };
    text.chars().map(capital).collect()
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(Arc::from(text))
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(Arc::new(object))
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => Value::Number(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(items) => Value::array(items.iter().map(Value::from).collect()),
            serde_json::Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| (key.as_str(), Value::from(value)));
                entries.collect::<Object>().into()
            }
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => (*n as i64).into(),
            Value::Number(n) => (*n).into(),
            Value::String(text) => text.as_ref().into(),
            Value::Array(items) => items.iter().map(serde_json::Value::from).collect(),
            Value::Object(object) => {
                let entries = object.iter().map(|(key, value)| (key.to_owned(), value.into()));
                serde_json::Value::Object(entries.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_brought_together_by_number() {
        assert!(Value::Null.equals(&Value::text("")));
        assert!(Value::Bool(true).equals(&Value::text(" 1 ")));
        assert!(!Value::Number(f64::NAN).equals(&Value::Number(f64::NAN)));
        assert!(Value::text("ABC").equals(&Value::text("abc")));
        assert!(!Value::array(vec![]).equals(&Value::array(vec![])));
    }

    #[test]
    fn names_ignore_case_and_keep_their_order() {
        let mut object: Object = [("One", "1"), ("two", "2")].into_iter().collect();
        object.set("ONE", "3");
        let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["One", "two"]);
        assert_eq!(object.get("one").map(Value::to_text).as_deref(), Some("3"));
    }
}
