//! Tests of this crate against cases from outside.

mod allocation;
mod oracle;
