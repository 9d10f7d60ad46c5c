//! The memory of the embedded cluster: every object of the API, each of its revisions, and who waits for the next.
//!
//! An append-only table of revisions in SQLite is the truth; an index in memory answers reads; a ring of events per
//! resource feeds watches. One thread writes: it drains its queue, commits what it found in one transaction with one
//! fsync, and only then shows the result to readers and watchers and answers the writers. So an acknowledged write is
//! on disk, what a reader sees is on disk, and revisions are one sequence that never goes back.
//!
//! It refuses to know what the bytes mean, what a resource is beyond its name, who asks, and what time it is: callers
//! pass names and JSON text, and drive [`Store::compact_periodically`] in a task of their own.
//!
//! Entry point: [`Store::open`]. Tests: `cargo test -p deploy-cluster-storage`; `tests/it/crash.rs` kills the store over
//! a disk that forgets what was not synced, `tests/it/laws.rs` compares it with a map and a list.

mod checkpoint;
mod entry;
mod error;
mod history;
mod index;
pub mod limits;
mod load;
mod lock;
mod log;
mod ordered;
mod ring;
mod store;
mod table;
mod watch;
mod writer;

pub use entry::{Change, Encoded, Entry, Event, EventKind, Expected, Key, Listing, Write};
pub use error::{OpenError, ReadError, WatchError, WriteError};
pub use store::{Options, Store};
pub use watch::Watch;
