//! Tests of this crate against cases from outside.

mod oracle;
mod world;
