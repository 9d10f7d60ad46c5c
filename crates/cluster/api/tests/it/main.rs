//! Tests of this crate against cases from outside.

mod oracle;
mod protobuf;
mod server;
mod world;
