//! The network of one cluster on this machine: its bridge, its pods' links, its ruleset.

mod cluster;
mod error;
mod ground;
mod pods;
mod probe;

pub use cluster::{Network, Options};
pub use error::NetError;
pub use pods::Attachment;
