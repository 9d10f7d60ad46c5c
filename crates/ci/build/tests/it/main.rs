//! Builds with real layers, mounts and sandboxes. They need root and Debian's static busybox, and say so otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the lints excuse test functions, not what they call"
)]

mod builds;
mod cache;
mod failures;
mod peers;
mod world;
