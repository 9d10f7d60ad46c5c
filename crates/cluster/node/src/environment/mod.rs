//! What a container finds around it: its environment variables, command and arguments, `/etc/hosts`, `/etc/hostname`,
//! `/etc/resolv.conf` and the file of its last words.
//!
//! All but [`files`] is pure: from a pod and the objects that it names ([`Lookups`]) to texts.

pub mod dns;
pub mod expansion;
pub mod fields;
pub mod files;
pub mod hosts;
mod links;
mod lookups;
mod variables;

#[cfg(test)]
pub(crate) use self::lookups::memory;
pub use self::lookups::{FromApi, Lookups};
pub use self::variables::{assemble, resolve};

use std::net::IpAddr;

/// The state that a container waits in when its configuration cannot be made.
pub const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";

/// Why the configuration of a container cannot be made: the reason is `CreateContainerConfigError`, the text upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The addresses that a pod can ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Of the pod; empty while it has none.
    pub pod: Vec<IpAddr>,
    /// Of its node.
    pub host: Vec<IpAddr>,
}
