//! The tests of the YAML crate: what go-yaml printed for the same input, and laws.

mod fixtures;
mod laws;
mod limits;
mod node;
