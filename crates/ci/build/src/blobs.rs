//! Packed layers beside the image store, by digest: what is pushed and exported.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use deploy_model::image::Digest;

use crate::error::BuildError;
use crate::limits;

/// The folder of packed layers.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    pub fn open(folder: PathBuf) -> Result<Self, BuildError> {
        fs::create_dir_all(&folder).map_err(|error| BuildError::disk(&folder, error))?;
        Ok(Self { folder })
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    pub fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|data| data.len() == size)
    }

    /// A new file that is gone unless it is kept.
    pub fn begin(&self) -> Result<Part, BuildError> {
        let path = self.folder.join(format!(".{:016x}.part", random()));
        let file = File::create_new(&path).map_err(|error| BuildError::disk(&path, error))?;
        Ok(Part { path, file })
    }

    /// Keeps a whole file under its digest.
    pub fn keep(&self, part: &Part, digest: &Digest) -> Result<(), BuildError> {
        let target = self.path(digest);
        let kept = part
            .file
            .sync_all()
            .and_then(|()| fs::rename(&part.path, &target));
        kept.map_err(|error| BuildError::disk(&target, error))
    }

    /// Notes that a layer is in use, for [`Blobs::clean`].
    pub fn touch(&self, digest: &Digest, now: SystemTime) {
        // A layer that went meanwhile is made again.
        if let Ok(file) = File::open(self.path(digest)) {
            let _ = file.set_modified(now);
        }
    }

    /// Removes what was used longest ago until the rest fits, and parts whose build is gone.
    pub fn clean(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let data = entry.metadata()?;
            files.push((data.modified()?, data.len(), entry.path()));
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= limits::KEPT_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

/// A file in the making.
#[derive(Debug)]
pub struct Part {
    pub path: PathBuf,
    pub file: File,
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already if it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name that nobody else has.
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the process' number and the address of a variable still tell builds apart.
    if getrandom::fill(&mut bytes).is_err() {
        return u64::from(std::process::id()) << 32 | u64::from(std::ptr::from_ref(&bytes).addr() as u32);
    }
    u64::from_le_bytes(bytes)
}

/// Writes a file as a whole: whoever reads sees the old one or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let part = path.with_extension(format!("{:016x}.part", random()));
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        BuildError::disk(path, error)
    })
}
