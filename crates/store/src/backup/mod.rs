//! Backup of a whole data folder to one file, and back.
//!
//! The file is a tar archive compressed with gzip, so that any tool can look into it. Databases are in it as SQLite's own
//! consistent copies, everything else as files. Its last member is the manifest with the digest of each of the others: an
//! archive that was cut has none. Both [`create`] and [`restore`] put their result in place in one step, whole or not at all.

mod archive;
mod create;
mod manifest;
mod restore;
pub(crate) mod snapshot;

use std::path::{Path, PathBuf};

pub use create::{Created, create};
pub use manifest::{Entry, Kind, LedgerState, Manifest, Name};
pub use restore::{restore, verify};

use crate::error::OpenError;

/// Databases in a data folder, each copied in one piece: ours, and the cluster's.
pub(crate) const DATABASES: &[&str] = &["ledger.db", "cluster/revisions.db"];

/// What a backup leaves out, with what is below it, and why: `/` at the end means a folder.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("ledger.lock", "belongs to a process"),
    ("ledger.db-wal", "is in the copy of the database"),
    ("ledger.db-shm", "belongs to processes"),
    ("cluster/lock", "belongs to a process"),
    ("cluster/revisions.db-wal", "is in the copy of the database"),
    ("cluster/revisions.db-shm", "belongs to processes"),
    ("cluster/images/", "images are pulled again"),
    ("cluster/node/sandboxes/", "containers are started anew"),
    ("cluster/pods/", "pods are started anew"),
];

/// Why a backup is not made, not whole, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such folder or file.
    #[error("{} does not exist", .path.display())]
    Missing {
        /// What is missing.
        path: PathBuf,
    },
    /// The file of the backup exists already.
    #[error("{} exists already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file of the backup would be part of the backup.
    #[error("{} lies in the data folder", .path.display())]
    Inside {
        /// The file.
        path: PathBuf,
    },
    /// A data folder is restored into an empty folder only.
    #[error("{} is not empty", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The archive is not what was made.
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A newer Deploy made the archive.
    #[error("{} has format {found}; this version reads up to {known}", .path.display())]
    Newer {
        /// The archive.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this version reads.
        known: u32,
    },
    /// A file became shorter while it was copied.
    #[error("{} changed while it was copied", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// More than a backup holds.
    #[error("{what} exceed the bound of {limit}")]
    TooLarge {
        /// Which bound.
        what: &'static str,
        /// Its value.
        limit: u64,
    },
    /// A database cannot be copied.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The disk is full.
    #[error("no space left for {}", .path.display())]
    Full {
        /// What was being written.
        path: PathBuf,
    },
    /// The operating system refuses something else.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its words.
        reason: String,
    },
}

impl BackupError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> BackupError {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BackupError::Full { path },
            ErrorKind::NotFound => BackupError::Missing { path },
            _ => BackupError::Io {
                path,
                reason: error.to_string(),
            },
        }
    }
}

/// Removes a file or folder of ours when its making ends early.
pub(crate) struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    pub fn new(path: PathBuf) -> Unfinished {
        Unfinished { path }
    }

    /// It is finished, and stays (under whatever name it has now).
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What cannot be removed is named so that people see what it is.
        if self.path.is_dir() {
            drop(std::fs::remove_dir_all(&self.path));
        } else {
            drop(std::fs::remove_file(&self.path));
        }
    }
}
