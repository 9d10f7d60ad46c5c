//! From the objects that a branch says to the ordered writes that make a cluster so.
//!
//! - **What it is:** [`plan`](plan::plan) compares what is wanted with what is; [`Sync`] is the state machine that carries a plan
//!   out in phases and waves, waits for health ([`health`]), runs hooks, prunes, retries and gives up at its deadline;
//!   [`difference`] tells what differs and who changed it.
//! - **What it refuses to know:** sockets, clocks, how objects were rendered, what comes after a verdict.
//! - **Entry point:** [`plan::plan`], then [`Sync::start`] and [`Sync::step`].
//! - **How to test it:** `cargo test -p deploy-sync`; Argo CD's cases of health and of differences are suites in
//!   `tests/it/`.

pub mod difference;
pub mod health;
pub mod hooks;
pub mod key;
pub mod limits;
pub mod machine;
pub mod order;
pub mod plan;

pub use key::Key;
pub use machine::{Effect, Input, Outcome, Sync};
