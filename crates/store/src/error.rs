//! What can go wrong, by what the caller does about it.

use std::path::{Path, PathBuf};

use crate::line::Seq;

/// Who has a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process.
    pub pid: u32,
    /// What it called itself when it opened the ledger, as in `deploy run ci`.
    pub program: String,
}

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another ledger of this one, has it.
    #[error("{} is in use by {}", .path.display(), whose(.owner.as_ref()))]
    Locked {
        /// The database.
        path: PathBuf,
        /// Who has it, when its note could be read.
        owner: Option<Owner>,
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
    /// An older Deploy wrote it, and it was opened for reading only, so that it cannot be migrated.
    #[error("{} has format {found}, which the server migrates to {known} when it starts", .path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format that this version reads.
        known: i64,
    },
    /// There is none, and it was opened for reading only.
    #[error("{} does not exist", .path.display())]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// It is damaged, or no database of ours.
    #[error("{} is damaged: {reason}", .path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A projection cannot be made from the lines: a mistake of its author.
    #[error("the projection {name} cannot be made{}: {reason}", at(*.seq))]
    Projection {
        /// Its name.
        name: &'static str,
        /// The line that it stumbled over, when it was one.
        seq: Option<Seq>,
        /// Its words, or SQLite's.
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

fn whose(owner: Option<&Owner>) -> String {
    match owner {
        None => "another process".to_owned(),
        Some(Owner { pid, program }) if program.is_empty() => format!("process {pid}"),
        Some(Owner { pid, program }) => format!("process {pid} ({program})"),
    }
}

fn at(seq: Option<Seq>) -> String {
    seq.map_or_else(String::new, |seq| format!(" at line {seq}"))
}

impl OpenError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> OpenError {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => OpenError::Full { path },
            _ => OpenError::Io {
                path,
                reason: error.to_string(),
            },
        }
    }

    pub(crate) fn sql(path: &Path, error: &rusqlite::Error) -> OpenError {
        let path = path.to_owned();
        let reason = error.to_string();
        match refusal(error) {
            Refusal::Full => OpenError::Full { path },
            Refusal::Corrupt => OpenError::Corrupt { path, reason },
            Refusal::Other => OpenError::Io { path, reason },
        }
    }

    pub(crate) fn corrupt(path: &Path, reason: &str) -> OpenError {
        OpenError::Corrupt {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Why lines were not appended. Nothing of them is kept, but after [`AppendError::Io`] and [`AppendError::Closed`], where
/// nobody knows until the next start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A line, or the number of lines, is beyond a bound.
    #[error("{what} of {size} exceed the bound of {limit}")]
    TooLarge {
        /// Which bound.
        what: &'static str,
        /// What there is.
        size: usize,
        /// What there may be.
        limit: usize,
    },
    /// A name has a form that no name has, or a time is out of range.
    #[error("{what} cannot be {given:?}")]
    Invalid {
        /// Which part of the line.
        what: &'static str,
        /// What it was.
        given: String,
    },
    /// A projection refuses a line: it contradicts what is known.
    #[error("{projection} refuses it: {reason}")]
    Refused {
        /// Whose rule it is.
        projection: &'static str,
        /// Its words.
        reason: String,
    },
    /// The disk is full. The next append may succeed.
    #[error("no space left on the disk")]
    Full,
    /// The disk failed.
    #[error("the disk failed: {reason}")]
    Io {
        /// SQLite's words.
        reason: String,
    },
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}

impl From<&rusqlite::Error> for AppendError {
    fn from(error: &rusqlite::Error) -> AppendError {
        match refusal(error) {
            Refusal::Full => AppendError::Full,
            Refusal::Corrupt | Refusal::Other => AppendError::Io {
                reason: error.to_string(),
            },
        }
    }
}

/// Why lines cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The question is beyond a bound.
    #[error("{what} of {size} exceed the bound of {limit}")]
    TooLarge {
        /// Which bound.
        what: &'static str,
        /// What there is.
        size: usize,
        /// What there may be.
        limit: usize,
    },
    /// A line is not what was written.
    #[error("the ledger is damaged: {reason}")]
    Corrupt {
        /// What does not fit.
        reason: String,
    },
    /// The disk failed, or a projection's question is no SQL.
    #[error("the ledger cannot be read: {reason}")]
    Io {
        /// SQLite's words.
        reason: String,
    },
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> ReadError {
        let reason = error.to_string();
        match refusal(&error) {
            Refusal::Corrupt => ReadError::Corrupt { reason },
            Refusal::Full | Refusal::Other => ReadError::Io { reason },
        }
    }
}

/// How SQLite's refusals sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

pub(crate) fn malformed(text: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(text),
    )
}
