//! Structured merge: what it means, field by field, to merge, compare, validate and cut objects whose types say which
//! lists have keys and which parts have one owner.
//!
//! Everything starts at a [`Shape`], a type in its schema. Facts: structured-merge-diff v6.3.0 `typed`.

mod compare;
mod cut;
mod deduced;
mod field_set;
mod items;
mod merging;
mod resolve;
mod validate;
mod violation;

use serde_json::Value;

pub use compare::Comparison;
pub use deduced::{ATOMIC_NAME, DEDUCED_NAME, deduced};
pub use resolve::{Resolved, Shaped};
pub use violation::{Violation, Violations};

pub(crate) use violation::plain;

use crate::fields::Set;
use crate::types::{Schema, TypeId, TypeRef};

/// A type in its schema.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'s> {
    /// The schema.
    pub schema: &'s Schema,
    /// The type, with what its user overrides.
    pub r#type: TypeRef,
}

/// Whether an associative list may hold two items of the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// They are errors: what a user applies.
    Refused,
    /// They are accepted: what is stored, because kinds without that validation exist.
    Allowed,
}

impl<'s> Shape<'s> {
    /// The shape of values of a type.
    pub fn new(schema: &'s Schema, id: TypeId) -> Shape<'s> {
        Shape {
            schema,
            r#type: TypeRef {
                id,
                relationship: None,
            },
        }
    }

    /// Holds a value to its type: undeclared fields, wrong kinds of values, items without keys.
    pub fn validate(self, value: &Value, duplicates: Duplicates) -> Result<(), Violations> {
        validate::validate(self, value, duplicates)
    }

    /// `partial` laid over `base`: nothing is removed, leaves are `partial`'s; lists that `partial` mentions take its
    /// order. Both are valid values of this type.
    pub fn merge(self, base: &Value, partial: &Value) -> Result<Value, Violations> {
        merging::merge(self, base, partial)
    }

    /// What differs from `old` to `new`.
    pub fn compare(self, old: &Value, new: &Value) -> Result<Comparison, Violations> {
        compare::compare(self, old, new)
    }

    /// Every leaf and every list item that a value mentions.
    pub fn field_set(self, value: &Value) -> Set {
        field_set::field_set(self, value)
    }

    /// The value without the fields and items of the set. What loses everything becomes `null`.
    pub fn remove(self, value: Value, fields: &Set) -> Value {
        cut::remove(self, value, fields)
    }

    /// The value with only the fields and items of the set, and the key fields of the items on the way.
    pub fn extract(self, value: &Value, fields: &Set) -> Value {
        cut::extract(self, value, &cut::with_key_fields(self, value, fields))
    }

    /// The value with only the fields and items of the set.
    pub fn extract_without_keys(self, value: &Value, fields: &Set) -> Value {
        cut::extract(self, value, fields)
    }

    /// A set that was written when parts of the type had owners of their own, as this type says now: one path for what
    /// has become atomic (`typed/reconcile_schema.go`). The opposite change needs nothing.
    pub fn reconcile(self, fields: Set) -> Set {
        field_set::reconcile(self, fields)
    }

    /// See [`Set::with_named_parents`].
    pub fn with_named_parents(self, fields: Set) -> Set {
        fields.with_named_parents(self.schema, Some(self.r#type))
    }

    fn at(self, r#type: TypeRef) -> Shape<'s> {
        Shape {
            schema: self.schema,
            r#type,
        }
    }
}
