//! Workflow files: from text to a plan of jobs, and the state machine of a run.
//!
//! - **What it is:** GitHub Actions' files read, checked and explained; their expressions; which events start them; the
//!   plan of their jobs; and the machine that says at each moment what a run has to do next.
//! - **What it refuses to know:** processes, files, sockets, the clock, the ledger, the value of any secret.
//! - **Entry points:** [`workflow::read`], [`trigger::triggers`], [`plan::plan`], [`run::Run`].
//! - **How to test it:** `cargo test -p deploy-workflow`. The external cases are GitHub's own, in
//!   `../shared/conformance/gha`.

pub mod expression;
pub mod limits;
pub mod plan;
pub mod reader;
pub mod run;
pub mod trigger;
pub mod workflow;
