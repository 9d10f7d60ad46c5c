//! Tests with the real git as client.
#![allow(
    clippy::unwrap_used,
    reason = "the lint excuses test functions, not what they call"
)]

mod place;
mod polling;
mod pushes;
mod reading;
mod serving;
mod state;
mod webhooks;
