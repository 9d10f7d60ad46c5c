//! Where a renderer reads from. Engines open no files: a shell implements [`Source`] over a folder, a Git tree or memory.

use std::collections::BTreeMap;

/// A read-only tree of files. Paths are absolute, `/`-separated, cleaned (no `.`, `..`, `//`), and rooted at `/`.
pub trait Source {
    /// The bytes of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;
    /// The entries of a folder, sorted by name.
    fn list(&self, path: &str) -> Result<Vec<Entry>, SourceError>;
    /// Whether a path is a file, a folder, or absent. Symbolic links are followed.
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, SourceError>;
    /// The path with symbolic links resolved; needed to refuse a link that leads out of a root.
    fn canonical(&self, path: &str) -> Result<String, SourceError> {
        Ok(path.to_owned())
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    /// File or folder.
    pub kind: EntryKind,
    /// Whether it is a link to it. What is no link stands where the path says: [`Source::canonical`] need not be asked.
    pub linked: bool,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file, or a link to one.
    File,
    /// A folder, or a link to one.
    Folder,
}

/// Why a path could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing stands there.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// The path as asked for.
        path: String,
    },
    /// It stands there, but cannot be read: permissions, a size over the limit, an I/O error.
    #[error("{path}: {cause}")]
    Unreadable {
        /// The path as asked for.
        path: String,
        /// The system's words.
        cause: String,
    },
}

/// A tree in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// A tree of these files; the paths must be absolute and clean.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> MemorySource {
        MemorySource {
            files: files.into_iter().collect(),
        }
    }

    fn folder_prefix(path: &str) -> String {
        if path == "/" {
            "/".to_owned()
        } else {
            format!("{path}/")
        }
    }
}

impl Source for MemorySource {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| SourceError::NotFound {
                path: path.to_owned(),
            })
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, SourceError> {
        let prefix = MemorySource::folder_prefix(path);
        let mut entries: Vec<Entry> = self
            .files
            .range(prefix.clone()..)
            .take_while(|(file, _)| file.starts_with(&prefix))
            .map(|(file, _)| match file[prefix.len()..].split_once('/') {
                Some((folder, _)) => Entry {
                    name: folder.to_owned(),
                    kind: EntryKind::Folder,
                    linked: false,
                },
                None => Entry {
                    name: file[prefix.len()..].to_owned(),
                    kind: EntryKind::File,
                    linked: false,
                },
            })
            .collect();
        entries.dedup();
        if entries.is_empty() {
            return Err(SourceError::NotFound {
                path: path.to_owned(),
            });
        }
        Ok(entries)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, SourceError> {
        if self.files.contains_key(path) {
            return Ok(Some(EntryKind::File));
        }
        let prefix = MemorySource::folder_prefix(path);
        let inside = self
            .files
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(f, _)| f.starts_with(&prefix));
        Ok(inside.then_some(EntryKind::Folder))
    }
}
