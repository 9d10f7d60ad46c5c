//! Server-side apply: who manages which fields, what an applied configuration changes, and when that is a conflict.
//!
//! - [`FieldManager`] is what a server uses: whole objects with `metadata.managedFields` in and out.
//! - [`Updater`] is the algorithm below it, that of structured-merge-diff: objects, versions, managers in; the same out.
//! - [`to_scale`] and [`to_parent`] carry managers between an object and its Scale.
//!
//! Nothing here reads a clock: whoever calls gives the time.
//!
//! When a server calls what (apiserver `endpoints/handlers/{create,update,patch}.go`): a written object is decoded,
//! defaulted, patched, then tracked, and only then admitted and prepared by its strategy, so that nobody owns what the
//! server sets itself. An applied object is merged first and defaulted afterwards; nulls that the configuration gave or
//! that emptied parts have left are dropped by decoding it again, except in custom resources. Last, before storing,
//! [`keep_times_of_no_change`].

mod cap;
mod conflict;
mod empty;
mod entries;
mod field_manager;
mod filter;
mod last_applied;
mod managers;
mod prune;
mod reset;
mod scale;
mod timestamps;
mod updater;
mod versions;

pub use conflict::{Conflict, Conflicts};
pub use empty::empty_object;
pub use entries::{EntryError, ManagedFields, validate_managed_fields};
pub use field_manager::{ApplyError, FieldManager};
pub use filter::{Filter, Step};
pub use last_applied::LAST_APPLIED;
pub use managers::{Manager, Managers, Operation, Owned};
pub use reset::reset_fields;
pub use scale::{ReplicasPaths, to_parent, to_scale};
pub use timestamps::keep_times_of_no_change;
pub use updater::{Applied, UpdateError, Updater};
pub use versions::{OneVersion, Versions};
