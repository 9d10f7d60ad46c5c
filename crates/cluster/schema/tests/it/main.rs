//! Tests of this crate against cases from outside.

mod decode;
mod golden;
mod registry;
mod smd_schema;
mod structured_merge;
mod typed;
