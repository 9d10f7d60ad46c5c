//! Filling in what is absent (`schema/defaulting`).

use serde_json::Value;

use super::{Additional, Structural};

impl Structural {
    /// Adds defaults, and removes `null` where it is no value and there is no default.
    pub fn fill_defaults(&self, object: &mut Value) {
        remove_nulls(object, Some(self));
        fill(object, self);
    }
}

fn is_wrong_null(value: &Value, schema: Option<&Structural>) -> bool {
    value.is_null() && schema.is_some_and(|schema| !schema.nullable)
}

fn remove_nulls(value: &mut Value, schema: Option<&Structural>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let schema = schema.and_then(|schema| schema.field(name));
                if is_wrong_null(value, schema) && schema.is_some_and(|schema| schema.default.is_none()) {
                    return false;
                }
                remove_nulls(value, schema);
                true
            });
        }
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            for item in items {
                remove_nulls(item, schema);
            }
        }
        _ => {}
    }
}

fn fill(value: &mut Value, schema: &Structural) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                if fields
                    .get(name)
                    .is_none_or(|value| is_wrong_null(value, Some(property)))
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(property) = schema.properties.get(name) {
                    fill(value, property);
                } else if let Some(Additional::Schema(additional)) = &schema.additional {
                    fill_item(value, additional);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else {
                return;
            };
            for item in items {
                fill_item(item, schema);
            }
        }
        _ => {}
    }
}

fn fill_item(value: &mut Value, schema: &Structural) {
    if is_wrong_null(value, Some(schema)) {
        *value = schema.default.clone().unwrap_or_default();
    }
    fill(value, schema);
}
