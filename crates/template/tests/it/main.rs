//! The tests of the template crate from outside.

mod conformance;
mod host;
