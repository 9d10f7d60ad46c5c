//! Real containers. Root is needed; without it each test prints that it was skipped.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the lints excuse test functions, not what they call"
)]

mod compare;
mod confinement;
mod exec;
mod hostile;
mod life;
mod limits;
mod logs;
mod restart;
mod world;
