//! Server-side apply: who manages which fields, what an applied configuration changes, and when that is a conflict.
//!
//! - [`Updater`] is the algorithm of structured-merge-diff: objects, versions, managers in; the same out.
//!
//! Nothing here reads a clock: whoever calls gives the time.

mod conflict;
mod filter;
mod managers;
mod prune;
mod updater;
mod versions;

pub use conflict::{Conflict, Conflicts};
pub use filter::{Filter, Step};
pub use managers::{Manager, Managers, Operation, Owned};
pub use updater::{Applied, UpdateError, Updater};
pub use versions::{OneVersion, Versions};
