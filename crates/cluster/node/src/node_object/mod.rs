//! The Node object: registration, capacity, conditions, heartbeats and the lease in `kube-node-lease`.
//!
//! [`object`] is pure: what a machine is ([`Facts`]) and how it is now ([`Pressure`]) become objects. [`machine`] reads the
//! machine; [`run`] keeps the API server informed.

pub mod machine;
mod object;
mod run;

pub use object::{Facts, Pressure, lease, node, status};
pub use run::{Heart, NodeError};
