//! Tests of the store as its callers see it.
#![allow(
    clippy::unwrap_used,
    reason = "the lint excuses test functions, not what they call"
)]

mod compaction;
mod crash;
mod folder;
mod full;
mod laws;
mod machine;
mod open;
mod reads;
mod watches;
mod writes;
