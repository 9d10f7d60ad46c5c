//! The one thread that writes: it drains its queue, decides each write, commits them together, shows them, answers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::{Connection, Statement, params};
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::{Checkpointer, Turn};
use crate::history::History;
use crate::index::Index;
use crate::lock::Folder;
use crate::log::{Compaction, Record};
use crate::{Change, Entry, Event, EventKind, Expected, Key, Write, WriteError, limits};

pub(crate) type Outcome = Result<Arc<Entry>, WriteError>;

/// What the thread is asked for.
pub(crate) enum Command {
    Write {
        write: Write,
        answer: oneshot::Sender<Outcome>,
    },
    /// Forget the states before a revision.
    Compact {
        to: u64,
        answer: oneshot::Sender<Result<(), WriteError>>,
    },
    /// Finish what is queued and end.
    Close,
}

/// The thread's belongings.
pub(crate) struct Writer {
    pub index: Arc<Index>,
    pub history: Arc<History>,
    pub commands: mpsc::Receiver<Command>,
    pub checkpointer: Checkpointer,
    pub turn: Turn,
    pub compaction: Compaction,
    /// The last revision that was given out; those of failed batches are not given out again.
    pub revision: u64,
    /// Held until the thread is done.
    pub folder: Folder,
}

/// One write of a batch, decided.
struct Decided {
    answer: oneshot::Sender<Outcome>,
    outcome: Outcome,
    /// The outcome supposes that this batch is committed.
    pending: bool,
}

#[derive(Default)]
struct Batch {
    decided: Vec<Decided>,
    events: Vec<Event>,
    bytes: usize,
    /// What the batch makes of the keys it touches.
    states: HashMap<Key, Option<Arc<Entry>>>,
}

impl Writer {
    /// Runs until it is closed or nobody can ask any more.
    pub fn run(mut self, connection: Connection) {
        Checkpointer::observe(&connection);
        match Statements::new(&connection) {
            Ok(mut statements) => self.serve(&mut statements),
            // The schema was read a moment ago, so preparing statements needs memory only.
            Err(_) => self.commands.close(),
        }
        self.index.close();
        drop(self.checkpointer);
        self.history.close();
        // The last connection copies the log into the database and removes it. What fails stays in the log.
        drop(connection.close());
        drop(self.folder);
    }

