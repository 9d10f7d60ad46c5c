//! Who manages which fields of an object.

use std::collections::BTreeMap;
use std::fmt;

use crate::fields::{Set, quote};

/// All managers of an object and what each of them owns.
pub type Managers = BTreeMap<Manager, Owned>;

/// Who writes to an object. Two updates of one name in two versions are two managers; an applier is one manager in
/// whatever version it applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Manager {
    /// The field manager that the client names (`kubectl`, `kube-controller-manager`).
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// The version it writes in; empty for appliers.
    pub api_version: String,
    /// The subresource it writes to; empty for the object itself.
    pub subresource: String,
}

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By create, update or any other patch.
    Update,
}

/// The fields of one manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The fields, as this version of the object has them.
    pub fields: Set,
    /// The version: `apps/v1`.
    pub api_version: String,
    /// Whether the manager applies, so that it means to own exactly these.
    pub applied: bool,
}

impl Operation {
    /// The word in `metadata.managedFields`.
    pub fn word(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// As a conflict names it: `"kubectl" with subresource "status" using apps/v1` (`managedfields/internal/conflict.go`).
impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        quote(&self.name, &mut text);
        if !self.subresource.is_empty() {
            text.push_str(" with subresource ");
            quote(&self.subresource, &mut text);
        }
        if self.operation == Operation::Update {
            text.push_str(" using ");
            text.push_str(&self.api_version);
        }
        f.write_str(&text)
    }
}
