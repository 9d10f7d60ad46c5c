//! Rooms, steps and limits with real sandboxes; act's workflows.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the lints excuse test functions, not what they call"
)]

mod act;
mod limits;
mod steps;
mod world;
