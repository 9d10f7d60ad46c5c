//! The group `rbac.authorization.k8s.io`.

pub mod binding;
pub mod role;

/// The name of the group.
const GROUP: &str = "rbac.authorization.k8s.io";
