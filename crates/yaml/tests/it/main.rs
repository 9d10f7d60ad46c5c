//! The tests of the YAML crate.

mod smoke;
