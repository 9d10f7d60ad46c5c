//! What left memory: old states and old events, read from the table on a connection of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::entry::path;
use crate::log::{COLUMNS, Compaction, Record, Site};
use crate::table::{Past, Range};
use crate::{Event, EventKind, ReadError};

/// A reader of the table. It is opened when it is first needed: most stores never do.
pub(crate) struct History {
    site: Site,
    link: Mutex<Link>,
}

enum Link {
    Unopened,
    Open(Connection),
    Closed,
}

/// What changed after a revision, as far as the table knew when it was read.
pub(crate) struct Undo {
    pub past: Past,
    /// Changes up to this revision are in.
    pub known: u64,
}

impl History {
    pub fn new(site: Site) -> History {
        History {
            site,
            link: Mutex::new(Link::Unopened),
        }
    }

    /// The states at a revision of the objects in a range that changed after it.
    pub fn undo(&self, resource: &str, range: Range<'_>, at: u64) -> Result<Undo, ReadError> {
        self.read(at, |connection| {
            let known = connection
                .query_row("SELECT max(revision) FROM revisions", [], |row| {
                    row.get::<_, Option<i64>>(0)
                })?
                .map_or(at, |revision| revision as u64);
            let mut by_revision = Reader::new(connection)?;
            let mut statement = connection.prepare(
                "SELECT namespace, name, previous FROM revisions
                 WHERE revision > ?1 AND resource = ?2 ORDER BY revision",
            )?;
            let mut rows = statement.query(params![at as i64, resource])?;
            let mut past = Past::new();
            while let Some(row) = rows.next()? {
                let path = path(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
                if past.contains_key(&path) || !range.contains(&path) {
                    continue;
                }
                let previous = by_revision.entry(row.get::<_, i64>(2)?)?;
                past.insert(path, previous);
            }
            Ok(Undo { past, known })
        })
    }

    /// The next events of a resource after a revision and up to another, at most so many.
    pub fn events(
        &self,
        resource: &str,
        namespace: Option<&str>,
        after: u64,
        to: u64,
        page: usize,
    ) -> Result<Vec<Event>, ReadError> {
        self.read(after, |connection| {
            let mut by_revision = Reader::new(connection)?;
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM revisions
                 WHERE revision > ?1 AND revision <= ?2 AND resource = ?3 AND (?4 IS NULL OR namespace = ?4)
                 ORDER BY revision LIMIT ?5"
            ))?;
            let mut rows =
                statement.query(params![after as i64, to as i64, resource, namespace, page as i64])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let record = Record::read(row)?;
                let previous = by_revision.entry(record.previous as i64)?;
                let entry = record.entry();
                let kind = match previous {
                    Some(previous) if record.deleted => EventKind::Delete { previous },
                    // Nothing deletes what is not there; were it so, its last state is what it was before.
                    None if record.deleted => EventKind::Delete {
                        previous: entry.clone(),
                    },
                    previous => EventKind::Put { previous },
                };
                events.push(Event { kind, entry });
            }
            Ok(events)
        })
    }

    pub fn close(&self) {
        *self.lock() = Link::Closed;
    }

    /// Reads from one state of the table, in which everything after `since` still is.
    fn read<T>(
        &self,
        since: u64,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let mut link = self.lock();
        if matches!(*link, Link::Unopened) {
            *link = Link::Open(self.site.connect()?);
        }
        let Link::Open(connection) = &mut *link else {
            return Err(ReadError::Io {
                reason: "the store is closed".to_owned(),
            });
        };
        let snapshot = connection.transaction()?;
        let Compaction { compacted, .. } = Compaction::read(&snapshot)?;
        if since < compacted {
            return Err(ReadError::Compacted {
                requested: since,
                oldest: compacted,
            });
        }
        let value = read(&snapshot)?;
        snapshot.finish()?;
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Single rows by their revision.
struct Reader<'c> {
    statement: Statement<'c>,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Reader<'c>> {
        let statement =
            connection.prepare(&format!("SELECT {COLUMNS} FROM revisions WHERE revision = ?1"))?;
        Ok(Reader { statement })
    }

    /// The entry of a revision; none for 0.
    fn entry(&mut self, revision: i64) -> rusqlite::Result<Option<std::sync::Arc<crate::Entry>>> {
        if revision == 0 {
            return Ok(None);
        }
        self.statement
            .query_row([revision], |row| Ok(Record::read(row)?.entry()))
            .optional()
    }
}
