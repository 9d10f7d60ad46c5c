//! The registry on a socket: HTTP/1.1, as the distribution specification has it.

mod answer;
mod blobs;
mod body;
mod lists;
mod manifests;
mod query;
mod range;
mod refusal;
mod route;
mod server;
mod service;
mod tokens;
mod uploads;

pub use body::Outgoing;
pub use server::Server;
pub use service::{Address, Service};
