//! Makes, changes and removes the volumes of pods on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::mounts::{Prepared, Ready, Tmpfs, nested};
use super::payload::Payload;
use super::plan::{self, Content, Owners, Planned};
use super::tokens::{Granted, Issuer, Tokens};
use super::{VolumeError, atomic, host_path, local, memory, ownership, remove};
use crate::environment::Lookups;

/// Everybody may write to an empty folder (`empty_dir.go perm`).
const EMPTY_MODE: u32 = 0o777;

/// Only the owner of the data folder looks into pods' folders; containers are given what is below by mounts.
const FOLDER_MODE: u32 = 0o750;

/// The volumes of all pods of a node, in a folder `pods/<uid>` each.
pub struct Volumes {
    pods: PathBuf,
    /// The same for what is kept in memory.
    memory: Option<PathBuf>,
    lookups: Arc<dyn Lookups>,
    tokens: Tokens,
    /// Which pods use a persistent volume: its group is set by the first.
    users: Mutex<BTreeMap<PathBuf, BTreeSet<String>>>,
}

impl Volumes {
    /// Volumes below this folder.
    pub fn new(pods: &Path, lookups: Arc<dyn Lookups>, issuer: Arc<dyn Issuer>) -> Volumes {
        Volumes {
            pods: pods.to_owned(),
            memory: None,
            lookups,
            tokens: Tokens::new(issuer),
            users: Mutex::default(),
        }
    }

    /// The same, with secrets and tokens in this folder, which is in memory.
    #[must_use]
    pub fn with_memory(self, memory: Option<PathBuf>) -> Volumes {
        Volumes { memory, ..self }
    }

    /// The folder of a pod.
    pub fn folder(&self, uid: &str) -> PathBuf {
        self.pods.join(uid)
    }

