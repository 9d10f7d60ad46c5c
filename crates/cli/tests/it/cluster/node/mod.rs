//! The node as people meet it: real containers, in a network namespace of the test's own.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod machine;
mod pods;
mod restart;
mod streams;
