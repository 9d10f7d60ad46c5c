//! The table of kinds: what the API server asks about each.

use serde_json::Value;

use crate::field::Finding;

/// What one kind of one version does beyond its schema. Every function sees whole objects of the served version.
#[derive(Clone, Copy)]
pub struct Rules {
    /// API group, empty for core.
    pub group: &'static str,
    /// Version, `v1`.
    pub version: &'static str,
    /// Kind, `Pod`.
    pub kind: &'static str,
    /// Fills in what upstream's defaulting fills in.
    pub default: fn(&mut Value),
    /// Before a create is validated: drops what the client may not set (status ...), sets what the server sets.
    pub prepare_create: fn(&mut Value),
    /// Before an update of the main resource is validated: `(new, old)`. Keeps status, decides on generation.
    pub prepare_update: fn(&mut Value, &Value),
    /// Before an update of the status subresource is validated: `(new, old)`. Keeps all but status.
    pub prepare_status: fn(&mut Value, &Value),
    /// What is wrong with a new object, its metadata aside.
    pub validate_create: fn(&Value) -> Vec<Finding>,
    /// What is wrong with an update, its metadata aside: `(new, old)`.
    pub validate_update: fn(&Value, &Value) -> Vec<Finding>,
    /// What is wrong with a status update: `(new, old)`.
    pub validate_status: fn(&Value, &Value) -> Vec<Finding>,
    /// Warnings for the `Warning` header.
    pub warnings: fn(&Value) -> Vec<String>,
    /// Columns of its table.
    pub columns: &'static [Column],
    /// The cells of one object, one for each column; the time is in seconds since 1970.
    pub cells: fn(&Value, i64) -> Vec<Value>,
    /// Fields that a field selector may name besides metadata.name and metadata.namespace.
    pub selectable: &'static [Selectable],
    /// A PUT to a name that does not exist creates it.
    pub create_on_update: bool,
    /// A PUT without resourceVersion overwrites.
    pub unconditional_update: bool,
    /// Whether deletion waits for a grace period, and how many seconds where the client says none.
    pub graceful_deletion: Option<fn(&Value) -> u64>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `boolean`, `date` ...
    pub r#type: &'static str,
    /// `name` for the first.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// 0 is shown always, above that only in wide output.
    pub priority: u8,
}

/// A field that a selector may name.
#[derive(Clone, Copy)]
pub struct Selectable {
    /// `spec.nodeName`
    pub name: &'static str,
    /// Its value in an object, empty where it has none.
    pub value: fn(&Value) -> String,
}
