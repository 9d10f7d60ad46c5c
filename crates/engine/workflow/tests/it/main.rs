//! The external cases of workflow files and expressions, and the laws of a run.

#![allow(clippy::unwrap_used, reason = "a test that is wrong has to stop")]

mod expressions;
mod laws;
mod machine;
mod plans;
mod reader;
mod schemastore;
