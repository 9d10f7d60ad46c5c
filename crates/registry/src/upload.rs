//! Uploads: files that grow, in one go or in chunks, until their digest is known.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use deploy_model::image::{Algorithm, Digest};

use crate::change::Change;
use crate::disk::File;
use crate::error::RegistryError;
use crate::hash::{self, Hasher};
use crate::registry::{Registry, lock};
use crate::state::State;
use crate::{limits, name};

/// An upload that nobody writes to at the moment.
#[derive(Clone)]
pub(crate) struct Parked {
    repository: String,
    offset: u64,
    safe: u64,
    /// Has seen all bytes; none after a restart.
    hasher: Option<Hasher>,
    /// When it was last written to.
    at: u64,
    /// Somebody writes to it.
    busy: bool,
}

/// An upload in the hands of the one who writes to it.
///
/// One that was begun by [`Registry::begin`] is gone when it is dropped without its end; one that a client may come
/// back to ([`Registry::begin_session`]) waits for it.
pub struct Upload {
    registry: Arc<Registry>,
    id: String,
    repository: String,
    file: Box<dyn File>,
    offset: u64,
    safe: u64,
    settled: u64,
    space_checked: u64,
    hasher: Option<Hasher>,
    is_session: bool,
    over: bool,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("repository", &self.repository)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// The uploads that the journal knows of.
pub(crate) fn found(state: &State) -> HashMap<String, Parked> {
    let parked = |upload: &crate::state::Upload| Parked {
        repository: upload.repository.clone(),
        offset: upload.offset,
        safe: upload.offset,
        hasher: None,
        at: upload.at,
        busy: false,
    };
    state
        .uploads
        .iter()
        .map(|(id, upload)| (id.clone(), parked(upload)))
        .collect()
}

impl Registry {
    /// Begins an upload of this process.
    ///
    /// # Errors
    /// [`RegistryError::NameInvalid`], or the disk's.
    pub fn begin(self: &Arc<Self>, repository: &str) -> Result<Upload, RegistryError> {
        self.begin_upload(repository, Algorithm::Sha256, false)
    }

    /// Begins an upload that a client goes on with in several requests, also after a restart.
    ///
    /// # Errors
    /// [`RegistryError::NameInvalid`], [`RegistryError::TooMany`], or the disk's.
    pub fn begin_session(
        self: &Arc<Self>,
        repository: &str,
        algorithm: Algorithm,
    ) -> Result<Upload, RegistryError> {
        self.begin_upload(repository, algorithm, true)
    }

    fn begin_upload(
        self: &Arc<Self>,
        repository: &str,
        algorithm: Algorithm,
        is_session: bool,
    ) -> Result<Upload, RegistryError> {
        name::repository(repository)?;
        let id = random_id()?;
        if is_session {
            let mut parked = lock(&self.parked);
            if parked.len() >= limits::UPLOADS {
                return Err(RegistryError::TooMany { what: "uploads" });
            }
            let session = Parked {
                repository: repository.to_owned(),
                offset: 0,
                safe: 0,
                hasher: None,
                at: self.now(),
                busy: true,
            };
            parked.insert(id.clone(), session);
        }
        let begun = self
            .disk
            .create(&self.upload_path(&id))
            .map_err(RegistryError::from);
        let begun = begun.and_then(|file| {
            if is_session {
                self.change(Change::Upload {
                    id: id.clone(),
                    repository: repository.to_owned(),
                    offset: 0,
                })?;
            }
            Ok(file)
        });
        match begun {
            Ok(file) => Ok(Upload {
                registry: self.clone(),
                id,
                repository: repository.to_owned(),
                file,
                offset: 0,
                safe: 0,
                settled: 0,
                space_checked: 0,
                hasher: Some(Hasher::new(algorithm)),
                is_session,
                over: false,
            }),
            Err(error) => {
                lock(&self.parked).remove(&id);
                Err(error)
            }
        }
    }

