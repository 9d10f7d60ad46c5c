//! The data folder: private to its user, and its ledger open for writing in one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{OpenError, Owner};

/// The database of the ledger.
pub(crate) const DATABASE: &str = "ledger.db";
/// Who has it.
pub(crate) const LOCK: &str = "ledger.lock";
/// Bytes of a note: a number, a line feed, a command.
const NOTE_BYTES: u64 = 256;

/// The right to write to the ledger of a data folder, until it is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    /// Dropping it gives the lock back; the operating system does so for a process that dies.
    _lock: File,
}

impl Folder {
    /// Makes the folder when it is missing (mode 0700: secrets are inside), and takes its ledger.
    pub fn take(path: &Path, program: &str) -> Result<Folder, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| OpenError::io(path, &error))?;
        let lock_path = path.join(LOCK);
        let mut lock = private(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    path: path.join(DATABASE),
                    owner: owner(&mut lock),
                });
            }
            Err(TryLockError::Error(error)) => return Err(OpenError::io(&lock_path, &error)),
        }
        note(&mut lock, program).map_err(|error| OpenError::io(&lock_path, &error))?;
        Ok(Folder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
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
        sync_folder(&self.path).map_err(|error| OpenError::io(&self.path, &error))
    }
}

pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path).and_then(|dir| dir.sync_all())
}

fn private(path: &Path) -> Result<File, OpenError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| OpenError::io(path, &error))
}

fn owner(lock: &mut File) -> Option<Owner> {
    let mut text = String::new();
    lock.take(NOTE_BYTES).read_to_string(&mut text).ok()?;
    let (pid, program) = text.split_once('\n')?;
    Some(Owner {
        pid: pid.trim().parse().ok()?,
        program: program.trim().to_owned(),
    })
}

fn note(lock: &mut File, program: &str) -> std::io::Result<()> {
    let program: String = program.chars().filter(|c| !c.is_control()).take(100).collect();
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    write!(lock, "{}\n{program}\n", std::process::id())
}
