//! Looking at a backup, and making a data folder of it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::archive::{Archive, Member};
use super::manifest::{Entry, Kind, Manifest};
use super::{BackupError, DATABASES, Unfinished, snapshot};
use crate::lock::sync_folder;

/// Reads a whole backup and compares it with its manifest.
///
/// # Errors
/// [`BackupError::Damaged`] names the first thing that does not fit.
pub fn verify(archive: &Path) -> Result<Manifest, BackupError> {
    check(&Archive::open(archive)?)
}

fn check(archive: &Archive) -> Result<Manifest, BackupError> {
    let mut places = Places::default();
    archive.read(&mut |path, member| places.take(path, &member, archive))
}

/// The places of an archive: each is taken once, below a folder of the same archive.
#[derive(Default)]
struct Places {
    folders: BTreeSet<PathBuf>,
    others: BTreeSet<PathBuf>,
}

impl Places {
    fn take(&mut self, path: &Path, member: &Member<'_>, archive: &Archive) -> Result<(), BackupError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent != Path::new("") && !self.folders.contains(parent) {
            return Err(archive.damaged(format!(
                "the folder of {} does not come before it",
                path.display()
            )));
        }
        let (taken, free) = match member {
            Member::Folder => (&mut self.folders, &self.others),
            Member::File(_) | Member::Link(_) => (&mut self.others, &self.folders),
        };
        if free.contains(path) || !taken.insert(path.to_owned()) {
            return Err(archive.damaged(format!("{} is there twice", path.display())));
        }
        Ok(())
    }
}

/// Makes a data folder of a backup. All of it is verified before the first file is written, once more while it is written
/// beside its place, and databases are read as a whole; then it is put in place in one step.
///
/// # Errors
/// By what can be done about it: see [`BackupError`]. Nothing is left behind then.
pub fn restore(archive: &Path, into: &Path) -> Result<Manifest, BackupError> {
    is_free(into)?;
    let archive = Archive::open(archive)?;
    let manifest = check(&archive)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| BackupError::io(&path, &error)
    };
    let parent = match into.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let parent = parent.canonicalize().map_err(failed(parent))?;
    let name = into.file_name().ok_or_else(|| BackupError::NotEmpty {
        path: into.to_owned(),
    })?;
    let staging = parent.join(format!(
        ".{}.{}.restoring",
        name.to_string_lossy(),
        std::process::id()
    ));
    DirBuilder::new()
        .mode(0o700)
        .create(&staging)
        .map_err(failed(&staging))?;
    let unfinished = Unfinished::new(staging.clone());

    let mut places = Places::default();
    let again = archive.read(&mut |path, member| {
        places.take(path, &member, &archive)?;
        put(&staging.join(path), member)
    })?;
    if again != manifest {
        return Err(archive.damaged("it changed while it was read"));
    }
    for database in DATABASES {
        let path = staging.join(database);
        if path.exists() {
            snapshot::check(&path)?;
        }
    }
    finish(&staging, &manifest.entries)?;
    let root = File::open(&staging).map_err(failed(&staging))?;
    rustix::fs::syncfs(&root).map_err(|error| BackupError::io(&staging, &error.into()))?;
    // It takes the place of an empty folder, and of nothing else.
    fs::rename(&staging, into).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => BackupError::NotEmpty {
            path: into.to_owned(),
        },
        _ => BackupError::io(into, &error),
    })?;
    unfinished.keep();
    sync_folder(&parent).map_err(failed(&parent))?;
    Ok(manifest)
}

fn is_free(into: &Path) -> Result<(), BackupError> {
    match fs::read_dir(into) {
        Ok(mut listed) => match listed.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty {
                path: into.to_owned(),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::io(into, &error)),
    }
}

fn put(path: &Path, member: Member<'_>) -> Result<(), BackupError> {
    let made = match member {
        Member::Folder => DirBuilder::new().mode(0o700).create(path),
        Member::Link(target) => symlink(target, path),
        Member::File(content) => OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| io::copy(content, &mut file).map(drop)),
    };
    made.map_err(|error| BackupError::io(path, &error))
}

/// Owners, permissions and times, from the leaves to the root: a folder may forbid writing, and writing changes its time.
fn finish(staging: &Path, entries: &[Entry]) -> Result<(), BackupError> {
    let is_root = rustix::process::geteuid().is_root();
    let mut paths: Vec<(PathBuf, &Entry)> = entries
        .iter()
        .filter_map(|entry| Some((staging.join(entry.path.path()?), entry)))
        .collect();
    paths.sort_by(|(a, _), (b, _)| b.cmp(a));
    for (path, entry) in paths {
        settle(&path, entry, is_root).map_err(|error| BackupError::io(&path, &error))?;
    }
    Ok(())
}

fn settle(path: &Path, entry: &Entry, is_root: bool) -> io::Result<()> {
    if is_root {
        lchown(path, Some(entry.uid), Some(entry.gid))?;
    }
    if matches!(entry.kind, Kind::Link { .. }) {
        return Ok(());
    }
    let file = File::open(path)?;
    if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(entry.mtime)) {
        file.set_modified(time)?;
    }
    // After the owner, whose change takes the bits of set-user-ID away.
    file.set_permissions(Permissions::from_mode(entry.mode & 0o7777))
}
