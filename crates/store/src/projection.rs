//! Projections: tables that are made of the lines alone, in the same transaction as them.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction};

use crate::error::OpenError;
use crate::limits;
use crate::line::{self, COLUMNS, Seq, Stored};
use crate::schema::Site;

/// A set of tables that says what is, while the lines say what happened.
///
/// The tables depend on the lines and on nothing else: no clock, no randomness, no other projection. So they can be made
/// again at any time, which happens at the next start after [`Projection::version`] has changed.
pub trait Projection: Send + Sync {
    /// Its name, as in `runs`.
    fn name(&self) -> &'static str;

    /// Raise it with every change of [`Projection::schema`] or [`Projection::apply`].
    fn version(&self) -> u32;

    /// `CREATE TABLE` and `CREATE INDEX` statements. Names of tables are those of no other projection: begin them with the
    /// projection's.
    fn schema(&self) -> &'static str;

    /// Brings the tables up to date with the next line.
    ///
    /// # Errors
    /// [`ProjectionError::Refused`] when the line contradicts what the tables say: then its whole append is refused, and
    /// nothing of it is kept. A projection that is made anew must take every line that an older version took.
    fn apply(&self, tables: &Tables<'_>, line: &Stored) -> Result<(), ProjectionError>;
}

/// Why a projection did not take a line.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The line contradicts what is known.
    #[error("{0}")]
    Refused(String),
    /// SQLite's refusal. A violated constraint counts as a contradiction, a full or broken disk as that.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// The tables of the ledger: to change them in [`Projection::apply`], to read them in [`crate::Ledger::view`].
pub struct Tables<'c>(pub(crate) &'c Connection);

impl Tables<'_> {
    /// Runs a statement; the number of rows that it changed.
    ///
    /// # Errors
    /// SQLite's.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.cached(sql)?.execute(params)
    }

    /// The first row of an answer, if there is one.
    ///
    /// # Errors
    /// SQLite's, and those of `read`.
    pub fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.cached(sql)?.query_row(params, read).optional()
    }

    /// All rows of an answer; ask with a `LIMIT`.
    ///
    /// # Errors
    /// SQLite's, and those of `read`.
    pub fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.cached(sql)?.query_map(params, read)?.collect()
    }

    fn cached(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.0.prepare_cached(sql)
    }
}

pub(crate) type Projections = Vec<Arc<dyn Projection>>;

/// Makes the tables of every projection say what the lines say. A crash in the middle goes on from there.
pub(crate) fn catch_up(
    connection: &mut Connection,
    site: &Site,
    projections: &Projections,
) -> Result<(), OpenError> {
    let refused = |error: rusqlite::Error| OpenError::sql(&site.path, &error);
    let last = last_line(connection).map_err(refused)?;
    for projection in projections {
        let name = projection.name();
        if projections.iter().filter(|other| other.name() == name).count() > 1 {
            return Err(mistake(name, None, "two projections have this name"));
        }
        let known = connection
            .query_row(
                "SELECT version, seq FROM projections WHERE name = ?1",
                [name],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )
            .optional()
            .map_err(refused)?;
        let mut seq = match known {
            Some((version, seq)) if version == i64::from(projection.version()) => seq as Seq,
            _ => {
                make_anew(connection, projection.as_ref())
                    .map_err(|error| sorted(site, name, None, error))?;
                0
            }
        };
        while seq < last {
            seq = take_some(connection, site, projection.as_ref(), seq)?;
        }
    }
    Ok(())
}

pub(crate) fn last_line(connection: &Connection) -> rusqlite::Result<Seq> {
    connection.query_row("SELECT coalesce(max(seq), 0) FROM lines", [], |row| {
        row.get::<_, i64>(0).map(|seq| seq as Seq)
    })
}

fn mistake(name: &'static str, seq: Option<Seq>, reason: &str) -> OpenError {
    OpenError::Projection {
        name,
        seq,
        reason: reason.to_owned(),
    }
}

/// Whose fault a failure at a start is: the disk's or the projection's.
fn sorted(site: &Site, name: &'static str, seq: Option<Seq>, error: ProjectionError) -> OpenError {
    match error {
        ProjectionError::Sql(error) if is_of_the_disk(&error) => OpenError::sql(&site.path, &error),
        error => mistake(name, seq, &error.to_string()),
    }
}

/// Whether the next attempt may go well, or nothing will: not a mistake in SQL, not a contradiction.
pub(crate) fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
        )
    )
}

/// Removes what an earlier version has made, and makes empty tables.
fn make_anew(connection: &mut Connection, projection: &dyn Projection) -> Result<(), ProjectionError> {
    let transaction = connection.transaction()?;
    let old: Option<String> = transaction
        .query_row(
            "SELECT tables FROM projections WHERE name = ?1",
            [projection.name()],
            |row| row.get(0),
        )
        .optional()?;
    for table in old.iter().flat_map(|tables| tables.lines()) {
        // Its indices and triggers go with it.
        transaction.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(table)))?;
    }
    let before = tables(&transaction)?;
    transaction.execute_batch(projection.schema())?;
    let made: Vec<String> = tables(&transaction)?
        .into_iter()
        .filter(|table| !before.contains(table))
        .collect();
    transaction.execute(
        "INSERT OR REPLACE INTO projections VALUES (?1, ?2, 0, ?3)",
        rusqlite::params![projection.name(), projection.version(), made.join("\n")],
    )?;
    Ok(transaction.commit()?)
}

fn tables(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    transaction
        .prepare(sql)?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Applies the next lines in one transaction; the number of the last.
fn take_some(
    connection: &mut Connection,
    site: &Site,
    projection: &dyn Projection,
    after: Seq,
) -> Result<Seq, OpenError> {
    let name = projection.name();
    let mut at = after;
    let mut attempt = || -> Result<(), ProjectionError> {
        let transaction = connection.transaction()?;
        {
            let mut lines = transaction.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM lines WHERE seq > ?1 ORDER BY seq LIMIT ?2"
            ))?;
            let mut rows = lines.query([after as i64, limits::REBUILD_LINES as i64])?;
            while let Some(row) = rows.next()? {
                let (stored, _) = line::read(row)?;
                at = stored.seq;
                projection.apply(&Tables(&transaction), &stored)?;
            }
        }
        transaction.execute(
            "UPDATE projections SET seq = ?2 WHERE name = ?1",
            rusqlite::params![name, at as i64],
        )?;
        Ok(transaction.commit()?)
    };
    attempt().map_err(|error| sorted(site, name, Some(at), error))?;
    Ok(at)
}
