//! Transformations of single resources: what the fields `labels`, `namespace`, `images`, `replacements` and their kin do
//! to one object.
//!
//! - **What it is:** functions over one [`Node`](deploy_yaml::node::Node). Where they act is said by
//!   [`field_spec::FieldSpecs`], whose paths are split once and whose specs are grouped by kind.
//! - **What it refuses to know:** the list of resources, which of them are selected, names of resources.
//! - **Entry point:** one module each.

pub mod annotations;
mod entry;
mod error;
pub mod field_path;
pub mod field_spec;
pub mod images;
pub mod labels;
pub mod namespace;
pub mod prefix_suffix;
pub mod replacement;
pub mod replicas;

pub use error::Error;
