//! The core group.

pub mod claim_spec;
pub mod config_map;
pub mod pod;
