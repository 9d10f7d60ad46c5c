//! Tests of this crate against cases from outside.

mod node;
mod oracle;
mod protobuf;
mod restart;
mod server;
mod usage;
mod world;
