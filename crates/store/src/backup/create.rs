//! Making a backup, while others work on the data folder.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::archive::Counted;
use super::manifest::{Entry, FORMAT, Kind, LedgerState, MEMBER, Manifest, Name};
use super::{BackupError, DATABASES, LEFT_OUT, Unfinished, snapshot};
use crate::limits;
use crate::lock::sync_folder;
use crate::schema::{STEPS, Site};

/// Files up to this size are read before they are written, so that one which changes meanwhile is at least of one piece.
const SMALL_BYTES: u64 = 1 << 20;

/// Layers of images, which are most of a data folder, are compressed already; more effort costs minutes and saves little.
const LEVEL: u32 = 1;

/// Folders of files that are named by their content. Others refer to them, so they are copied after all others: what a
/// reference names was there before the reference.
const CONTENT: &[&str] = &["objects", "blobs"];

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// What it holds.
    pub manifest: Manifest,
    /// Of the whole file, in hexadecimal digits.
    pub sha256: String,
    /// Of the whole file.
    pub bytes: u64,
}

/// Copies a data folder to a new file, which only its user may read. It blocks until the file is on disk under its name.
///
/// # Errors
/// By what can be done about it: see [`BackupError`]. Nothing is left behind then.
pub fn create(data: &Path, to: &Path, now: Timestamp, version: &str) -> Result<Created, BackupError> {
    let data = data
        .canonicalize()
        .map_err(|error| BackupError::io(data, &error))?;
    let (folder, name) = place(to)?;
    if folder.starts_with(&data) {
        return Err(BackupError::Inside { path: to.to_owned() });
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let pid = std::process::id();
    let beside = |what: &str| folder.join(format!(".{name}.{pid}.{what}"));
    let copies = beside("databases");
    let made_copies = Unfinished::new(copies.clone());
    DirBuilder::new()
        .mode(0o700)
        .create(&copies)
        .map_err(|error| BackupError::io(&copies, &error))?;
    let partial = beside("partial");
    let unfinished = Unfinished::new(partial.clone());
    let failed = |error: io::Error| BackupError::io(&partial, &error);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(failed)?;
    let mut writing = Writing::new(&data, &partial, &file);
    let ledger = writing.databases(&copies)?;
    drop(made_copies);
    writing.folders(Pass::References)?;
    writing.folders(Pass::Content)?;
    let created = writing.finish(now, version, ledger)?;
    file.sync_all().map_err(failed)?;
    // A link, not a rename: it never replaces what somebody else has put there meanwhile.
    fs::hard_link(&partial, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: to.to_owned() },
        _ => BackupError::io(to, &error),
    })?;
    drop(unfinished);
    sync_folder(&folder).map_err(|error| BackupError::io(&folder, &error))?;
    Ok(created)
}

/// The folder of a file that is to be made, and its name.
fn place(to: &Path) -> Result<(PathBuf, String), BackupError> {
    let name = to
        .file_name()
        .ok_or_else(|| BackupError::Exists { path: to.to_owned() })?;
    let folder = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| BackupError::io(folder, &error))?;
    Ok((folder, name.to_string_lossy().into_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    References,
    Content,
}

struct Writing<'a> {
    data: &'a Path,
    device: Option<u64>,
    partial: &'a Path,
    archive: tar::Builder<GzEncoder<Counted<BufWriter<&'a File>>>>,
    entries: Vec<Entry>,
    folders: BTreeSet<PathBuf>,
    left_out: BTreeSet<String>,
}

impl<'a> Writing<'a> {
    fn new(data: &'a Path, partial: &'a Path, file: &'a File) -> Writing<'a> {
        let out = Counted::new(BufWriter::with_capacity(128 << 10, file));
        Writing {
            data,
            device: fs::metadata(data).ok().map(|metadata| metadata.dev()),
            partial,
            archive: tar::Builder::new(GzEncoder::new(out, Compression::new(LEVEL))),
            entries: Vec::new(),
            folders: BTreeSet::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Databases first: what a line of the ledger names is in the folders then.
    fn databases(&mut self, copies: &Path) -> Result<Option<LedgerState>, BackupError> {
        let mut ledger = None;
        for name in DATABASES {
            let from = self.data.join(name);
            let Ok(metadata) = fs::symlink_metadata(&from) else {
                continue;
            };
            let copy = copies.join(name.replace('/', "-"));
            snapshot::copy(&from, &copy)?;
            if *name == crate::lock::DATABASE {
                ledger = Some(state(&copy)?);
            }
            let parent = Path::new(name).parent().filter(|parent| *parent != Path::new(""));
            if let Some(parent) = parent {
                let metadata = fs::symlink_metadata(self.data.join(parent))
                    .map_err(|error| BackupError::io(parent, &error))?;
                self.folder(parent, &metadata)?;
            }
            self.file(Path::new(name), &copy, &metadata)?;
        }
        Ok(ledger)
    }

    fn folders(&mut self, pass: Pass) -> Result<(), BackupError> {
        self.walk(Path::new(""), pass, false)
    }

    /// Members of a folder in the order of their names. `within` says whether it lies in a folder of [`CONTENT`].
    fn walk(&mut self, relative: &Path, pass: Pass, within: bool) -> Result<(), BackupError> {
        let folder = self.data.join(relative);
        let listed = match fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(BackupError::io(&folder, &error)),
        };
        let mut names = Vec::new();
        for entry in listed {
            names.push(
                entry
                    .map_err(|error| BackupError::io(&folder, &error))?
                    .file_name(),
            );
        }
        names.sort();
        for name in names {
            let path = relative.join(&name);
            if self.leaves_out(&path) {
                continue;
            }
            let metadata = match fs::symlink_metadata(self.data.join(&path)) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(BackupError::io(&path, &error)),
            };
            let is_content = within || CONTENT.iter().any(|content| name == *content);
            if metadata.is_dir() {
                if self.device != Some(metadata.dev()) {
                    self.left_out.insert(format!("{}/", path.display()));
                } else {
                    if is_content == (pass == Pass::Content) {
                        self.folder(&path, &metadata)?;
                    }
                    if pass == Pass::Content || !is_content {
                        self.walk(&path, pass, is_content)?;
                    }
                }
            } else if within == (pass == Pass::Content) {
                self.leaf(&path, &metadata)?;
            }
        }
        Ok(())
    }

    fn leaves_out(&mut self, path: &Path) -> bool {
        if DATABASES.iter().any(|database| path == Path::new(database)) {
            return true;
        }
        let rule = LEFT_OUT
            .iter()
            .find(|(rule, _)| path == Path::new(rule.trim_end_matches('/')));
        if let Some((rule, _)) = rule.filter(|(rule, _)| rule.ends_with('/')) {
            self.left_out.insert((*rule).to_owned());
        }
        rule.is_some()
    }

    fn leaf(&mut self, path: &Path, metadata: &Metadata) -> Result<(), BackupError> {
        let from = self.data.join(path);
        if metadata.is_file() {
            return self.file(path, &from, metadata);
        }
        if !metadata.is_symlink() {
            // Sockets, pipes and devices belong to what runs.
            self.left_out.insert(path.display().to_string());
            return Ok(());
        }
        let target = match fs::read_link(&from) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(BackupError::io(&from, &error)),
        };
        let mut header = header(tar::EntryType::Symlink, metadata, 0);
        self.archive
            .append_link(&mut header, path, &target)
            .map_err(|error| BackupError::io(self.partial, &error))?;
        self.note(
            path,
            Kind::Link {
                target: Name::of(&target),
            },
            metadata,
        )
    }

