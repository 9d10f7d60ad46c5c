//! What can go wrong, one variant for each decision that a caller takes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Why there can be no sandboxes on this machine.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The process is not root, or lacks a capability that root normally has.
    #[error("containers need {missing}: run as root")]
    Privilege {
        /// What is missing, such as `CAP_SYS_ADMIN`.
        missing: String,
    },
    /// The kernel or its set-up lacks something.
    #[error("containers need {missing}: {remedy}")]
    Missing {
        /// What is missing.
        missing: String,
        /// How to get it.
        remedy: String,
    },
    /// The root folder cannot be used.
    #[error("the folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SandboxError {
    /// The request itself makes no sense; asking again changes nothing.
    #[error("{0}")]
    Invalid(String),
    /// There is no such container.
    #[error("container {0} does not exist")]
    NotFound(String),
    /// There already is one of this id.
    #[error("{0} already exists")]
    Exists(String),
    /// The container is in another state than the request needs.
    #[error("container {id} {state}")]
    State {
        /// Which.
        id: String,
        /// `is not running`, `has been started`.
        state: String,
    },
    /// The program cannot be executed: not found, no permission, wrong format. The text is the one that users of
    /// containerd know.
    #[error("{0}")]
    Program(String),
    /// The runtime failed: a mount, a cgroup, a namespace.
    #[error("{0}")]
    Runtime(String),
    /// A bound of this crate is reached.
    #[error("{0}")]
    Limit(String),
    /// The shim is gone or does not answer.
    #[error("the sandbox is lost: {0}")]
    Lost(String),
}

impl SandboxError {
    pub(crate) fn runtime(doing: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        SandboxError::Runtime(format!("{doing}: {error}"))
    }
}
