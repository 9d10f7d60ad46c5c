//! What the schema cannot say, kind by kind: defaults, validation, what a write may change, table columns, selectable
//! fields, conversions. Pure: objects in, objects and findings out; the time is a parameter.
//!
//! A kind is one row of [`rules`] and one file in the folder of its group; kinds without a row are served generically.
//!
//! Start at [`rules::find`]; [`core::config_map`] is a small complete kind to copy. Objects are read through
//! [`cursor::Field`], which knows where it is and so makes findings, and changed through [`edit::Edit`]. What makes pods
//! from a template shares [`workload`] and [`core::pod`]. Tests: `cargo test -p deploy-cluster-kinds`; `tests/it/oracle.rs`
//! replays what the real API server answered (`fixtures/cluster/oracle`).

pub mod admission_registration;
pub mod apiextensions;
pub mod apps;
pub mod autoscaling;
pub mod batch;
mod cell;
pub mod certificates;
mod check;
pub mod cidr;
mod conditions;
pub mod coordination;
pub mod node;
pub mod policy;
pub mod rbac;
pub mod scheduling;
pub mod storage;
#[rustfmt::skip]
pub mod columns;
pub mod core;
pub mod cursor;
pub mod discovery;
pub mod edit;
pub mod field;
pub mod flow_control;
pub mod internal;
pub mod ip;
pub mod labels;
mod limits;
pub mod metadata;
pub mod names;
pub mod networking;
mod pem;
pub mod quantity;
pub mod registration;
pub mod resource;
pub mod resources;
pub mod rules;
pub mod selector;
pub mod table;
mod unified_diff;
mod webhook;
pub mod workload;