    /// Takes up a session.
    ///
    /// # Errors
    /// [`RegistryError::UploadUnknown`]; [`RegistryError::UploadInvalid`] while another request writes to it.
    pub fn resume(self: &Arc<Self>, repository: &str, id: &str) -> Result<Upload, RegistryError> {
        let session = {
            let mut parked = lock(&self.parked);
            let session = parked
                .get_mut(id)
                .filter(|session| session.repository == repository);
            let session = session.ok_or(RegistryError::UploadUnknown)?;
            if session.busy {
                return Err(RegistryError::UploadInvalid {
                    reason: "another request writes to it".to_owned(),
                });
            }
            session.busy = true;
            session.clone()
        };
        match self.reopen(id, session) {
            Ok(upload) => Ok(upload),
            Err(error) => {
                if let Some(session) = lock(&self.parked).get_mut(id) {
                    session.busy = false;
                }
                Err(error)
            }
        }
    }

    fn reopen(self: &Arc<Self>, id: &str, mut session: Parked) -> Result<Upload, RegistryError> {
        let path = self.upload_path(id);
        let file = match self.disk.open(&path, true) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && session.offset == 0 => {
                self.disk.create(&path)?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                lock(&self.parked).remove(id);
                return Err(RegistryError::UploadUnknown);
            }
            other => other?,
        };
        if session.hasher.is_none() {
            // After a restart: what lies beyond the safe bytes may be anything.
            file.set_len(session.offset)?;
            session.hasher = Some(hash::of_file(Algorithm::Sha256, &*file, session.offset)?);
        }
        Ok(Upload {
            registry: self.clone(),
            id: id.to_owned(),
            repository: session.repository,
            file,
            offset: session.offset,
            safe: session.safe,
            settled: session.offset,
            space_checked: session.offset,
            hasher: session.hasher,
            is_session: true,
            over: false,
        })
    }

    /// Ends uploads that nobody has written to for too long; how many.
    ///
    /// # Errors
    /// The disk's; the rest waits for the next time.
    pub fn sweep_uploads(&self) -> Result<usize, RegistryError> {
        let life = self.options.upload.as_secs();
        let now = self.now();
        let abandoned: Vec<String> = {
            let mut parked = lock(&self.parked);
            let old = |session: &Parked| !session.busy && now >= session.at.saturating_add(life);
            let ids: Vec<String> = parked
                .iter()
                .filter(|(_, session)| old(session))
                .map(|(id, _)| id.clone())
                .collect();
            for id in &ids {
                parked.remove(id);
            }
            ids
        };
        for id in &abandoned {
            self.disk.remove(&self.upload_path(id))?;
            self.change(Change::EndUpload { id: id.clone() })?;
        }
        Ok(abandoned.len())
    }
}

impl Upload {
    /// What a client names it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes that were written.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// [`RegistryError::SizeInvalid`] beyond the bound, [`RegistryError::Full`], or the disk's. A full disk ends the
    /// upload, which gives its space back.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), RegistryError> {
        if self.over {
            return Err(RegistryError::UploadUnknown);
        }
        let after = self.offset + bytes.len() as u64;
        let most = self.registry.options.blob_bytes;
        if after > most {
            self.end();
            return Err(RegistryError::SizeInvalid {
                reason: format!("a blob has at most {most} bytes"),
            });
        }
        let written = self
            .check_space(after)
            .and_then(|()| Ok(self.file.write_at(bytes, self.offset)?));
        if let Err(error) = written {
            if error == RegistryError::Full {
                self.end();
            }
            return Err(error);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.offset = after;
        if self.offset - self.settled >= limits::SETTLE_BYTES {
            self.file.settle(self.settled, self.offset - self.settled);
            self.settled = self.offset;
        }
        Ok(())
    }

    /// Refuses to take the last of the space, which the journal and the deletion of blobs need.
    fn check_space(&mut self, after: u64) -> Result<(), RegistryError> {
        if self.offset > 0 && after < self.space_checked + limits::SPACE_CHECK_BYTES {
            return Ok(());
        }
        self.space_checked = after;
        let free = self.registry.disk.free_bytes(&self.registry.folder)?;
        if free < limits::RESERVE_BYTES {
            return Err(RegistryError::Full);
        }
        Ok(())
    }

