//! Tests of this crate against cases from outside.

mod decode;
mod discovery;
mod golden;
mod hostile;
mod openapi;
mod laws;
mod patches;
mod registry;
mod server_side_apply;
mod smd_schema;
mod strategic;
mod structured_merge;
mod structural;
mod typed;
