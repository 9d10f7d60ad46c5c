//! From rendered files to manifests and hooks: what helm reads of each object, and the order of installation.

pub mod head;
pub mod hooks;
pub mod sort;
