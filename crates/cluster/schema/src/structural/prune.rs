//! Removing what the schema does not know (`schema/pruning/algorithm.go`).

use std::fmt::Write as _;

use serde_json::Value;

use super::{Additional, Structural};

/// The fields that every object has.
pub(super) const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Structural {
    /// Removes unknown fields from a whole object, and tells their paths in order (`spec.foo`).
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut pruner = Pruner::default();
        pruner.prune(object, Some(self), true);
        pruner.unknown.sort();
        pruner.unknown
    }
}

#[derive(Default)]
struct Pruner {
    path: String,
    unknown: Vec<String>,
}

impl Pruner {
    fn below(&mut self, name: &str, value: &mut Value, schema: Option<&Structural>, keep: bool) {
        let mark = self.path.len();
        if mark > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        if keep {
            self.keep(value, schema);
        } else {
            self.prune(value, schema, false);
        }
        self.path.truncate(mark);
    }

    fn item(&mut self, place: usize, value: &mut Value, schema: Option<&Structural>, keep: bool) {
        let mark = self.path.len();
        write!(self.path, "[{place}]").expect("writing to a string cannot fail");
        if keep {
            self.keep(value, schema);
        } else {
            self.prune(value, schema, false);
        }
        self.path.truncate(mark);
    }

    fn prune(&mut self, value: &mut Value, schema: Option<&Structural>, root: bool) {
        if schema.is_some_and(|schema| schema.preserves_unknown) {
            let embedded = root || schema.is_some_and(|schema| schema.embedded);
            self.keep_object(value, schema, embedded);
            return;
        }
        match value {
            Value::Object(fields) => {
                let mut removed = Vec::new();
                for (name, value) in fields.iter_mut() {
                    let is_meta = META_FIELDS.contains(&name.as_str());
                    if is_meta && (root || schema.is_some_and(|s| s.embedded)) {
                        continue;
                    }
                    match schema.and_then(|schema| known(schema, name)) {
                        Some(below) => self.below(name, value, below, false),
                        None => removed.push(name.clone()),
                    }
                }
                for name in removed {
                    fields.remove(&name);
                    let dot = if self.path.is_empty() { "" } else { "." };
                    self.unknown.push(format!("{}{dot}{name}", self.path));
                }
            }
            Value::Array(items) => {
                let below = schema.and_then(|schema| schema.items.as_deref());
                for (place, item) in items.iter_mut().enumerate() {
                    self.item(place, item, below, false);
                }
            }
            _ => {}
        }
    }

    /// Below a schema that keeps unknown fields, what is known is still pruned.
    fn keep(&mut self, value: &mut Value, schema: Option<&Structural>) {
        let embedded = schema.is_some_and(|schema| schema.embedded);
        self.keep_object(value, schema, embedded);
    }

    fn keep_object(&mut self, value: &mut Value, schema: Option<&Structural>, embedded: bool) {
        let Some(schema) = schema else { return };
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    if embedded && META_FIELDS.contains(&name.as_str()) {
                        continue;
                    }
                    if let Some(below) = known(schema, name) {
                        self.below(name, value, below, false);
                    }
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    self.item(place, item, schema.items.as_deref(), true);
                }
            }
            _ => {}
        }
    }
}

/// The schema of a known field; the inner none is that of a field of which only this is known.
fn known<'s>(schema: &'s Structural, name: &str) -> Option<Option<&'s Structural>> {
    if let Some(property) = schema.properties.get(name) {
        return Some(Some(property));
    }
    match &schema.additional {
        Some(Additional::Schema(schema)) => Some(Some(schema)),
        Some(Additional::Any(_)) => Some(None),
        None => None,
    }
}
