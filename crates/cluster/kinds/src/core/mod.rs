//! The core group.

pub mod claim_spec;
pub mod config_map;
pub mod pod;
pub mod pod_template;
pub mod replication_controller;
