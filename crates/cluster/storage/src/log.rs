//! The table of revisions: its form on disk, and opening it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, Row};

use crate::error::{Refusal, refusal};
use crate::lock::Folder;
use crate::{Entry, Key, OpenError, limits};

/// The format of the database (`PRAGMA user_version`). Raise it when an older version could not read the table.
const FORMAT: i64 = 1;

/// "dply": whose database this is (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6470_6c79;

/// The revision of a store that was never written to. etcd starts at 1 too, and 0 means "any" in the API.
pub(crate) const FIRST_REVISION: u64 = 1;

/// A row is one write. Appending touches the last page only, because there is no index but the revision; what is live
/// is known by reading the table once. `previous` is the revision that this one superseded, so that compaction finds
/// it, and a watch its state before; 0 for a create. `deleted` rows hold the last state of what was deleted.
const SCHEMA: &str = "
    CREATE TABLE revisions (
        revision INTEGER PRIMARY KEY,
        created INTEGER NOT NULL,
        previous INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        resource TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        compacted INTEGER NOT NULL,
        swept INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0);
";

/// The columns that [`Record::read`] expects, in its order.
pub(crate) const COLUMNS: &str =
    "revision, created, previous, deleted, checksum, resource, namespace, name, body";

/// How far compaction got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compaction {
    /// States before this revision cannot be asked for.
    pub compacted: u64,
    /// Rows up to this revision were looked at, and what they superseded is gone.
    pub swept: u64,
}

impl Compaction {
    pub fn read(connection: &Connection) -> rusqlite::Result<Compaction> {
        connection.query_row("SELECT compacted, swept FROM state", [], |row| {
            Ok(Compaction {
                compacted: row.get::<_, i64>(0)? as u64,
                swept: row.get::<_, i64>(1)? as u64,
            })
        })
    }
}

/// One row.
pub(crate) struct Record<'a> {
    pub revision: u64,
    pub created: u64,
    pub previous: u64,
    pub deleted: bool,
    pub resource: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    pub body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The row's key and numbers, without touching the body, which may lie on pages of its own.
    pub fn read_head(row: &'a Row<'_>) -> rusqlite::Result<Record<'a>> {
        Ok(Record {
            revision: row.get::<_, i64>(0)? as u64,
            created: row.get::<_, i64>(1)? as u64,
            previous: row.get::<_, i64>(2)? as u64,
            deleted: row.get::<_, i64>(3)? != 0,
            resource: row.get_ref(5)?.as_str()?,
            namespace: row.get_ref(6)?.as_str()?,
            name: row.get_ref(7)?.as_str()?,
            body: &[],
        })
    }

    /// The whole row.
    pub fn read(row: &'a Row<'_>) -> rusqlite::Result<Record<'a>> {
        Record::read_head(row)?.with_body(row)
    }

    /// Adds the body of the same row.
    ///
    /// # Errors
    /// "database disk image is malformed" when the checksum does not fit: SQLite checks its pages' structure, not what
    /// is on them.
    pub fn with_body(mut self, row: &'a Row<'_>) -> rusqlite::Result<Record<'a>> {
        self.body = row.get_ref(8)?.as_blob()?;
        if row.get::<_, i64>(4)? != self.checksum() {
            return Err(malformed(format!(
                "the checksum of revision {} does not fit",
                self.revision
            )));
        }
        Ok(self)
    }

    pub fn checksum(&self) -> i64 {
        let mut hasher = crc32fast::Hasher::new();
        for number in [
            self.revision,
            self.created,
            self.previous,
            u64::from(self.deleted),
        ] {
            hasher.update(&number.to_le_bytes());
        }
        for text in [self.resource, self.namespace, self.name] {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(self.body);
        i64::from(hasher.finalize())
    }

    pub fn entry(&self) -> Arc<Entry> {
        let key = Key::new(self.resource, self.namespace, self.name);
        Arc::new(Entry::new(
            key,
            self.revision,
            self.created,
            Bytes::copy_from_slice(self.body),
        ))
    }
}

/// Where the database is, and through which of SQLite's file layers it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub path: PathBuf,
    pub vfs: Option<String>,
}

impl Site {
    /// A connection of one thread.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            None => Connection::open_with_flags(&self.path, flags)?,
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str())?,
        };
        // Only a starting process that replays the log holds others up; our own threads take turns (see `checkpoint`).
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(&format!(
            "PRAGMA cache_size = -{}; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;",
            limits::CACHE_KIB
        ))?;
        Ok(connection)
    }

    /// Opens the database, or makes it.
    pub fn open(&self, folder: &Folder) -> Result<Connection, OpenError> {
        let connection = self.connect().map_err(|error| self.refused(error))?;
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let found = number("user_version").map_err(|error| self.refused(error))?;
        let application = number("application_id").map_err(|error| self.refused(error))?;
        let tables = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|error| self.refused(error))?;
        if tables == 0 && found == 0 && application == 0 {
            self.make(&connection).map_err(|error| self.refused(error))?;
            folder.sync()?;
            return Ok(connection);
        }
        if application != APPLICATION {
            return Err(self.corrupt("it is a database of another program"));
        }
        match found {
            FORMAT => Ok(connection),
            _ if found > FORMAT => Err(OpenError::Newer {
                path: self.path.clone(),
                found,
                known: FORMAT,
            }),
            _ => Err(self.corrupt("its format is not one that ever was")),
        }
    }

    fn make(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; PRAGMA application_id = {APPLICATION}; COMMIT;"
        ))
    }

    pub fn corrupt(&self, reason: &str) -> OpenError {
        OpenError::Corrupt {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }

    pub fn refused(&self, error: rusqlite::Error) -> OpenError {
        let path = self.path.clone();
        match refusal(&error) {
            Refusal::Full => OpenError::Full { path },
            Refusal::Corrupt => OpenError::Corrupt {
                path,
                reason: error.to_string(),
            },
            Refusal::Other => OpenError::Io {
                path,
                reason: error.to_string(),
            },
        }
    }
}

pub(crate) fn malformed(text: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(text),
    )
}
