//! The database: its form, opening it, and bringing an older one forward.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::backup::snapshot;
use crate::error::OpenError;
use crate::limits;
use crate::lock::{DATABASE, Folder};

/// "dplg": whose database this is (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6470_6c67;

/// How the database of each format is made of that of the one before; the first from nothing. The format
/// (`PRAGMA user_version`) is how many of them were taken. A released step is never changed: add one.
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE lines (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        actor_kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject_kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT,
        before TEXT,
        after TEXT,
        data TEXT NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX lines_of_subject ON lines (subject_kind, subject);
    CREATE INDEX lines_of_kind ON lines (kind);
    CREATE INDEX lines_at ON lines (at);
    CREATE TABLE projections (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        tables TEXT NOT NULL
    ) STRICT;
"];

/// Where a database is, and through which of SQLite's file layers it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub path: PathBuf,
    pub vfs: Option<String>,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    /// Beside a writer of the same process.
    Read,
    /// Beside a writer of another process, if there is one: makes no database.
    ReadOnly,
}

impl Site {
    pub fn of(folder: &Path, vfs: Option<String>) -> Site {
        Site {
            path: folder.join(DATABASE),
            vfs,
        }
    }

    /// A connection of one thread.
    pub fn connect(&self, access: Access) -> rusqlite::Result<Connection> {
        // URI: the copy before a migration names its file layer.
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI
            | match access {
                Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::Write | Access::Read => {
                    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
                }
            };
        let connection = match &self.vfs {
            None => Connection::open_with_flags(&self.path, flags)?,
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str())?,
        };
        // Others hold locks for moments only: while they replay a log, or bring it into the database.
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(&format!(
            "PRAGMA cache_size = -{}; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;
             PRAGMA journal_size_limit = {}; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
            limits::CACHE_KIB,
            limits::LOG_KEPT_BYTES,
        ))?;
        if access == Access::Read {
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(connection)
    }

    /// Opens the database for writing: makes it, or brings an older one forward after a copy was put aside.
    pub fn open(&self, folder: &Folder, steps: &[&str]) -> Result<Connection, OpenError> {
        let refused = |error: rusqlite::Error| OpenError::sql(&self.path, &error);
        let mut connection = self.connect(Access::Write).map_err(refused)?;
        let known = steps.len() as i64;
        let found = match self.format(&connection)? {
            None => {
                wal(&connection).map_err(refused)?;
                advance(&mut connection, 0, steps).map_err(refused)?;
                folder.sync()?;
                return Ok(connection);
            }
            Some(found) if found > known => {
                return Err(OpenError::Newer {
                    path: self.path.clone(),
                    found,
                    known,
                });
            }
            Some(found) => found,
        };
        // One that was restored, or copied by hand, may have left the mode.
        wal(&connection).map_err(refused)?;
        if found < known {
            let aside = folder.path().join(format!("ledger-format-{found}.db"));
            snapshot::put_aside(&connection, &aside)?;
            advance(&mut connection, found, steps).map_err(refused)?;
        }
        Ok(connection)
    }

    /// Opens the database of this format for reading.
    pub fn open_to_read(&self) -> Result<Connection, OpenError> {
        if self.vfs.is_none() && !self.path.exists() {
            return Err(OpenError::Missing {
                path: self.path.clone(),
            });
        }
        let connection = self
            .connect(Access::ReadOnly)
            .map_err(|error| OpenError::sql(&self.path, &error))?;
        let known = STEPS.len() as i64;
        let path = self.path.clone();
        match self.format(&connection)? {
            None => Err(OpenError::Missing { path }),
            Some(found) if found > known => Err(OpenError::Newer { path, found, known }),
            Some(found) if found < known => Err(OpenError::Older { path, found, known }),
            Some(_) => Ok(connection),
        }
    }

    /// The format, or nothing of a database that is empty.
    fn format(&self, connection: &Connection) -> Result<Option<i64>, OpenError> {
        let refused = |error: rusqlite::Error| OpenError::sql(&self.path, &error);
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let found = number("user_version").map_err(refused)?;
        let application = number("application_id").map_err(refused)?;
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(refused)?;
        match (application, found, tables) {
            (0, 0, 0) => Ok(None),
            (APPLICATION, 1.., _) => Ok(Some(found)),
            (APPLICATION, ..) => Err(OpenError::corrupt(
                &self.path,
                "its format is not one that ever was",
            )),
            _ => Err(OpenError::corrupt(
                &self.path,
                "it is a database of another program",
            )),
        }
    }
}

fn wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
}

/// All steps in one transaction: there is no format in between.
fn advance(connection: &mut Connection, from: i64, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(from as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn place(name: &str) -> (Place, Folder, Site) {
        let path = std::env::temp_dir().join(format!("ledger-{name}-{}", std::process::id()));
        let folder = Folder::take(&path, "test").expect("a folder");
        folder.create_database().expect("a file");
        let site = Site::of(&path, None);
        (Place(path), folder, site)
    }

    fn with_a_line(site: &Site, folder: &Folder) {
        let connection = site.open(folder, STEPS).expect("it is new");
        connection
            .execute_batch(
                "INSERT INTO lines VALUES (1, 0, 'person', 'a', 'k', 's', 'i', NULL, NULL, NULL, 'null', 0)",
            )
            .expect("a line");
    }

    const NEXT: &[&str] = &[
        STEPS[0],
        "ALTER TABLE lines ADD COLUMN more INTEGER NOT NULL DEFAULT 7;",
    ];

    #[test]
    fn an_older_one_comes_forward_and_a_copy_stays() {
        let (place, folder, site) = place("forward");
        with_a_line(&site, &folder);
        let connection = site.open(&folder, NEXT).expect("it is older");
        let more: i64 = connection
            .query_row("SELECT more FROM lines", [], |row| row.get(0))
            .expect("the line");
        assert_eq!(more, 7);
        let copy = Connection::open(place.0.join("ledger-format-1.db")).expect("the copy");
        let columns: i64 = copy
            .query_row("SELECT count(*) FROM pragma_table_info('lines')", [], |row| {
                row.get(0)
            })
            .expect("the table");
        assert_eq!(columns, 12);
        let lines: i64 = copy
            .query_row("SELECT count(*) FROM lines", [], |row| row.get(0))
            .expect("the table");
        assert_eq!(lines, 1);
        drop(connection);
        // And it does not go back.
        match site.open(&folder, STEPS) {
            Err(OpenError::Newer {
                found: 2, known: 1, ..
            }) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(site.open_to_read(), Err(OpenError::Newer { .. })));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let (_place, folder, site) = place("fails");
        with_a_line(&site, &folder);
        let broken: &[&str] = &[STEPS[0], "CREATE TABLE new (x INTEGER) STRICT;", "no SQL"];
        assert!(matches!(site.open(&folder, broken), Err(OpenError::Io { .. })));
        let connection = site.open(&folder, STEPS).expect("it is as it was");
        let lines: i64 = connection
            .query_row("SELECT count(*) FROM lines", [], |row| row.get(0))
            .expect("the table");
        assert_eq!(lines, 1);
    }
}
