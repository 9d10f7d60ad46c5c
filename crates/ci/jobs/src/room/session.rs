//! What one server has of the machine, so that the next one can take it away when the first was killed.
//!
//! ```text
//! sessions/ID/lock        locked for as long as the server lives
//! sessions/ID/sandboxes/  shims
//! sessions/ID/rooms/      what jobs have written
//! sessions/ID/scratch/    copies of build contexts
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use deploy_sandbox::Sandboxes;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::{Way, blocking};
use crate::error::JobsError;

/// The life of one server.
#[derive(Debug)]
pub(super) struct Session {
    id: String,
    folder: PathBuf,
    _lock: File,
}

/// File systems in memory that machines have.
const MEMORY: [&str; 2] = ["/dev/shm", "/run"];

impl Session {
    /// Begins one, after removing those whose server is gone.
    pub(super) async fn open(folder: &Path, way: &Way) -> Result<Session, JobsError> {
        let sessions = folder.join("sessions");
        let at = sessions.clone();
        let dead = blocking(move || dead(&at))
            .await
            .map_err(JobsError::files("read", &sessions))?;
        for one in dead {
            one.sweep(way).await?;
        }
        let at = sessions.clone();
        blocking(move || begin(&at))
            .await
            .map_err(JobsError::files("make", sessions))
    }

    /// What bridge and table are named by: eight letters and digits.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The cgroup above all of its jobs.
    pub(super) fn cgroup(&self) -> String {
        format!("deploy-ci-{}", self.id)
    }

    pub(super) fn sandboxes(&self) -> PathBuf {
        self.folder.join("sandboxes")
    }

    pub(super) fn rooms(&self) -> PathBuf {
        self.folder.join("rooms")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Takes masks of the machine. overlayfs refuses a layer that lies within another one, and the machine's root is a
    /// layer: so it is on a file system in memory, a few names of whiteouts.
    pub(super) fn masks(&self) -> PathBuf {
        let device = |path: &str| fs::metadata(path).ok().map(|metadata| metadata.dev());
        let apart = MEMORY
            .iter()
            .find(|path| device(path).is_some_and(|one| Some(one) != device("/")));
        Path::new(apart.unwrap_or(&MEMORY[0])).join(self.cgroup())
    }

    /// Removes all that is left of it.
    pub(super) async fn close(self) -> Result<(), JobsError> {
        let (folder, sandboxes, cgroup, masks) =
            (self.folder.clone(), self.sandboxes(), self.cgroup(), self.masks());
        Sandboxes::sweep(&sandboxes, &cgroup)
            .await
            .map_err(JobsError::files("remove", &sandboxes))?;
        let at = folder.clone();
        let remove = move || match fs::remove_dir_all(masks) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::remove_dir_all(at),
        };
        blocking(remove).await.map_err(JobsError::files("remove", folder))
    }

    /// As [`Session::close`], for one whose server is gone.
    async fn sweep(self, way: &Way) -> Result<(), JobsError> {
        if let Way::Out(exits) = way {
            exits.sweep(&self.id).await;
        }
        self.close().await
    }
}

/// Sessions whose lock is free, locked by us now.
fn dead(sessions: &Path) -> io::Result<Vec<Session>> {
    let mut dead = Vec::new();
    let entries = match fs::read_dir(sessions) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(dead),
        other => other?,
    };
    for entry in entries.flatten() {
        let folder = entry.path();
        let Some(id) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        // Without a lock it is one that begins, or one that was not removed to its end.
        let lock = match File::open(folder.join("lock")) {
            Ok(lock) => lock,
            Err(_) => continue,
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            dead.push(Session {
                id,
                folder,
                _lock: lock,
            });
        }
    }
    Ok(dead)
}

fn begin(sessions: &Path) -> io::Result<Session> {
    DirBuilder::new().recursive(true).mode(0o700).create(sessions)?;
    let mut attempt = 0_u32;
    loop {
        let seed = format!(
            "{}\0{}\0{}\0{attempt}",
            sessions.display(),
            std::process::id(),
            jiff::Timestamp::now()
        );
        let hash = Sha256::digest(seed);
        let id = format!("c{:02x}{:02x}{:02x}{:x}", hash[0], hash[1], hash[2], hash[3] >> 4);
        let folder = sessions.join(&id);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 8 => attempt += 1,
            Err(error) => return Err(error),
            Ok(()) => {
                // The lock is there only when it is ours: nobody takes a session away that begins.
                let half = folder.join("lock.half");
                let lock = File::create(&half)?;
                flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
                fs::rename(half, folder.join("lock"))?;
                fs::create_dir(folder.join("rooms"))?;
                return Ok(Session {
                    id,
                    folder,
                    _lock: lock,
                });
            }
        }
    }
}
