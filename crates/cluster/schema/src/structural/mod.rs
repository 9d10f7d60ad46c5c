//! The schemas of custom resources: whether they may be used, and what they do to objects.
//!
//! [`check`] says what is wrong with a schema of a definition. [`Structural::parse`] makes one ready; with it objects are
//! pruned ([`Structural::prune`]), filled with defaults ([`Structural::fill_defaults`]) and validated
//! ([`Structural::validate`]), in this order. [`types`] makes the types that server-side apply needs.
//!
//! Facts: `apiextensions-apiserver/pkg/apiserver/schema`, `pkg/apiserver/validation`,
//! `pkg/apis/apiextensions/validation`; `kube-openapi/pkg/validation/validate`.

mod check;
mod coerce;
mod defaults;
mod finding;
mod formats;
mod invariants;
mod parse;
mod patterns;
mod prune;
mod types;
mod validate;

use std::collections::BTreeMap;

use serde_json::Value;

pub use check::{Place, check, unrecognized_formats};
pub use finding::{Finding, FindingKind};
pub use types::types;

/// A schema. Below `allOf` and its like it is one that only restricts values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structural {
    /// `object`, `array`, `string` ...; empty if it is not said.
    pub r#type: String,
    /// What the items of a list are.
    pub items: Option<Box<Structural>>,
    /// Known fields.
    pub properties: BTreeMap<String, Structural>,
    /// What other fields are.
    pub additional: Option<Additional>,
    /// What it is where it is absent.
    pub default: Option<Value>,
    /// `null` is a value of it.
    pub nullable: bool,
    /// Unknown fields are kept (`x-kubernetes-preserve-unknown-fields`).
    pub preserves_unknown: bool,
    /// It is a whole object with `apiVersion`, `kind`, `metadata` (`x-kubernetes-embedded-resource`).
    pub embedded: bool,
    /// It is a number or a text (`x-kubernetes-int-or-string`).
    pub int_or_string: bool,
    /// `atomic`, `set` or `map`.
    pub list_type: Option<String>,
    /// The fields that name an item of a list of type `map`.
    pub list_map_keys: Vec<String>,
    /// `atomic` or `granular`.
    pub map_type: Option<String>,
    /// It has rules in CEL (`x-kubernetes-validations`).
    pub has_rules: bool,
    /// What restricts its values.
    pub limits: Limits,
}

/// What fields that have no schema of their own are.
#[derive(Clone, Debug, PartialEq)]
pub enum Additional {
    /// Anything, or nothing.
    Any(bool),
    /// Of this schema.
    Schema(Box<Structural>),
}

/// What restricts the values of a schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The format of a text.
    pub format: String,
    /// The largest number.
    pub maximum: Option<f64>,
    /// The largest number is itself too large.
    pub exclusive_maximum: bool,
    /// The smallest number.
    pub minimum: Option<f64>,
    /// The smallest number is itself too small.
    pub exclusive_minimum: bool,
    /// What a number must be a multiple of.
    pub multiple_of: Option<f64>,
    /// In characters.
    pub max_length: Option<i64>,
    /// In characters.
    pub min_length: Option<i64>,
    /// A regular expression.
    pub pattern: Option<patterns::Pattern>,
    /// Of a list.
    pub max_items: Option<i64>,
    /// Of a list.
    pub min_items: Option<i64>,
    /// Of an object.
    pub max_properties: Option<i64>,
    /// Of an object.
    pub min_properties: Option<i64>,
    /// Fields that must be there.
    pub required: Vec<String>,
    /// The only values.
    pub values: Vec<Value>,
    /// All must hold.
    pub all_of: Vec<Structural>,
    /// One must hold.
    pub any_of: Vec<Structural>,
    /// Exactly one must hold.
    pub one_of: Vec<Structural>,
    /// It must not hold.
    pub not: Option<Box<Structural>>,
}

impl Structural {
    /// Whether there are rules in CEL here or below, which are not enforced.
    pub fn has_rules_anywhere(&self) -> bool {
        let limits = &self.limits;
        let below = limits.all_of.iter().chain(&limits.any_of).chain(&limits.one_of);
        let additional = match &self.additional {
            Some(Additional::Schema(schema)) => Some(&**schema),
            _ => None,
        };
        self.has_rules
            || self.properties.values().any(Structural::has_rules_anywhere)
            || below
                .chain(limits.not.as_deref())
                .any(Structural::has_rules_anywhere)
            || self.items.iter().any(|items| items.has_rules_anywhere())
            || additional.is_some_and(Structural::has_rules_anywhere)
    }

    /// The schema of a field, if it has one.
    fn field(&self, name: &str) -> Option<&Structural> {
        self.properties.get(name).or(match &self.additional {
            Some(Additional::Schema(schema)) => Some(schema),
            _ => None,
        })
    }
}
