//! Consistent copies of databases that others may be writing to, by SQLite's own means (`VACUUM INTO`).

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::lock::sync_folder;

/// Copies the database of a connection to a file, whatever its file layer is, and makes it last: before a migration.
pub(crate) fn put_aside(connection: &Connection, to: &Path) -> Result<(), OpenError> {
    let partial = to.with_extension("db.partial");
    let failed = |error: &std::io::Error| OpenError::io(to, error);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&error)),
        _ => {}
    }
    private(&partial).map_err(|error| failed(&error))?;
    vacuum_into(connection, &partial).map_err(|error| OpenError::sql(to, &error))?;
    File::open(&partial)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(&partial, to))
        .and_then(|()| to.parent().map_or(Ok(()), sync_folder))
        .map_err(|error| failed(&error))
}

/// Copies a database to a new file, checks the copy, and leaves it as its owner opens it. The source may be in use.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )
    .map_err(|error| OpenError::sql(from, &error))?;
    source
        .busy_timeout(Duration::from_secs(30))
        .map_err(|error| OpenError::sql(from, &error))?;
    private(to).map_err(|error| OpenError::io(to, &error))?;
    // What fails while it is read may be the fault of either side; SQLite's code tells a damaged source.
    vacuum_into(&source, to).map_err(|error| OpenError::sql(from, &error))?;
    drop(source);
    check(to)?;
    let made = |error: rusqlite::Error| OpenError::sql(to, &error);
    let copy = Connection::open(to).map_err(made)?;
    copy.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .map_err(made)?;
    copy.close().map_err(|(_, error)| made(error))
}

/// Reads a whole database and says what is wrong with it.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    let refused = |error: rusqlite::Error| OpenError::sql(path, &error);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(refused)?;
    let said: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(refused)?;
    if said == "ok" {
        connection.close().map_err(|(_, error)| refused(error))
    } else {
        Err(OpenError::corrupt(path, &said))
    }
}

/// SQLite writes into an empty file, and would make one that others can read.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn vacuum_into(connection: &Connection, to: &Path) -> rusqlite::Result<()> {
    connection.execute("VACUUM INTO ?1", [uri(to)]).map(drop)
}

/// The path as SQLite's URI, on the machine's own file system (sqlite.org/uri.html).
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte))
            }
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?vfs=unix"
}
