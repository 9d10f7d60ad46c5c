//! The tests of the template crate from outside.

mod conformance;
mod depth;
mod host;
mod properties;
mod recorded;
mod sprig;
