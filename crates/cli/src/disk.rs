use std::fs;
use std::io::{self, Read, Seek};
use std::path::Path;

use deploy_render::source::{Entry, EntryKind, Source, SourceError};

use crate::limits::{MAX_FILE_BYTES, MAX_FOLDER_ENTRIES};

/// The file system of this machine. Links are followed; what they lead to is checked with `canonical` by whoever has a
/// root to defend.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskSource;

impl Source for DiskSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        read_bounded(Path::new(path), MAX_FILE_BYTES).map_err(|e| refused(path, &e))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, SourceError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(|e| refused(path, &e))? {
            let entry = entry.map_err(|e| refused(path, &e))?;
            if entries.len() == MAX_FOLDER_ENTRIES {
                return Err(unreadable(
                    path,
                    format!("more than {MAX_FOLDER_ENTRIES} entries"),
                ));
            }
            let Ok(name) = entry.file_name().into_string() else {
                return Err(unreadable(
                    path,
                    format!("the name {:?} is not UTF-8", entry.file_name()),
                ));
            };
            let kind = entry.file_type().map_err(|e| refused(path, &e))?;
            // A link that leads nowhere, a socket, a device: not part of a tree of files.
            let linked = kind.is_symlink();
            let kind = if linked {
                match fs::metadata(entry.path()) {
                    Ok(target) => kind_of(&target.file_type()),
                    Err(_) => None,
                }
            } else {
                kind_of(&kind)
            };
            if let Some(kind) = kind {
                entries.push(Entry { name, kind, linked });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryKind>, SourceError> {
        match fs::metadata(path) {
            Ok(found) => Ok(kind_of(&found.file_type())),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(refused(path, &e)),
        }
    }

    fn canonical(&self, path: &str) -> Result<String, SourceError> {
        let resolved = fs::canonicalize(path).map_err(|e| refused(path, &e))?;
        resolved
            .into_os_string()
            .into_string()
            .map_err(|name| unreadable(path, format!("the name {name:?} is not UTF-8")))
    }
}

/// Reads a regular file that is not larger than `limit_bytes`. Pipes and devices, which may never end, are refused.
pub fn read_bounded(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !found.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let too_large = || {
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("is larger than {limit_bytes} bytes"),
        )
    };
    if found.len() > limit_bytes {
        return Err(too_large());
    }
    let size = usize::try_from(found.len()).unwrap_or_default();
    let mut bytes = vec![0; size];
    // All of it as it was when it was opened, at once; what calls itself empty may still have content (`/proc`).
    if size > 0 && file.read(&mut bytes)? == size {
        return Ok(bytes);
    }
    // It has changed since, or comes in pieces.
    bytes.clear();
    file.rewind()?;
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Absent, or below something that is a file.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// An I/O error in the words of the operating system, without Rust's `(os error 2)`.
pub fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

fn kind_of(kind: &fs::FileType) -> Option<EntryKind> {
    if kind.is_file() {
        Some(EntryKind::File)
    } else if kind.is_dir() {
        Some(EntryKind::Folder)
    } else {
        None
    }
}

fn refused(path: &str, error: &io::Error) -> SourceError {
    if is_absent(error) {
        return SourceError::NotFound {
            path: path.to_owned(),
        };
    }
    unreadable(path, system_words(error))
}

fn unreadable(path: &str, cause: String) -> SourceError {
    SourceError::Unreadable {
        path: path.to_owned(),
        cause,
    }
}
