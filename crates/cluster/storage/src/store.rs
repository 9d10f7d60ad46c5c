//! The store as its callers see it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::{Checkpointer, Turn};
use crate::entry::path;
use crate::history::History;
use crate::index::Index;
use crate::load::load;
use crate::lock::{Folder, refused};
use crate::log::Site;
use crate::table::{Past, Range, State};
use crate::writer::{Command, Writer};
use crate::{Entry, Key, Listing, OpenError, ReadError, Watch, Write, WriteError, limits};

/// Where a store is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder, made when it is missing.
    pub dir: PathBuf,
    /// The name of the SQLite file layer (VFS), for tests that need a disk which forgets or fails.
    pub vfs: Option<String>,
    /// Bounds, for tests that have little data.
    pub bounds: limits::Bounds,
}

impl Options {
    /// A folder on the machine's own disk.
    pub fn new(dir: impl AsRef<Path>) -> Options {
        Options {
            dir: dir.as_ref().to_owned(),
            vfs: None,
            bounds: limits::Bounds::default(),
        }
    }
}

/// A handle on the store; clones share it. Dropping the last one closes it and waits for its threads.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    index: Arc<Index>,
    history: Arc<History>,
    commands: Option<mpsc::Sender<Command>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens a data folder, reads the live objects into memory, and starts the writer. Blocks for that long: some
    /// milliseconds when empty, a quarter of a second for 100,000 objects.
    ///
    /// # Errors
    /// By what can be done about it: see [`OpenError`]. Nothing is changed on disk then.
    pub fn open(options: &Options) -> Result<Store, OpenError> {
        let folder = Folder::take(&options.dir)?;
        let site = Site {
            path: folder.database(),
            vfs: options.vfs.clone(),
        };
        folder.create_database()?;
        let mut connection = site.open(&folder)?;
        let mut checkpoints = site.connect().map_err(|error| site.refused(error))?;
        let loaded = load(&mut connection, &mut checkpoints).map_err(|error| site.refused(error))?;
        let (compaction, revision) = (loaded.compaction, loaded.revision);

        let turn = Turn::default();
        let checkpointer = Checkpointer::start(checkpoints, turn.clone(), options.bounds)
            .map_err(|error| refused(&options.dir, error))?;
        let index = Arc::new(Index::new(loaded, options.bounds));
        let history = Arc::new(History::new(site));
        let (sender, commands) = mpsc::channel(limits::QUEUE_WRITES);
        let writer = Writer {
            index: index.clone(),
            history: history.clone(),
            commands,
            checkpointer,
            turn,
            compaction,
            revision,
            folder,
        };
        let thread = std::thread::Builder::new()
            .name("storage-writer".to_owned())
            .spawn(move || writer.run(connection))
            .map_err(|error| refused(&options.dir, error))?;
        let shared = Shared {
            index,
            history,
            commands: Some(sender),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Store {
            shared: Arc::new(shared),
        })
    }

    /// The revision of the newest write that readers see; 1 before the first.
    pub fn revision(&self) -> u64 {
        self.shared.index.revision()
    }

    /// The oldest revision whose state can still be asked for.
    pub fn compacted(&self) -> u64 {
        self.shared.index.compacted()
    }

    /// Waits until readers see a revision. False when the store was closed before.
    pub async fn reached(&self, revision: u64) -> bool {
        let index = &self.shared.index;
        let mut reached = index.reached();
        let done = reached
            .wait_for(|now| *now >= revision || index.is_closed())
            .await;
        done.is_ok_and(|now| *now >= revision)
    }

    /// An object as it is now.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.shared.index.get(key)
    }

    /// An object as it was.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when that is too long ago.
    pub fn get_at(&self, key: &Key, at: u64) -> Result<Option<Arc<Entry>>, ReadError> {
        let path = path(&key.namespace, &key.name);
        let range = Range {
            namespace: None,
            after: None,
            limit: None,
        };
        self.at(&key.resource, range, Some(at), |state, past, _| {
            match past.and_then(|past| past.get(&path)) {
                Some(then) => then.clone(),
                None => state.and_then(|state| state.get(&path)).cloned(),
            }
        })
    }

    /// The objects of a resource, of one namespace or of all, as they are now or were at a revision, those behind a
    /// key, at most so many. A revision that is not reached yet counts as now: see [`Store::reached`]. A state that
    /// left memory is read from the table on the calling thread, which takes milliseconds; all others take none.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when the revision is too long ago.
    pub fn list(
        &self,
        resource: &str,
        namespace: Option<&str>,
        at: Option<u64>,
        after: Option<&Key>,
        limit: Option<usize>,
    ) -> Result<Listing, ReadError> {
        let after = after.map(|key| path(&key.namespace, &key.name));
        let range = Range {
            namespace,
            after: after.as_deref(),
            limit,
        };
        self.at(resource, range, at, |state, past, revision| match (state, past) {
            (None, _) => Listing {
                entries: Vec::new(),
                revision,
                remaining: 0,
            },
            (Some(state), None) => state.list(range, revision),
            (Some(state), Some(past)) => state.list_past(range, past, revision),
        })
    }

    /// Runs a read over a resource as it is, with what changed in the range since `at`.
    fn at<T>(
        &self,
        resource: &str,
        range: Range<'_>,
        at: Option<u64>,
        read: impl FnOnce(Option<&State>, Option<&Past>, u64) -> T,
    ) -> Result<T, ReadError> {
        let Shared { index, history, .. } = &*self.shared;
        if let Some(at) = at.filter(|at| *at < index.compacted()) {
            return Err(ReadError::Compacted {
                requested: at,
                oldest: index.compacted(),
            });
        }
        // Read before the table is looked for: a table that is made later has nothing up to this revision.
        let now = index.revision();
        let at = at.filter(|at| *at < now);
        let table = match (index.table(resource), at) {
            (Some(table), _) => table,
            // Nothing is live, but something may have been.
            (None, Some(_)) => index.table_or_new(resource),
            (None, None) => return Ok(read(None, None, now)),
        };
        let mut past = Past::new();
        let mut known = at;
        loop {
            {
                let state = table.read();
                let Some(known) = known else {
                    return Ok(read(Some(&*state), None, index.revision()));
                };
                if known >= state.ring.floor() {
                    state.ring.undo(known, range, &mut past);
                    return Ok(read(Some(&*state), Some(&past), at.unwrap_or(known)));
                }
            }
            // Some of it left memory. What leaves while we read, we read next time. The table has all that is shown,
            // and perhaps more.
            let shown = index.revision();
            let undo = history.undo(resource, range, at.unwrap_or_default())?;
            (past, known) = (undo.past, Some(undo.known.max(shown)));
        }
    }

    /// Waits for a place in the queue, then until the write is on disk and readers see it.
    ///
    /// # Errors
    /// See [`WriteError`]. A future that is dropped leaves it open whether the write happens.
    pub async fn write(&self, write: Write) -> Result<Arc<Entry>, WriteError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Write { write, answer }).await?;
        answered.await.map_err(|_| WriteError::Closed)?
    }

    /// Forgets the states before a revision, and waits until their space can be used again. Writers go on meanwhile.
    ///
    /// # Errors
    /// [`WriteError::Full`] and [`WriteError::Io`]: the rest is done by the next compaction.
    pub async fn compact(&self, to: u64) -> Result<(), WriteError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Compact { to, answer }).await?;
        answered.await.map_err(|_| WriteError::Closed)?
    }

    /// Compacts to where the store was an interval ago, each interval, until the store is closed: a task of the shell,
    /// with [`limits::COMPACT_INTERVAL`]. A failure (a full disk) is tried again with the next.
    pub async fn compact_periodically(&self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let then = self.revision();
            tokio::select! {
                _ = ticks.tick() => {}
                _ = self.reached(u64::MAX) => return,
            }
            if matches!(self.compact(then).await, Err(WriteError::Closed)) {
                return;
            }
        }
    }

    /// The events of a resource, of one namespace or of all, after a revision. They may begin in the past, or in a
    /// revision that is yet to come.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when the revision is too long ago: list anew, and watch from the list's revision.
    pub fn watch(&self, resource: &str, namespace: Option<&str>, from: u64) -> Result<Watch, ReadError> {
        let Shared { index, history, .. } = &*self.shared;
        let oldest = index.compacted();
        if from < oldest {
            return Err(ReadError::Compacted {
                requested: from,
                oldest,
            });
        }
        Ok(Watch::new(
            index.clone(),
            history.clone(),
            resource,
            namespace,
            from,
        ))
    }

    /// Finishes the queued writes and gives the folder back. Other handles get [`WriteError::Closed`] from now on;
    /// watches end; reads of what is in memory still work.
    pub async fn close(&self) {
        // Closed already, or the thread is gone: there is nothing to wait for but its end.
        drop(self.send(Command::Close).await);
        let shared = self.shared.clone();
        drop(tokio::task::spawn_blocking(move || shared.join()).await);
    }

    async fn send(&self, command: Command) -> Result<(), WriteError> {
        let commands = self.shared.commands.as_ref().expect("taken in drop only");
        commands.send(command).await.map_err(|_| WriteError::Closed)
    }
}

impl Shared {
    /// Whoever comes second waits too.
    fn join(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // The thread does not panic; were it so, the log has all that was acknowledged.
            drop(thread.join());
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.commands.take();
        self.join();
    }
}