    /// Makes what was written safe, so that a client may count on it.
    ///
    /// # Errors
    /// The disk's.
    pub fn checkpoint(&mut self) -> Result<(), RegistryError> {
        if self.over || self.offset == self.safe {
            return Ok(());
        }
        self.sync()?;
        // Its name as well, if these are its first bytes.
        if self.safe == 0 {
            self.registry
                .disk
                .sync_folder(&self.registry.folder.join("uploads"))?;
        }
        self.registry.change(Change::Upload {
            id: self.id.clone(),
            repository: self.repository.clone(),
            offset: self.offset,
        })?;
        self.safe = self.offset;
        Ok(())
    }

    /// Ends the upload: from now on the repository has the blob. Without an expected digest it is what it is.
    ///
    /// # Errors
    /// [`RegistryError::DigestInvalid`] ends the upload too; others are the disk's.
    pub fn finish(mut self, expected: Option<&Digest>) -> Result<Digest, RegistryError> {
        if self.over {
            return Err(RegistryError::UploadUnknown);
        }
        let digest = self.digest(expected.map_or(Algorithm::Sha256, Digest::algorithm))?;
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            self.end();
            return Err(RegistryError::DigestInvalid {
                reason: format!("{expected} was named, the content has {digest}"),
            });
        }
        let known = self.registry.state().blobs.contains_key(&digest);
        if !known && self.safe < self.offset || self.offset == 0 {
            self.sync()?;
        }
        self.keep(&digest)?;
        self.over = true;
        lock(&self.registry.parked).remove(&self.id);
        Ok(digest)
    }

    /// Names the file and links it, unless the registry has one with this content.
    fn keep(&mut self, digest: &Digest) -> Result<(), RegistryError> {
        let registry = &self.registry;
        let _names = registry.names.read().unwrap_or_else(PoisonError::into_inner);
        let path = registry.upload_path(&self.id);
        let now = registry.now();
        let known = {
            let state = registry.state();
            let blob = state.blobs.get(digest);
            blob.inspect(|blob| blob.touch(now)).is_some()
        };
        if known {
            registry.disk.remove(&path)?;
        } else {
            if self.safe < self.offset {
                self.file.sync()?;
            }
            registry.name_blob(&path, digest)?;
        }
        let link = Change::Link {
            repository: self.repository.clone(),
            digest: digest.clone().into(),
            size: self.offset,
            upload: self.is_session.then(|| self.id.clone()),
        };
        registry.change(link)?;
        if let Some(blob) = registry.state().blobs.get(digest) {
            blob.touch(now);
        }
        Ok(())
    }

    fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, RegistryError> {
        match self.hasher.take() {
            Some(hasher) if hasher.algorithm() == algorithm => Ok(hasher.finish()),
            // Another algorithm than the one that saw it pass.
            _ => Ok(hash::of_file(algorithm, &*self.file, self.offset)?.finish()),
        }
    }

    fn sync(&mut self) -> Result<(), RegistryError> {
        self.file.sync().map_err(|error| {
            // After a sync that failed the content is lost, and nobody may go on with it.
            self.end();
            error.into()
        })
    }

    /// Ends the upload without a blob.
    pub fn cancel(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        // What remains of it, the next start removes.
        let _ = self.registry.disk.remove(&self.registry.upload_path(&self.id));
        if self.is_session {
            lock(&self.registry.parked).remove(&self.id);
            let _ = self.registry.change(Change::EndUpload { id: self.id.clone() });
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if !self.is_session {
            self.end();
            return;
        }
        let now = self.registry.now();
        if let Some(session) = lock(&self.registry.parked).get_mut(&self.id) {
            session.offset = self.offset;
            session.safe = self.safe;
            session.hasher = self.hasher.take();
            session.at = now;
            session.busy = false;
        }
    }
}

/// A name that nobody guesses: who knows it may write to the upload.
pub(crate) fn random_id() -> Result<String, RegistryError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| RegistryError::Disk {
        reason: error.to_string(),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
