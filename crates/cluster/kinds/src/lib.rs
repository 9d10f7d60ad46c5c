//! What the schema cannot say, kind by kind: defaults, validation, what a write may change, table columns, selectable
//! fields, conversions. Pure: objects in, objects and findings out; the time is a parameter.
//!
//! A kind is one row of [`rules`] and one file in the folder of its group; kinds without a row are served generically.

pub mod field;
pub mod rules;
