//! Runs workflows: carries the effects of a run's state machine out in sandboxes.
//!
//! - **What it is:** a job's *room* (its root beneath an overlay, its own namespaces and network, limits of CPU, memory,
//!   processes, disk), its steps with their command files and logs, and the actions that are built in: checkout, cache,
//!   artifacts, login, metadata, build and push.
//! - **What it refuses to know:** how a workflow file is read, what comes next in a run (that is `deploy-workflow`), who
//!   started it, how an image is built ([`Builder`]).
//! - **Entry point:** [`Runner`].
//! - **How to test it:** `cargo test -p deploy-jobs`. Everything that has a room needs root and says so otherwise. Tests
//!   never touch the network of this machine: their rooms have a loopback and nothing else.

mod builtin;
mod error;
mod events;
mod glob;
mod labels;
mod later;
mod ledger;
pub mod limits;
mod log;
mod pack;
mod place;
mod report;
mod room;
mod root;
mod run;
mod source;

pub use builtin::{BuildOrder, Builder, Built, Login};
pub use error::JobsError;
pub use events::Event;
pub use labels::{Labels, NoPlace, Place};
pub use later::Later;
pub use ledger::{Entry, Ledger, NoLedger};
pub use log::step_log;
pub use report::{CacheReport, JobReport, RunReport, StepReport};
pub use room::{Ground, Limits, NetworkExit, NetworkExits, Way};
pub use run::{Machine, Options, RunOrder, Runner};
pub use source::{Source, SourceError};
