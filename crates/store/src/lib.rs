//! The ledger: everything that happened, in one order, and what is derived from it.
//!
//! - **What it is:** lines that are on disk when they are acknowledged ([`Ledger::append`]), read again by number, time,
//!   subject, actor or kind ([`Ledger::query`]), followed as they come ([`Ledger::follow`]); tables that are derived from
//!   them in the same transaction ([`Projection`]); backup and restore of a whole data folder ([`backup`]).
//! - **What it refuses to know:** what a line means, who may read it, what time it is: callers pass all of that.
//! - **Entry point:** [`Ledger::open`], for the one process that writes; [`Reader::open`] beside it, for commands that look.
//! - **How to test it:** `cargo test -p deploy-store`; `tests/it/crash.rs` cuts the power over a disk that forgets what was
//!   not synced, `tests/it/laws.rs` holds that a projection that was rebuilt equals the one that grew.
//!
//! One thread writes: it drains its queue, commits what it found in one transaction with one fsync, and only then answers
//! and wakes who watches. So an acknowledged line is on disk, what anybody reads is on disk, and numbers have no gap.

pub mod backup;
mod error;
mod ledger;
pub mod limits;
mod line;
mod lock;
mod projection;
mod query;
mod reader;
mod schema;
pub mod sql;
mod watch;
mod writer;

pub use error::{AppendError, OpenError, Owner, ReadError};
pub use ledger::{Ledger, Options};
pub use line::{Actor, ActorKind, Line, Seq, Stored, Subject};
pub use projection::{Projection, ProjectionError, Tables};
pub use query::{Page, Query};
pub use reader::Reader;
pub use watch::{Follow, Watch};
