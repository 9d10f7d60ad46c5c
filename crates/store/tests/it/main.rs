//! Tests of the ledger as its callers see it.
#![allow(
    clippy::unwrap_used,
    reason = "the lint excuses test functions, not what they call"
)]

mod append;
mod backup;
mod crash;
mod laws;
mod machine;
mod open;
mod projections;
mod reads;
