//! What can go wrong, by what the caller does about it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Entry;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, works on the folder.
    #[error("{} is in use by {}", .dir.display(), owner(*.pid))]
    Locked {
        /// The data folder.
        dir: PathBuf,
        /// The owner, when its note could be read.
        pid: Option<u32>,
    },
    /// A newer Deploy wrote it.
    #[error("{} has format {found}; this version reads up to {known}", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that this version reads.
        known: i64,
    },
    /// It is damaged, or no database of ours.
    #[error("{} is damaged: {reason}", .path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The disk is full.
    #[error("no space left for {}", .path.display())]
    Full {
        /// The database or its folder.
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

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Why a write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// What was expected does not hold.
    #[error("the object is not as expected")]
    Conflict {
        /// What there is.
        current: Option<Arc<Entry>>,
    },
    /// The disk is full. Nothing of this write is kept; the next one may succeed.
    #[error("no space left on the disk")]
    Full,
    /// The disk failed. This write was not acknowledged, and was not shown to anybody.
    #[error("the disk failed: {reason}")]
    Io {
        /// SQLite's words.
        reason: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Why an old state cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was compacted.
    #[error("revision {requested} was compacted; the oldest is {oldest}")]
    Compacted {
        /// What was asked for.
        requested: u64,
        /// The oldest revision whose state is known.
        oldest: u64,
    },
    /// The disk failed.
    #[error("the disk failed: {reason}")]
    Io {
        /// SQLite's words.
        reason: String,
    },
}

/// Why a watch ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Its reader was so slow that events which it has not seen left memory, or were compacted.
    #[error("too slow: the events after revision {seen} are gone")]
    Lagged {
        /// The last revision that it saw.
        seen: u64,
    },
    /// The disk failed while older events were read.
    #[error("the disk failed: {reason}")]
    Io {
        /// SQLite's words.
        reason: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// How SQLite's refusals sort.
pub(crate) enum Refusal {
    Full,
    Corrupt,
    Other,
}

pub(crate) fn refusal(error: &rusqlite::Error) -> Refusal {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Refusal::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Refusal::Corrupt,
        _ => Refusal::Other,
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> WriteError {
        match refusal(&error) {
            Refusal::Full => WriteError::Full,
            Refusal::Corrupt | Refusal::Other => WriteError::Io {
                reason: error.to_string(),
            },
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> ReadError {
        ReadError::Io {
            reason: error.to_string(),
        }
    }
}