    fn folder(&mut self, path: &Path, metadata: &Metadata) -> Result<(), BackupError> {
        if !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        let mut header = header(tar::EntryType::Directory, metadata, 0);
        self.archive
            .append_data(&mut header, path, io::empty())
            .map_err(|error| BackupError::io(self.partial, &error))?;
        self.note(path, Kind::Folder, metadata)
    }

    fn file(&mut self, path: &Path, from: &Path, metadata: &Metadata) -> Result<(), BackupError> {
        let unreadable = |error: &io::Error| BackupError::io(from, error);
        let mut file = match File::open(from) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(&error)),
        };
        let mut bytes = file.metadata().map_err(|error| unreadable(&error))?.len();
        let mut small = Vec::new();
        let content: &mut dyn Read = if bytes <= SMALL_BYTES {
            file.take(2 * SMALL_BYTES)
                .read_to_end(&mut small)
                .map_err(|error| unreadable(&error))?;
            bytes = small.len() as u64;
            &mut small.as_slice()
        } else {
            &mut file
        };
        let mut content = Counted::new(content.take(bytes));
        let mut header = header(tar::EntryType::Regular, metadata, bytes);
        self.archive
            .append_data(&mut header, path, &mut content)
            .map_err(|error| BackupError::io(self.partial, &error))?;
        if content.bytes != bytes {
            return Err(BackupError::Changed {
                path: from.to_owned(),
            });
        }
        let sha256 = content.digest();
        self.note(path, Kind::File { bytes, sha256 }, metadata)
    }

    fn note(&mut self, path: &Path, kind: Kind, metadata: &Metadata) -> Result<(), BackupError> {
        if self.entries.len() >= limits::BACKUP_FILES {
            return Err(BackupError::TooLarge {
                what: "the files of the data folder",
                limit: limits::BACKUP_FILES as u64,
            });
        }
        self.entries.push(Entry {
            path: Name::of(path),
            kind,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime().max(0) as u64,
        });
        Ok(())
    }

    fn finish(
        mut self,
        now: Timestamp,
        version: &str,
        ledger: Option<LedgerState>,
    ) -> Result<Created, BackupError> {
        let manifest = Manifest {
            format: FORMAT,
            created: now.to_string(),
            version: version.to_owned(),
            ledger,
            left_out: self.left_out.into_iter().collect(),
            entries: self.entries,
        };
        let failed = |error: io::Error| BackupError::io(self.partial, &error);
        let text = serde_json::to_vec(&manifest).expect("names and numbers are always JSON");
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(now.as_second().max(0) as u64);
        header.set_size(text.len() as u64);
        self.archive
            .append_data(&mut header, MEMBER, text.as_slice())
            .map_err(failed)?;
        let mut out = self
            .archive
            .into_inner()
            .and_then(GzEncoder::finish)
            .map_err(failed)?;
        out.flush().map_err(failed)?;
        Ok(Created {
            manifest,
            sha256: out.digest(),
            bytes: out.bytes,
        })
    }
}

fn header(kind: tar::EntryType, metadata: &Metadata, bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(u64::from(metadata.uid()));
    header.set_gid(u64::from(metadata.gid()));
    header.set_mtime(metadata.mtime().max(0) as u64);
    header.set_size(bytes);
    header
}

fn state(copy: &Path) -> Result<LedgerState, BackupError> {
    let site = Site {
        path: copy.to_owned(),
        vfs: None,
    };
    let connection = site.open_to_read()?;
    let last = crate::projection::last_line(&connection)
        .map_err(|error| crate::error::OpenError::sql(copy, &error))?;
    Ok(LedgerState {
        format: STEPS.len() as i64,
        last,
    })
}
