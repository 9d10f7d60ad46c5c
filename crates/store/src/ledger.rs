//! The ledger as the process that writes it sees it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{AppendError, OpenError, ReadError};
use crate::limits;
use crate::line::{Line, Prepared, Seq, Stored};
use crate::lock::Folder;
use crate::projection::{Projections, Tables, catch_up, last_line};
use crate::query::{self, Page, Query};
use crate::reader::Readers;
use crate::schema::{STEPS, Site};
use crate::watch::{Follow, Watch};
use crate::writer::{Append, Command, Outcome, Writer};

/// How a ledger is opened.
#[derive(Clone, Default)]
pub struct Options {
    /// What is derived from the lines.
    pub projections: Projections,
    /// What another process is told when it finds the ledger in use, as in `deploy run ci`.
    pub program: String,
    /// The name of the SQLite file layer (VFS), for tests that need a disk which forgets or fails.
    pub vfs: Option<String>,
}

/// A handle on the ledger; clones share it. Dropping the last one closes it and waits for its threads.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    readers: Arc<Readers>,
    commands: Option<mpsc::Sender<Command>>,
    last: watch::Receiver<Option<Seq>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Opens the ledger of a data folder, which it makes when it is missing, and brings it and its projections up to date.
    /// Blocks for that long: milliseconds, or about a second for each 100,000 lines that a projection has not seen.
    ///
    /// # Errors
    /// By what can be done about it: see [`OpenError`]. Of a ledger that is in use, newer or damaged nothing is changed.
    pub fn open(folder: &Path, options: Options) -> Result<Ledger, OpenError> {
        let folder = Folder::take(folder, &options.program)?;
        let site = Site::of(folder.path(), options.vfs);
        folder.create_database()?;
        let mut connection = site.open(&folder, STEPS)?;
        catch_up(&mut connection, &site, &options.projections)?;
        let last = last_line(&connection).map_err(|error| OpenError::sql(&site.path, &error))?;
        let readers = Arc::new(Readers::start(&site)?);

        let (commands, queue) = mpsc::channel(limits::QUEUE_APPENDS);
        let (reached, last) = watch::channel(Some(last));
        let writer = Writer {
            connection,
            commands: queue,
            projections: options.projections,
            last: reached,
            folder,
        };
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OpenError::io(&site.path, &error))?;
        Ok(Ledger {
            shared: Arc::new(Shared {
                readers,
                commands: Some(commands),
                last,
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// Appends lines, all or none, with numbers that follow each other. They are on disk when it returns, and the tables
    /// of projections say what they say. When its future is dropped, the lines may be appended or not.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(&self, lines: Vec<Line>) -> Outcome {
        if lines.len() > limits::APPEND_LINES {
            return Err(AppendError::TooLarge {
                what: "lines of an append",
                size: lines.len(),
                limit: limits::APPEND_LINES,
            });
        }
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let lines = lines
            .into_iter()
            .map(Prepared::new)
            .collect::<Result<Vec<_>, _>>()?;
        let (answer, answered) = oneshot::channel();
        let commands = self.shared.commands.as_ref().ok_or(AppendError::Closed)?;
        commands
            .send(Command::Append(Append { lines, answer }))
            .await
            .map_err(|_| AppendError::Closed)?;
        answered.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The number of the last line; 0 before the first, and once the ledger is closed.
    pub fn last(&self) -> Seq {
        self.shared.last.borrow().unwrap_or_default()
    }

    /// The next lines after one, oldest first.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(&self, after: Seq, limit: usize) -> Result<Vec<Stored>, ReadError> {
        let query = Query {
            after: Some(after),
            limit: Some(limit),
            ..Query::default()
        };
        Ok(self.query(query).await?.lines)
    }

    /// Lines that match.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.shared
            .readers
            .ask(move |connection| query::run(connection, &query))
            .await
    }

    /// Looks at the tables of projections, which say what the lines up to some number say. It runs on a thread of the
    /// ledger; a long look holds up others.
    ///
    /// # Errors
    /// Those of the disk, and of the question.
    pub async fn view<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.shared
            .readers
            .ask(move |connection| Ok(look(&Tables(connection))?))
            .await
    }

    /// Tells that lines came after now.
    pub fn watch(&self) -> Watch {
        let mut last = self.shared.last.clone();
        last.mark_unchanged();
        Watch { last }
    }

    /// All lines after one, and those that will come.
    pub fn follow(&self, after: Seq) -> Follow {
        Follow {
            readers: self.shared.readers.clone(),
            watch: self.watch(),
            seen: after,
        }
    }

    /// Finishes what was asked for and gives the data folder back; what is asked for later is refused.
    pub async fn close(&self) {
        if let Some(commands) = &self.shared.commands {
            drop(commands.send(Command::Close).await);
        }
        let mut last = self.shared.last.clone();
        // The thread says that it has ended, or its end of the channel is gone.
        drop(last.wait_for(Option::is_none).await);
        self.shared.join();
    }
}

impl Shared {
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Without senders the writer ends when its queue is empty.
        self.commands.take();
        self.join();
    }
}
