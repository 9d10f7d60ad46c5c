//! The one thread that writes: it drains its queue, commits what it found together, answers, wakes who watches.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::AppendError;
use crate::limits;
use crate::line::{Prepared, Seq, Stored};
use crate::lock::Folder;
use crate::projection::{ProjectionError, Projections, Tables, is_of_the_disk};

pub(crate) type Outcome = Result<Vec<Seq>, AppendError>;

/// Lines that are kept or refused together.
pub(crate) struct Append {
    pub lines: Vec<Prepared>,
    pub answer: oneshot::Sender<Outcome>,
}

impl Append {
    fn bytes(&self) -> usize {
        self.lines.iter().map(Prepared::bytes).sum()
    }
}

pub(crate) enum Command {
    Append(Append),
    /// Finish what is queued before, and end.
    Close,
}

/// The thread's belongings.
pub(crate) struct Writer {
    pub connection: Connection,
    pub commands: mpsc::Receiver<Command>,
    pub projections: Projections,
    /// The number of the last line that is on disk; `None` once the thread has ended.
    pub last: watch::Sender<Option<Seq>>,
    /// Held until the thread is done.
    pub folder: Folder,
}

impl Writer {
    pub fn run(mut self) {
        let mut last = self.last.borrow().unwrap_or_default();
        let mut open = true;
        while open {
            let Some(first) = self.commands.blocking_recv() else {
                break;
            };
            let (batch, goes_on) = self.batch(first);
            open = goes_on;
            if batch.is_empty() {
                continue;
            }
            let (appends, answers): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|append| (append.lines, append.answer))
                .unzip();
            match self.commit(last, appends) {
                Ok((seq, outcomes)) => {
                    if seq > last {
                        last = seq;
                        self.last.send_replace(Some(seq));
                    }
                    answer_all(answers, outcomes);
                }
                Err(error) => {
                    let error = AppendError::from(&error);
                    let outcomes = answers.iter().map(|_| Err(error.clone())).collect();
                    answer_all(answers, outcomes);
                }
            }
        }
        self.last.send_replace(None);
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Append(append) = command {
                drop(append.answer.send(Err(AppendError::Closed)));
            }
        }
        // The last connection to close copies the log into the database; what it cannot copy, the next start finds.
        drop(self.connection);
        drop(self.folder);
    }

    /// What is in the queue, up to the bounds of a transaction; and whether more may come.
    fn batch(&mut self, first: Command) -> (Vec<Append>, bool) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Close => return (batch, false),
                Command::Append(append) => {
                    bytes += append.bytes();
                    batch.push(append);
                }
            }
            let is_full = batch.len() >= limits::BATCH_APPENDS || bytes >= limits::BATCH_BYTES;
            next = if is_full {
                None
            } else {
                self.commands.try_recv().ok()
            };
        }
        (batch, true)
    }

    /// One transaction. What a projection refuses is left out of it alone; what SQLite refuses fails all.
    fn commit(&mut self, last: Seq, appends: Vec<Vec<Prepared>>) -> rusqlite::Result<(Seq, Vec<Outcome>)> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut seq = last;
        let done = appends
            .into_iter()
            .map(|lines| one(connection, &self.projections, &mut seq, lines))
            .collect::<rusqlite::Result<Vec<Outcome>>>()
            .and_then(|outcomes| {
                if seq > last {
                    let mut reached =
                        connection.prepare_cached("UPDATE projections SET seq = ?2 WHERE name = ?1")?;
                    for projection in &self.projections {
                        reached.execute(rusqlite::params![projection.name(), seq as i64])?;
                    }
                }
                connection.prepare_cached("COMMIT")?.execute([])?;
                Ok((seq, outcomes))
            });
        if done.is_err() && !connection.is_autocommit() {
            // Some errors have rolled back already; if this one fails too, `BEGIN` will say so next time.
            drop(connection.execute_batch("ROLLBACK"));
        }
        done
    }
}

/// One append inside of the transaction: all of its lines or none.
fn one(
    connection: &Connection,
    projections: &Projections,
    seq: &mut Seq,
    lines: Vec<Prepared>,
) -> rusqlite::Result<Outcome> {
    let start = *seq;
    connection.prepare_cached("SAVEPOINT append")?.execute([])?;
    let refused = lines
        .into_iter()
        .try_for_each(|line| add(connection, projections, seq, line));
    let outcome = match refused {
        Ok(()) => Ok((start + 1..=*seq).collect()),
        Err(Stop::Disk(error)) => return Err(error),
        Err(Stop::Refused { projection, reason }) => {
            *seq = start;
            connection.prepare_cached("ROLLBACK TO append")?.execute([])?;
            Err(AppendError::Refused { projection, reason })
        }
    };
    connection.prepare_cached("RELEASE append")?.execute([])?;
    Ok(outcome)
}

enum Stop {
    Disk(rusqlite::Error),
    Refused {
        projection: &'static str,
        reason: String,
    },
}

fn add(
    connection: &Connection,
    projections: &Projections,
    seq: &mut Seq,
    line: Prepared,
) -> Result<(), Stop> {
    *seq += 1;
    connection
        .prepare_cached("INSERT INTO lines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
        .and_then(|mut insert| line.insert(&mut insert, *seq))
        .map_err(Stop::Disk)?;
    let stored = Stored {
        seq: *seq,
        line: line.line,
    };
    for projection in projections {
        projection
            .apply(&Tables(connection), &stored)
            .map_err(|error| match error {
                ProjectionError::Sql(error) if is_of_the_disk(&error) => Stop::Disk(error),
                error => Stop::Refused {
                    projection: projection.name(),
                    reason: error.to_string(),
                },
            })?;
    }
    Ok(())
}

fn answer_all(answers: Vec<oneshot::Sender<Outcome>>, outcomes: Vec<Outcome>) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        // Whoever has stopped waiting finds the lines in the ledger.
        drop(answer.send(outcome));
    }
}
