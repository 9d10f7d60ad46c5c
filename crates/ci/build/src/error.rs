//! Why there is no image.

use std::io;
use std::path::{Path, PathBuf};

use deploy_dockerfile::Problem;
use deploy_image::StoreError;

/// Why a build did not end with an image. Nothing is left of it but what the next one may use.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile, `.dockerignore` or context cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The Dockerfile or `.dockerignore` is wrong, or what was asked does not fit it.
    #[error("{} has {} problems", file.display(), problems.len())]
    Problems {
        /// The file.
        file: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// A base image, or one that files are copied from, is not to be had.
    #[error("{place}: no image {name}: {reason}")]
    Base {
        /// File and line.
        place: String,
        /// The image.
        name: String,
        /// Why.
        reason: String,
    },
    /// A step's program failed.
    #[error("{place}: {step} ended with {code}")]
    Failed {
        /// File and line.
        place: String,
        /// The step as it is written.
        step: String,
        /// Its exit code.
        code: i32,
        /// The last lines that it said.
        last: Vec<String>,
    },
    /// A step cannot be carried out.
    #[error("{place}: {step}: {reason}")]
    Step {
        /// File and line.
        place: String,
        /// The step as it is written.
        step: String,
        /// Why.
        reason: String,
        /// What helps; may be empty.
        hint: String,
    },
    /// This machine or user cannot run steps.
    #[error("steps cannot be run: {reason}")]
    Machine {
        /// Why.
        reason: String,
    },
    /// The image store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The builder's folder or an output cannot be used.
    #[error("cannot use {}", path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image is built, and could not be pushed.
    #[error("cannot push {name}: {reason}")]
    Push {
        /// The reference.
        name: String,
        /// Why.
        reason: String,
    },
    /// Somebody ended the build.
    #[error("the build was ended")]
    Cancelled,
}

impl BuildError {
    pub(crate) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            source,
        }
    }
}

/// Why a step cannot be carried out, before its place is known.
#[derive(Debug)]
pub(crate) struct StepError {
    pub reason: String,
    pub hint: String,
}

impl StepError {
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: String::new(),
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// An operation on a file that failed.
    pub fn file(doing: &str, path: impl AsRef<Path>, error: impl std::fmt::Display) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.as_ref().display()))
    }
}
