//! What can go wrong, one variant for each decision that a caller takes.

use std::path::PathBuf;

use deploy_image::StoreError;
use deploy_sandbox::{OpenError, SandboxError};

/// Why jobs cannot be run on this machine, or not as they are.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// No sandboxes here.
    #[error(transparent)]
    Machine(#[from] OpenError),
    /// No network with a way out.
    #[error("jobs cannot get a network with a way out: {0}")]
    Network(String),
    /// A job's own network cannot be made.
    #[error("a job cannot get a network of its own")]
    Namespace(#[source] std::io::Error),
    /// The image that a label stands for is not in the store.
    #[error("the image {name} is not in the store: load it with `deploy cluster image load`")]
    NoImage {
        /// Its name.
        name: String,
    },
    /// The store of images cannot be used.
    #[error(transparent)]
    Images(#[from] StoreError),
    /// A sandbox does not do what it should.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file or folder of ours cannot be used.
    #[error("cannot {doing} {}", path.display())]
    Files {
        /// What was being done: `make`, `read`.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server ends.
    #[error("the runner stops")]
    Stopped,
}

impl JobsError {
    pub(crate) fn files(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> JobsError {
        let path = path.into();
        move |source| JobsError::Files { doing, path, source }
    }

    /// The error with its causes, in one line for people.
    pub fn told(&self) -> String {
        deploy_model::with_causes(self)
    }
}