    fn serve(&mut self, statements: &mut Statements<'_>) {
        let mut sweep = Sweep::default();
        let mut growth = Growth::new(self.index.bounds().compact_bytes);
        sweep.add(self.compaction, Ok(()), None);
        loop {
            let next = if sweep.is_due() {
                match self.commands.try_recv() {
                    Ok(command) => Some(command),
                    Err(mpsc::error::TryRecvError::Empty) => None,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            } else {
                match self.commands.blocking_recv() {
                    Some(command) => Some(command),
                    None => return,
                }
            };
            if let Some(command) = next {
                let mut compactions = Vec::new();
                let batch = self.collect(command, &mut compactions);
                let bytes = batch.bytes;
                if self.commit(batch, statements) {
                    growth.add(self.index.revision(), bytes as u64);
                }
                if let Some(to) = growth.excess() {
                    compactions.push((to, None));
                }
                for (to, answer) in compactions {
                    let marked = self.mark_compacted(to, statements);
                    sweep.add(self.compaction, marked, answer);
                }
            }
            if sweep.is_due() {
                let swept = self.sweep(statements);
                sweep.advance(self.compaction, swept);
            }
        }
    }

    /// Decides what is queued, up to a batch.
    fn collect(&mut self, first: Command, compactions: &mut Vec<(u64, Answer)>) -> Batch {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Write { write, answer } => self.decide(write, answer, &mut batch),
                Command::Compact { to, answer } => compactions.push((to, Some(answer))),
                Command::Close => self.commands.close(),
            }
            if batch.decided.len() >= limits::BATCH_WRITES || batch.bytes >= limits::BATCH_BYTES {
                break;
            }
            next = self.commands.try_recv().ok();
        }
        batch
    }

    fn decide(&mut self, write: Write, answer: oneshot::Sender<Outcome>, batch: &mut Batch) {
        let (current, pending) = match batch.states.get(&write.key) {
            Some(state) => (state.clone(), true),
            None => (self.index.get(&write.key), false),
        };
        let holds = match write.expected {
            Expected::Absent => current.is_none(),
            Expected::Revision(revision) => current.as_ref().is_some_and(|entry| entry.revision == revision),
            Expected::Any => true,
        };
        let deletes_nothing = matches!(write.change, Change::Delete(_)) && current.is_none();
        if !holds || deletes_nothing {
            batch.decided.push(Decided {
                answer,
                outcome: Err(WriteError::Conflict { current }),
                pending,
            });
            return;
        }
        self.revision += 1;
        let created = current.as_ref().map_or(self.revision, |entry| entry.created);
        let (text, deletes) = match write.change {
            Change::Put(text) => (text, false),
            Change::Delete(text) => (text, true),
        };
        let entry = Arc::new(Entry::new(
            write.key,
            self.revision,
            created,
            text.at(self.revision),
        ));
        batch.bytes += entry.body.len();
        batch
            .states
            .insert(entry.key.clone(), (!deletes).then(|| entry.clone()));
        let kind = match current {
            Some(previous) if deletes => EventKind::Delete { previous },
            previous => EventKind::Put { previous },
        };
        batch.events.push(Event {
            kind,
            entry: entry.clone(),
        });
        batch.decided.push(Decided {
            answer,
            outcome: Ok(entry),
            pending: true,
        });
    }

    /// Puts a batch on disk, shows it, and answers. Whether it was committed.
    fn commit(&mut self, batch: Batch, statements: &mut Statements<'_>) -> bool {
        let failure = if batch.events.is_empty() {
            None
        } else {
            let _turn = self.turn.take();
            statements.append(&batch.events).err().map(WriteError::from)
        };
        let news = failure.is_none().then(|| self.index.publish(batch.events));
        for Decided {
            answer,
            outcome,
            pending,
        } in batch.decided
        {
            let outcome = match &failure {
                Some(failure) if pending => Err(failure.clone()),
                _ => outcome,
            };
            // A caller who left does not learn the outcome; the write happened all the same.
            drop(answer.send(outcome));
        }
        // Watches may be many: who waits for an answer does not wait for them too.
        if let Some(news) = &news {
            self.index.announce(news);
        }
        self.checkpointer.after_commit();
        failure.is_none()
    }

    /// From here on, also after a crash, nobody is told a state before `to`.
    fn mark_compacted(&mut self, to: u64, statements: &mut Statements<'_>) -> Result<(), WriteError> {
        let to = to.min(self.index.revision());
        if to <= self.compaction.compacted {
            return Ok(());
        }
        {
            let _turn = self.turn.take();
            statements.set_state(Compaction {
                compacted: to,
                ..self.compaction
            })?;
        }
        self.compaction.compacted = to;
        self.index.compact(to);
        Ok(())
    }

    /// Removes some of what compaction made useless. An error leaves all as it was.
    fn sweep(&mut self, statements: &mut Statements<'_>) -> Result<(), WriteError> {
        let swept = {
            let _turn = self.turn.take();
            statements.sweep(self.compaction, self.index.bounds().sweep_rows)?
        };
        self.compaction.swept = swept;
        self.checkpointer.after_commit();
        Ok(())
    }
}

type Answer = Option<oneshot::Sender<Result<(), WriteError>>>;

/// The rest of a compaction, and who waits for it.
#[derive(Default)]
struct Sweep {
    due: bool,
    answers: Vec<oneshot::Sender<Result<(), WriteError>>>,
}

impl Sweep {
    fn is_due(&self) -> bool {
        self.due
    }

    fn add(&mut self, compaction: Compaction, marked: Result<(), WriteError>, answer: Answer) {
        let open = marked.is_ok() && compaction.swept < compaction.compacted;
        self.due |= open;
        match answer {
            Some(answer) if open => self.answers.push(answer),
            Some(answer) => drop(answer.send(marked)),
            None => {}
        }
    }

    /// After a full disk the rest waits for the next compaction: trying again at once would be a loop.
    fn advance(&mut self, compaction: Compaction, swept: Result<(), WriteError>) {
        if swept.is_ok() && compaction.swept < compaction.compacted {
            return;
        }
        self.due = false;
        for answer in self.answers.drain(..) {
            drop(answer.send(swept.clone()));
        }
    }
}

/// How much was written since the last compaction, so that a store under heavy load compacts before its time: to the
/// middle, so that recent states stay good.
struct Growth {
    limit: u64,
    marks: VecDeque<(u64, u64)>,
    bytes: u64,
}

