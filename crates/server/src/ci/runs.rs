//! Runs as the ledger has them: one row for each, made of its lines alone.

use deploy_store::sql::{self, Row, params};
use deploy_store::{Ledger, Projection, ProjectionError, ReadError, Stored, Tables};
use deploy_workflow::trigger::Cause;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::limits;

/// What a run's lines are about.
pub(super) const RUN: &str = "run";
/// A push, with the runs that it starts.
pub(super) const PUSHED: &str = "repository.pushed";
/// A run is to be carried out.
pub(super) const QUEUED: &str = "run.queued";
/// Its first effect; the runner writes it.
pub(super) const STARTED: &str = "run.started";
/// Its end; the runner writes it, or who finds that there is no runner any more.
pub(super) const ENDED: &str = "run.ended";

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// Its jobs run, or wait for a place.
    Running,
    /// It is over: see its conclusion.
    Ended,
}

impl RunState {
    const ALL: [(RunState, &'static str); 3] = [
        (RunState::Queued, "queued"),
        (RunState::Running, "running"),
        (RunState::Ended, "ended"),
    ];

    fn named(name: &str) -> RunState {
        let found = RunState::ALL.into_iter().find(|(_, known)| *known == name);
        found.map_or(RunState::Ended, |(state, _)| state)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its number among all runs of this server.
    pub id: i64,
    /// The name of its repository here.
    pub repository: String,
    /// The workflow's file.
    pub file: String,
    /// The workflow's name; the file's where it has none.
    pub workflow: String,
    /// Its number among the runs of this workflow.
    pub number: i64,
    /// What started it.
    pub cause: Cause,
    /// How far it is.
    pub state: RunState,
    /// `success`, `failure`, `cancelled`, `skipped`, once it has ended.
    pub conclusion: Option<String>,
    /// Why it ended so, where no step says so.
    pub reason: Option<String>,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is known of its jobs, once it has ended: times of steps, waits with their reasons, caches.
    pub report: Value,
}

/// The tables.
pub(crate) struct Runs;

impl Projection for Runs {
    fn name(&self) -> &'static str {
        "runs"
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE runs (
             id INTEGER PRIMARY KEY, repository TEXT NOT NULL, file TEXT NOT NULL, workflow TEXT NOT NULL,
             number INTEGER NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL, conclusion TEXT, reason TEXT,
             queued_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, report TEXT
         ) STRICT;
         CREATE INDEX runs_by_repository ON runs (repository, id);
         CREATE INDEX runs_open ON runs (state) WHERE state <> 'ended';
         CREATE TABLE runs_pushes (
             repository TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (repository, number)
         ) STRICT, WITHOUT ROWID;"
    }

    fn apply(&self, tables: &Tables<'_>, stored: &Stored) -> Result<(), ProjectionError> {
        let line = &stored.line;
        let data = &line.data;
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let at = line.at.as_millisecond();
        match line.kind.as_str() {
            PUSHED => {
                let number = data["number"].as_i64().unwrap_or_default();
                let sql = "INSERT INTO runs_pushes VALUES (?1, ?2)";
                tables.execute(sql, params![line.subject.id, number])?;
            }
            QUEUED => {
                tables.execute(
                    "INSERT INTO runs (id, repository, file, workflow, number, cause, state, queued_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7)",
                    params![
                        id_of(stored),
                        text("repository"),
                        text("file"),
                        text("workflow"),
                        data["number"].as_i64(),
                        data["cause"].to_string(),
                        at
                    ],
                )?;
            }
            STARTED => {
                tables.execute(
                    "UPDATE runs SET state = 'running', started_at = ?2 WHERE id = ?1 AND state = 'queued'",
                    params![id_of(stored), at],
                )?;
            }
            ENDED => {
                tables.execute(
                    "UPDATE runs SET state = 'ended', ended_at = ?2, conclusion = ?3, reason = ?4, report = ?5
                     WHERE id = ?1 AND state <> 'ended'",
                    params![
                        id_of(stored),
                        at,
                        text("conclusion"),
                        line.reason,
                        data.to_string()
                    ],
                )?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Runs of other places (`deploy ci run`) have no number, and no row.
fn id_of(stored: &Stored) -> Option<i64> {
    stored.line.subject.id.parse().ok()
}

const COLUMNS: &str = "id, repository, file, workflow, number, cause, state, conclusion, reason, queued_at, started_at, \
                       ended_at, report";

fn read(row: &Row<'_>) -> Result<RunRecord, sql::Error> {
    let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_millisecond(at).ok());
    let cause: String = row.get(5)?;
    let state: String = row.get(6)?;
    let report: Option<String> = row.get(12)?;
    Ok(RunRecord {
        id: row.get(0)?,
        repository: row.get(1)?,
        file: row.get(2)?,
        workflow: row.get(3)?,
        number: row.get(4)?,
        cause: serde_json::from_str(&cause).unwrap_or_default(),
        state: RunState::named(&state),
        conclusion: row.get(7)?,
        reason: row.get(8)?,
        queued_at: time(row.get(9)?).unwrap_or_default(),
        started_at: time(row.get(10)?),
        ended_at: time(row.get(11)?),
        report: report
            .and_then(|report| serde_json::from_str(&report).ok())
            .unwrap_or(Value::Null),
    })
}

/// The newest runs, of a repository or of all, with smaller numbers than `before`.
///
/// # Errors
/// Those of the ledger.
pub async fn runs_of(
    ledger: &Ledger,
    repository: Option<String>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<RunRecord>, ReadError> {
    let limit = limit.min(limits::LISTED_RUNS) as i64;
    let sql = format!(
        "SELECT {COLUMNS} FROM runs WHERE (?1 IS NULL OR repository = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    let before = before.unwrap_or(i64::MAX);
    ledger
        .view(move |tables| tables.rows(&sql, params![repository, before, limit], read))
        .await
}

/// One run.
pub(crate) async fn run_of(ledger: &Ledger, id: i64) -> Result<Option<RunRecord>, ReadError> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
    ledger
        .view(move |tables| tables.row(&sql, params![id], read))
        .await
}

/// All that have not ended, the oldest first.
pub(super) async fn open_runs(ledger: &Ledger) -> Result<Vec<RunRecord>, ReadError> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE state <> 'ended' ORDER BY id");
    ledger
        .view(move |tables| tables.rows(&sql, params![], read))
        .await
}

/// Whether the runs of a push are in the ledger.
pub(super) async fn is_known(ledger: &Ledger, repository: &str, number: u64) -> Result<bool, ReadError> {
    let (repository, number) = (repository.to_owned(), number as i64);
    let found = ledger.view(move |tables| {
        let sql = "SELECT 1 FROM runs_pushes WHERE repository = ?1 AND number = ?2";
        tables.row(sql, params![repository, number], |_| Ok(()))
    });
    Ok(found.await?.is_some())
}

/// The next number of all runs, and of the runs of each of these workflows.
pub(super) async fn next_numbers(
    ledger: &Ledger,
    repository: &str,
    files: &[String],
) -> Result<(i64, Vec<i64>), ReadError> {
    let (repository, files) = (repository.to_owned(), files.to_vec());
    ledger
        .view(move |tables| {
            let number = |row: &Row<'_>| row.get::<_, i64>(0);
            let next = tables.row("SELECT coalesce(max(id), 0) + 1 FROM runs", params![], number)?;
            let sql = "SELECT coalesce(max(number), 0) + 1 FROM runs WHERE repository = ?1 AND file = ?2";
            let of_files = files.iter().map(|file| {
                let found = tables.row(sql, params![repository, file], number)?;
                Ok(found.unwrap_or(1))
            });
            Ok((next.unwrap_or(1), of_files.collect::<Result<_, sql::Error>>()?))
        })
        .await
}
