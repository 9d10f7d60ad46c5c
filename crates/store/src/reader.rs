//! Reading: threads of the ledger's process, and a handle for another process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{OpenError, ReadError};
use crate::limits;
use crate::line::Seq;
use crate::projection::{Tables, last_line};
use crate::query::{self, Page, Query};
use crate::schema::{Access, Site};

/// The ledger of a data folder, to look at while another process may write to it. It blocks while it reads.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the ledger of a data folder; nothing is made or migrated.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is none; others by what can be done about it.
    pub fn open(folder: &Path) -> Result<Reader, OpenError> {
        let connection = Site::of(folder, None).open_to_read()?;
        Ok(Reader { connection })
    }

    /// The number of the last line.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn last(&self) -> Result<Seq, ReadError> {
        Ok(last_line(&self.connection)?)
    }

    /// Lines that match.
    ///
    /// # Errors
    /// A question beyond the bounds, a damaged line, a failing disk.
    pub fn query(&self, query: &Query) -> Result<Page, ReadError> {
        query::run(&self.connection, query)
    }

    /// Looks at the tables of projections, as far as the writer's version has made them.
    ///
    /// # Errors
    /// Those of the disk, and of the question.
    pub fn view<T>(&self, look: impl FnOnce(&Tables<'_>) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        Ok(look(&Tables(&self.connection))?)
    }
}

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Threads that read, each with a connection of its own.
pub(crate) struct Readers {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub fn start(site: &Site) -> Result<Readers, OpenError> {
        let (jobs, queue) = mpsc::channel::<Job>(limits::QUEUE_READS);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for _ in 0..limits::READERS {
            let connection = site
                .connect(Access::Read)
                .map_err(|error| OpenError::sql(&site.path, &error))?;
            let queue = queue.clone();
            let thread = std::thread::Builder::new()
                .name("ledger-reader".to_owned())
                .spawn(move || work(&connection, &queue))
                .map_err(|error| OpenError::io(&site.path, &error))?;
            threads.push(thread);
        }
        Ok(Readers {
            jobs: Some(jobs),
            threads: Mutex::new(threads),
        })
    }

    /// Runs a question on one of the threads.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let jobs = self.jobs.as_ref().ok_or(ReadError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(question(connection))));
        jobs.send(job).await.map_err(|_| ReadError::Closed)?;
        answered.await.unwrap_or(Err(ReadError::Closed))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs.take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            drop(thread.join());
        }
    }
}

fn work(connection: &Connection, queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // Whoever holds the lock waits for the next job; the others wait for the lock.
        let job = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else {
            return;
        };
        // A question is a caller's code: when it panics, its caller learns that nobody answers, and the thread lives.
        drop(catch_unwind(AssertUnwindSafe(|| job(connection))));
    }
}
