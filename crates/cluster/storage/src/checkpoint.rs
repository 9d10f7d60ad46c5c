//! Copies the write-ahead log into the database, off the writer's thread.
//!
//! A passive checkpoint lets the writer go on, but under a load that never pauses it never reaches the log's end, and
//! the log can only start anew when it has. So when the log is long, the checkpointer copies what it can, then takes
//! the writer's turn for the short rest.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::limits::Bounds;

thread_local! {
    /// Pages in the log after this thread's last commit. SQLite's hook is a plain function, so it can only leave it here.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// The right to have a transaction, passed between the writer and the checkpointer, so that neither meets the other's
/// lock inside SQLite, where waiting means polling.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<Mutex<()>>);

impl Turn {
    pub fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checkpointer's thread, as the writer sees it.
pub(crate) struct Checkpointer {
    wake: Option<SyncSender<bool>>,
    thread: Option<JoinHandle<()>>,
    bounds: Bounds,
}

impl Checkpointer {
    /// Starts it on a connection of its own.
    pub fn start(connection: Connection, turn: Turn, bounds: Bounds) -> std::io::Result<Checkpointer> {
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("storage-checkpoint".to_owned())
            .spawn(move || run(&connection, &turn, &woken))?;
        Ok(Checkpointer {
            wake: Some(wake),
            thread: Some(thread),
            bounds,
        })
    }

    /// Makes a connection report the length of the log to [`Checkpointer::after_commit`] of the same thread.
    pub fn observe(connection: &Connection) {
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }));
    }

    /// Wakes the thread when the log has become long. One that is busy already will do.
    pub fn after_commit(&self) {
        let pages = LOG_PAGES.get();
        if pages < self.bounds.checkpoint_pages {
            return;
        }
        if let Some(wake) = &self.wake {
            match wake.try_send(pages >= self.bounds.restart_pages) {
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake.take();
        if let Some(thread) = self.thread.take() {
            // It does not panic; were it so, there would be nothing to save.
            drop(thread.join());
        }
    }
}

fn run(connection: &Connection, turn: &Turn, woken: &Receiver<bool>) {
    while let Ok(restart) = woken.recv() {
        // A checkpoint that fails (a full disk, a reader of an old state) loses nothing: the log keeps it, and the
        // next commit asks again.
        let copied = checkpoint(connection, "PASSIVE");
        if restart && copied.is_ok() {
            let _turn = turn.take();
            drop(checkpoint(connection, "RESTART"));
        }
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}