    /// Where a volume of a pod is: `pods/<uid>/volumes/kubernetes.io~configmap/settings`.
    pub fn place(&self, uid: &str, r#type: &str, name: &str) -> PathBuf {
        let root = match &self.memory {
            Some(memory) if memory::is_kept(r#type) => memory.join(uid),
            _ => self.folder(uid),
        };
        root.join("volumes")
            .join(format!("kubernetes.io~{type}"))
            .join(name)
    }

    /// Where the persistent volumes of this node are: a folder each, beside those of the pods.
    pub fn local_root(&self) -> PathBuf {
        self.pods.with_file_name("volumes")
    }

    /// The pods that have folders, also those that were there before this started.
    ///
    /// # Errors
    /// What the file system says.
    pub fn known(&self) -> io::Result<Vec<String>> {
        match fs::read_dir(&self.pods) {
            Ok(entries) => entries
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes the volumes of a pod, or brings them up to date: call it again when an object that the pod refers to has
    /// changed ([`plan::refers_to`]), when the pod's own metadata has, and at `refresh_at`. One call for a pod at a time.
    ///
    /// # Errors
    /// Each volume that cannot be. The others are made; those that were there stay as they are.
    pub async fn prepare(self: &Arc<Self>, pod: Arc<Value>) -> Result<Prepared, Vec<VolumeError>> {
        let now = Timestamp::now();
        let (granted, refresh_at) = self.tokens.granted(&pod, now).await;
        let volumes = self.clone();
        let made = tokio::task::spawn_blocking(move || volumes.make(&pod, &granted, now)).await;
        let mut prepared = made.unwrap_or_else(|panic| {
            Err(vec![VolumeError {
                message: panic.to_string(),
            }])
        })?;
        prepared.refresh_at = refresh_at;
        Ok(prepared)
    }

    /// Removes a pod's folder and all volumes that live no longer than it. Its containers and its sandbox are gone by then.
    ///
    /// # Errors
    /// What the file system says, as [`remove::tree`].
    pub async fn remove(self: &Arc<Self>, uid: &str) -> io::Result<()> {
        self.tokens.forget(uid);
        self.users(|users| {
            users.retain(|_, pods| {
                pods.remove(uid);
                !pods.is_empty()
            });
        });
        let (volumes, uid) = (self.clone(), uid.to_owned());
        let removed = tokio::task::spawn_blocking(move || {
            if let Some(memory) = &volumes.memory {
                remove::tree(memory, &uid)?;
            }
            remove::tree(&volumes.pods, &uid)
        });
        removed.await.map_err(io::Error::other)?
    }

    /// The part of [`Volumes::prepare`] that works on files.
    fn make(&self, pod: &Value, granted: &Granted, now: Timestamp) -> Result<Prepared, Vec<VolumeError>> {
        let work = Work {
            volumes: self,
            pod,
            uid: pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
            owners: Owners::of(pod),
            now,
        };
        let (mut prepared, mut errors) = (Prepared::default(), Vec::new());
        for planned in plan::volumes(pod, &*self.lookups, granted) {
            match planned.and_then(|planned| work.one(planned, &mut prepared)) {
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(prepared)
        } else {
            Err(errors)
        }
    }

    fn users<T>(&self, with: impl FnOnce(&mut BTreeMap<PathBuf, BTreeSet<String>>) -> T) -> T {
        // Every change under this lock is complete or none: a panicked holder left it sound.
        with(&mut self.users.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Work<'a> {
    volumes: &'a Volumes,
    pod: &'a Value,
    uid: String,
    owners: Owners,
    now: Timestamp,
}

impl Work<'_> {
    fn one(&self, planned: Planned, prepared: &mut Prepared) -> Result<(), VolumeError> {
        let (name, called) = (planned.name, planned.called);
        let failed = |error: io::Error| VolumeError::set_up(&called, &error.to_string());
        let in_memory = matches!(planned.content, Content::Memory { .. });
        let path = match planned.content {
            Content::Files { r#type, payload } => {
                let folder = self.place(r#type, &name);
                self.files(&folder, &name, &payload).map_err(failed)?;
                folder
            }
            Content::Empty { limit_bytes } => {
                let folder = self.place("empty-dir", &name);
                self.empty(&folder, &name, self.owners.group).map_err(failed)?;
                let limit = limit_bytes.map(|bytes| (name.clone(), folder.clone(), bytes));
                prepared.limits.extend(limit);
                folder
            }
            Content::Memory { limit_bytes } => {
                let folder = self.place("empty-dir", &name);
                // What is seen is the root of the file system in memory.
                self.empty(&folder, &name, None).map_err(failed)?;
                prepared.tmpfs.push(Tmpfs {
                    path: folder.clone(),
                    size_bytes: limit_bytes,
                    mode: if self.owners.group.is_some() {
                        0o2000 | EMPTY_MODE
                    } else {
                        EMPTY_MODE
                    },
                    group: self.owners.group,
                });
                folder
            }
            Content::Host { path, r#type } => {
                host_path::check(&path, &r#type).map_err(|error| VolumeError::set_up(&called, &error))?;
                path.into()
            }
            Content::Local { path } => {
                self.local(&path, &called, planned.read_only)?;
                path
            }
        };
        let ready = Ready {
            path,
            read_only: planned.read_only,
            in_memory,
        };
        prepared.volumes.insert(name, ready);
        Ok(())
    }

    fn place(&self, r#type: &str, name: &str) -> PathBuf {
        self.volumes.place(&self.uid, r#type, name)
    }

    fn files(&self, folder: &Path, name: &str, payload: &Payload) -> io::Result<()> {
        self.empty(folder, name, None)?;
        let owners = self.owners;
        atomic::write(folder, payload, self.now, &mut || match owners.group {
            Some(group) => ownership::give(folder, group, true),
            None => Ok(()),
        })
        .map(|_| ())
    }

    /// A folder that everybody may write to, made once; its owner is set while it is empty.
    fn empty(&self, folder: &Path, name: &str, group: Option<u32>) -> io::Result<()> {
        if folder.symlink_metadata().is_ok_and(|known| known.is_dir()) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(parent)?;
        }
        // A crash in the middle leaves no folder that looks complete.
        let unfinished = folder.with_file_name(format!(".{name}.new"));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir(&unfinished)?;
        // The umask has no say.
        fs::set_permissions(&unfinished, Permissions::from_mode(EMPTY_MODE))?;
        for inner in nested(plan::containers(self.pod), name) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(unfinished.join(inner))?;
        }
        if let Some(group) = group {
            ownership::give(&unfinished, group, false)?;
        }
        fs::rename(unfinished, folder)
    }

    /// The group of a persistent volume is set by the first pod that uses it.
    fn local(&self, path: &Path, called: &str, read_only: bool) -> Result<(), VolumeError> {
        let shown = path.display();
        let failed = |error: io::Error| VolumeError::set_up(called, &error.to_string());
        if path
            .components()
            .any(|part| part == std::path::Component::ParentDir)
        {
            return Err(VolumeError::set_up(
                called,
                &format!("invalid path: {shown} must not contain '..'"),
            ));
        }
        local::make(&self.volumes.local_root(), path).map_err(failed)?;
        if !path.is_dir() {
            let step = "MountVolume.NewMounter initialization failed";
            return Err(VolumeError::of(
                step,
                called,
                &format!("path \"{shown}\" does not exist"),
            ));
        }
        let uid = self.pod["metadata"]["uid"].as_str().unwrap_or_default();
        let is_first = self.volumes.users(|users| {
            let pods = users.entry(path.to_owned()).or_default();
            let is_first = pods.is_empty();
            pods.insert(uid.to_owned());
            is_first
        });
        let Some(group) = self.owners.group.filter(|_| is_first && !read_only) else {
            return Ok(());
        };
        if self.owners.only_on_mismatch && !ownership::is_due(path, group, false).map_err(failed)? {
            return Ok(());
        }
        ownership::give(path, group, false).map_err(failed)
    }
}
