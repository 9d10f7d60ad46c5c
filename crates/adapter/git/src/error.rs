//! What can go wrong, by what the caller does about it.

use std::path::{Path, PathBuf};

use crate::name::RepositoryName;

/// Why something with Git did not work.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is not there.
    #[error("the program git is not installed, or not on the PATH")]
    NoProgram,
    /// The program is too old for what we ask of it.
    #[error("git {found} is too old; 2.36 or newer is needed")]
    OldProgram {
        /// Its version.
        found: String,
    },
    /// There is no such repository.
    #[error("there is no repository {name}")]
    NoRepository {
        /// Its name.
        name: RepositoryName,
    },
    /// There is one already.
    #[error("the repository {name} exists already")]
    Exists {
        /// Its name.
        name: RepositoryName,
    },
    /// There is no such commit, or no such path in it.
    #[error("{what} does not exist")]
    NotFound {
        /// The commit, or `commit:path`.
        what: String,
    },
    /// More than a bound.
    #[error("{what} exceeds the bound of {limit}")]
    TooLarge {
        /// Which bound.
        what: String,
        /// Its value.
        limit: u64,
    },
    /// What was given has a form that nothing of its kind has.
    #[error("{what} cannot be {given:?}")]
    Invalid {
        /// What it is.
        what: &'static str,
        /// What it was.
        given: String,
    },
    /// A commit that was to be the parent is not the newest any more, again and again.
    #[error("others keep changing {reference}")]
    Contended {
        /// The reference.
        reference: String,
    },
    /// A folder that was to be filled is not empty.
    #[error("{} is not empty", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Git took too long.
    #[error("git {what} took longer than {seconds} s")]
    TimedOut {
        /// Its command.
        what: &'static str,
        /// How long it was given.
        seconds: u64,
    },
    /// Git refuses, in its own words.
    #[error("git {what}: {reason}")]
    Refused {
        /// Its command.
        what: &'static str,
        /// What it says.
        reason: String,
    },
    /// The operating system refuses.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file, folder or program.
        path: PathBuf,
        /// Its words.
        reason: String,
    },
    /// Everything was closed already.
    #[error("the repositories are closed")]
    Closed,
}

impl GitError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> GitError {
        GitError::Io {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
