//! Blobs: to find, read, mount and delete.

use std::fmt;
use std::io;

use deploy_model::image::Digest;

use crate::change::Change;
use crate::disk::File;
use crate::error::RegistryError;
use crate::name;
use crate::registry::Registry;

/// A blob that is open. It stays readable when it is deleted meanwhile.
pub struct Blob {
    file: Box<dyn File>,
    size: u64,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Blob {
    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills the buffer from this byte on.
    ///
    /// # Errors
    /// The disk's; [`io::ErrorKind::UnexpectedEof`] beyond the end.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// All bytes from the first one on.
    pub fn reader(self) -> BlobReader {
        BlobReader {
            blob: self,
            offset: 0,
        }
    }
}

/// Reads a blob from its start.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    offset: u64,
}

impl io::Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.blob.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Registry {
    /// How many bytes a blob of a repository has, if it is there. Who was told keeps it from being collected for some
    /// time. Does not wait.
    pub fn has_blob(&self, repository: &str, digest: &Digest) -> Option<u64> {
        let state = self.state();
        let (_, blob) = state.blob(repository, digest)?;
        blob.touch(self.now());
        Some(blob.size)
    }

    /// Opens a blob of a repository.
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`], or the disk's.
    pub fn open_blob(&self, repository: &str, digest: &Digest) -> Result<Blob, RegistryError> {
        let size = self.has_blob(repository, digest);
        let size = size.ok_or_else(|| RegistryError::BlobUnknown {
            digest: digest.clone(),
        })?;
        let file = self.open_file(digest)?;
        Ok(Blob { file, size })
    }

    /// Gives a repository the blob that another one has. False: that one has it not.
    ///
    /// # Errors
    /// [`RegistryError::NameInvalid`], or the disk's.
    pub fn mount(&self, repository: &str, from: &str, digest: &Digest) -> Result<bool, RegistryError> {
        name::repository(repository)?;
        if self.has_blob(from, digest).is_none() {
            return Ok(false);
        }
        let mounted = self.change(Change::Mount {
            repository: repository.to_owned(),
            from: from.to_owned(),
            digest: digest.clone().into(),
        });
        match mounted {
            Ok(_) => Ok(true),
            Err(RegistryError::BlobUnknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The repositories that have a blob. Does not wait.
    pub fn holders(&self, digest: &Digest) -> Vec<String> {
        let state = self.state();
        let has = |name: &&String| state.blob(name, digest).is_some();
        state.repositories.keys().filter(has).cloned().collect()
    }

    /// Takes a blob from a repository. Its file goes when no repository has it any more.
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`]; [`RegistryError::BlobInUse`] while a manifest of the repository names it.
    pub fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<(), RegistryError> {
        self.change(Change::DropBlob {
            repository: repository.to_owned(),
            digest: digest.clone().into(),
        })?;
        Ok(())
    }
}
