//! The API on a socket: TLS, connections, an end that waits for what is under way.

mod body;
mod connection;
mod start;

pub use start::{Options, Server, StartError};
