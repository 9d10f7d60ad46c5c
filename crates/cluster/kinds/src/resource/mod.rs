//! Kinds of `resource.k8s.io`, dynamic resource allocation.

pub mod claim;
pub mod device_class;
pub mod slice;