/// So many marks over [`limits::COMPACT_BYTES`].
const GROWTH_MARKS: u64 = 16;

impl Growth {
    fn new(limit: u64) -> Growth {
        Growth {
            limit,
            marks: VecDeque::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, revision: u64, bytes: u64) {
        self.bytes += bytes;
        let last = self.marks.back().map_or(0, |(_, bytes)| *bytes);
        if self.bytes - last >= self.limit / GROWTH_MARKS {
            self.marks.push_back((revision, self.bytes));
        }
    }

    /// The revision to compact to, when it is time.
    fn excess(&mut self) -> Option<u64> {
        if self.bytes < self.limit {
            return None;
        }
        let half = self.bytes / 2;
        let mut to = None;
        while let Some((revision, _)) = self.marks.pop_front_if(|(_, bytes)| *bytes <= half) {
            to = Some(revision);
        }
        self.bytes -= half;
        for (_, bytes) in &mut self.marks {
            *bytes -= half;
        }
        to
    }
}

/// The writer's statements, prepared once.
struct Statements<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    insert: Statement<'c>,
    commit: Statement<'c>,
    set_state: Statement<'c>,
    chunk_end: Statement<'c>,
    sweep_superseded: Statement<'c>,
    sweep_deleted: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Statements<'c>> {
        Ok(Statements {
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            insert: connection.prepare(
                "INSERT INTO revisions
                     (revision, created, previous, deleted, checksum, resource, namespace, name, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            commit: connection.prepare("COMMIT")?,
            set_state: connection.prepare("UPDATE state SET compacted = ?1, swept = ?2")?,
            chunk_end: connection.prepare(
                "SELECT revision FROM revisions WHERE revision > ?1 AND revision <= ?2
                 ORDER BY revision LIMIT 1 OFFSET ?3",
            )?,
            sweep_superseded: connection.prepare(
                "DELETE FROM revisions WHERE revision IN
                     (SELECT previous FROM revisions WHERE revision > ?1 AND revision <= ?2)",
            )?,
            sweep_deleted: connection
                .prepare("DELETE FROM revisions WHERE revision > ?1 AND revision <= ?2 AND deleted = 1")?,
        })
    }

    fn append(&mut self, events: &[Event]) -> rusqlite::Result<()> {
        self.transaction(|statements| events.iter().try_for_each(|event| statements.insert(event)))
    }

    fn insert(&mut self, event: &Event) -> rusqlite::Result<()> {
        let Entry {
            key,
            revision,
            created,
            body,
            ..
        } = &*event.entry;
        let record = Record {
            revision: *revision,
            created: *created,
            previous: event.previous().map_or(0, |previous| previous.revision),
            deleted: matches!(event.kind, EventKind::Delete { .. }),
            resource: &key.resource,
            namespace: &key.namespace,
            name: &key.name,
            body,
        };
        self.insert.execute(params![
            record.revision as i64,
            record.created as i64,
            record.previous as i64,
            record.deleted,
            record.checksum(),
            record.resource,
            record.namespace,
            record.name,
            record.body,
        ])?;
        Ok(())
    }

    fn set_state(&mut self, state: Compaction) -> rusqlite::Result<()> {
        self.transaction(|statements| {
            statements
                .set_state
                .execute([state.compacted as i64, state.swept as i64])
                .map(drop)
        })
    }

    /// Removes what the next rows made useless, and says how far that went.
    fn sweep(&mut self, state: Compaction, rows: u32) -> rusqlite::Result<u64> {
        let from = state.swept as i64;
        let rows = i64::from(rows) - 1;
        let mut to = state.compacted as i64;
        if let Some(row) = self.chunk_end.query([from, to, rows])?.next()? {
            to = row.get(0)?;
        }
        self.transaction(|statements| {
            statements.sweep_superseded.execute([from, to])?;
            statements.sweep_deleted.execute([from, to])?;
            statements
                .set_state
                .execute([state.compacted as i64, to])
                .map(drop)
        })?;
        Ok(to as u64)
    }

    /// All or nothing. `COMMIT` returns when the log is on disk.
    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Statements<'c>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.begin.execute([])?;
        let done = work(self).and_then(|()| self.commit.execute([]).map(drop));
        if done.is_err() && !self.connection.is_autocommit() {
            // Some errors have rolled back already; if this one fails too, `BEGIN` will say so next time.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        done
    }
}
