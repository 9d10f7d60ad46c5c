//! Filling in and taking out: what defaulting and the preparation of a write do to an object.

use serde_json::{Map, Value};

use crate::cursor::is_zero;

/// Changes to an object in place. On a value that is no map they do nothing, so that no input can make them fail.
pub trait Edit {
    /// The field `name`, unless it is absent or null.
    fn child(&mut self, name: &str) -> Option<&mut Value>;

    /// The value at the end of a path of fields, unless something on the way is absent.
    fn descend(&mut self, path: &[&str]) -> Option<&mut Value>;

    /// The field `name`, made an empty map where it is absent or null.
    fn ensure(&mut self, name: &str) -> &mut Value;

    /// The items of the list in the field `name`.
    fn each(&mut self, name: &str) -> std::slice::IterMut<'_, Value>;

    /// Sets `name` where it is absent or null: a default of what is a pointer upstream.
    fn default_to(&mut self, name: &str, value: impl Into<Value>);

    /// Sets `name` where it is absent or Go's zero value: a default of what is no pointer upstream.
    fn default_zero(&mut self, name: &str, value: impl Into<Value>);

    /// Sets `name`.
    fn set(&mut self, name: &str, value: impl Into<Value>);

    /// Takes `name` out.
    fn unset(&mut self, name: &str);

    /// Makes `name` what it is in `other`, absent if it is absent there.
    fn keep(&mut self, name: &str, other: &Value);
}

impl Edit for Value {
    fn child(&mut self, name: &str) -> Option<&mut Value> {
        self.as_object_mut()?
            .get_mut(name)
            .filter(|value| !value.is_null())
    }

    fn descend(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(self, |value, name| value.child(name))
    }

    fn ensure(&mut self, name: &str) -> &mut Value {
        if !self.is_object() {
            *self = Value::Object(Map::new());
        }
        let map = self.as_object_mut().expect("it was made a map above");
        let value = map.entry(name).or_insert(Value::Null);
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        value
    }

    fn each(&mut self, name: &str) -> std::slice::IterMut<'_, Value> {
        self.child(name)
            .and_then(Value::as_array_mut)
            .map(|items| items.iter_mut())
            .unwrap_or_default()
    }

    fn default_to(&mut self, name: &str, value: impl Into<Value>) {
        let Some(map) = self.as_object_mut() else { return };
        if map.get(name).is_none_or(Value::is_null) {
            map.insert(name.to_owned(), value.into());
        }
    }

    fn default_zero(&mut self, name: &str, value: impl Into<Value>) {
        let Some(map) = self.as_object_mut() else { return };
        if map.get(name).is_none_or(is_zero) {
            map.insert(name.to_owned(), value.into());
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(map) = self.as_object_mut() {
            map.insert(name.to_owned(), value.into());
        }
    }

    fn unset(&mut self, name: &str) {
        if let Some(map) = self.as_object_mut() {
            map.remove(name);
        }
    }

    fn keep(&mut self, name: &str, other: &Value) {
        let Some(map) = self.as_object_mut() else { return };
        match other.get(name).filter(|value| !value.is_null()) {
            Some(value) => map.insert(name.to_owned(), value.clone()),
            None => map.remove(name),
        };
    }
}
