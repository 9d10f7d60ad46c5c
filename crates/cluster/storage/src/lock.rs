//! The data folder: private to its user, and open in one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::OpenError;

const LOCK: &str = "lock";
const DATABASE: &str = "revisions.db";

/// The right to work on a data folder, until it is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    /// Dropping it gives the lock back; the operating system does so for a process that dies.
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing (mode 0700: Secrets are inside), and takes it.
    pub fn take(path: &Path) -> Result<Folder, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| refused(path, error))?;
        let lock_path = path.join(LOCK);
        let mut lock = private(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    dir: path.to_owned(),
                    pid: owner(&mut lock),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refused(&lock_path, error)),
        }
        note_owner(&mut lock).map_err(|error| refused(&lock_path, error))?;
        Ok(Folder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Makes an empty database file that only its user may read: SQLite gives its log the same mode.
    pub fn create_database(&self) -> Result<(), OpenError> {
        private(&self.database()).map(drop)
    }

    /// Makes the name of a new file as lasting as its content: a file whose folder was not synced may be gone after a
    /// power cut, synced content and all.
    pub fn sync(&self) -> Result<(), OpenError> {
        File::open(&self.path)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| refused(&self.path, error))
    }
}

fn private(path: &Path) -> Result<File, OpenError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| refused(path, error))
}

fn owner(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn note_owner(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", std::process::id())
}

pub(crate) fn refused(path: &Path, error: std::io::Error) -> OpenError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::Full {
            path: path.to_owned(),
        },
        _ => OpenError::Io {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    }
}
