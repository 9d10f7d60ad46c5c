//! Tests of this crate against cases from outside.

mod decode;
mod discovery;
mod golden;
mod hostile;
mod laws;
mod openapi;
mod patches;
mod registry;
mod server_side_apply;
mod smd_schema;
mod strategic;
mod structural;
mod structured_merge;
mod typed;
