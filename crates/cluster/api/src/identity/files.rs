//! Small secret files, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why keys, certificates or the kubeconfig cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file or folder cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is there, and is not what it should be.
    #[error("{}: {what}", path.display())]
    Malformed {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A certificate or TLS configuration cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(String),
}

/// The content of a file, `None` where there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, IdentityError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

/// Writes a file that only its owner may read. A reader sees the old content or the new, whole, also after a crash.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    // Beside the file, so that the rename stays within one file system; the process id keeps two writers apart.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(name);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The error that is told is the first; a file left over is only litter.
        let _ = fs::remove_file(&temporary);
        return Err(io_error(path, source));
    }
    let folder_file = File::open(folder).map_err(|source| io_error(folder, source))?;
    folder_file.sync_all().map_err(|source| io_error(folder, source))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    // A file of a crashed process with our id may be there, with other rights.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn io_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::identity::jwt::tests::folder;

    #[test]
    fn a_secret_is_for_its_owner_and_replaced_whole() {
        let folder = folder("files");
        let path = folder.join("deep/secret");
        assert_eq!(read(&path).unwrap(), None);
        write_secret(&path, b"one").unwrap();
        write_secret(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left over"
        );
        assert!(write_secret(&path.join("below-a-file"), b"x").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
