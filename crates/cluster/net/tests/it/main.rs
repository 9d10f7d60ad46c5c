//! Tests with the real kernel, in network namespaces that they make. They need root and say so where it is missing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the whole binary is tests; a skipped one says so, and figures are printed"
)]

mod dns;
mod ingress;
mod laws;
mod machine;
mod pods;
mod services;
mod serving;
mod tables;
mod world;
