//! Files that appear whole or not at all, locks between processes, temporary folders.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::StoreError;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Beside others of its kind.
    Shared,
    /// Alone; waits.
    Alone,
}

/// Waits for the lock; it ends with the file.
pub fn lock(path: &Path, sharing: Sharing) -> Result<File, StoreError> {
    let operation = match sharing {
        Sharing::Shared => FlockOperation::LockShared,
        Sharing::Alone => FlockOperation::LockExclusive,
    };
    let file = open(path)?;
    loop {
        match rustix::fs::flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(StoreError::disk(path, errno.into())),
        }
    }
}

/// The lock alone, if nobody else has it.
pub fn try_lock(path: &Path) -> Result<Option<File>, StoreError> {
    let file = open(path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(StoreError::disk(path, errno.into())),
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| StoreError::disk(path, error))
}

/// Writes a file of a folder as a whole: a crash leaves the old one or the new one.
pub fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = folder.join(name);
    let part = folder.join(format!(".{name}.part"));
    let written = File::create(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, &path))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| {
        // A full disk leaves half of a file that nobody reads.
        let _ = fs::remove_file(&part);
        StoreError::disk(&path, error)
    })
}

/// Layers hold setuid programs of strangers: nobody but the owner may reach them.
pub fn close_to_others(folder: &Path) -> Result<(), StoreError> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))
        .map_err(|error| StoreError::disk(folder, error))
}

/// A folder that is gone when this is dropped, unless it was renamed. Its lock tells a sweep that it is in use.
#[derive(Debug)]
pub struct Scratch {
    pub path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new folder below `parent`.
    pub fn new(parent: &Path) -> Result<Self, StoreError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| StoreError::disk(parent, io::Error::other(error.to_string())))?;
        let path = parent.join(format!("{:016x}", u64::from_le_bytes(random)));
        fs::create_dir(&path).map_err(|error| StoreError::disk(&path, error))?;
        let lock = File::open(&path).map_err(|error| StoreError::disk(&path, error))?;
        rustix::fs::flock(&lock, FlockOperation::LockShared)
            .map_err(|errno| StoreError::disk(&path, errno.into()))?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now, the next sweep tries again.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes temporary folders whose process is gone.
pub fn sweep(parent: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(parent).map_err(|error| StoreError::disk(parent, error))?;
    for entry in entries {
        let path = entry.map_err(|error| StoreError::disk(parent, error))?.path();
        let Ok(folder) = File::open(&path) else { continue };
        if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // What does not go costs room on the disk; a store that does not open would cost all images.
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}
