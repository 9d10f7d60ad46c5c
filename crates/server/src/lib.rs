//! The server: parts of Deploy put together, so that a push becomes what it should become.
//!
//! - **What it is:** the embedded Git server, the runs that pushes start, the builder and the registry behind them, the
//!   ledger under all of it, and the HTTP API in front.
//! - **What it refuses to know:** how a job is carried out, how an image is built, what a terminal looks like.
//! - **Entry point:** [`Server::start`].
//! - **How to test it:** `cargo test -p deploy-server`, as root, with the real `git` as client.
//!
//! A push is durable before its runs are: Git has it first, then one append to the ledger has all of its runs, and only
//! then the push is done with. Whatever crashes in between, each push starts its runs once.

mod builder;
mod ci;
mod error;
mod exits;
mod http;
pub mod limits;
mod server;
mod tokens;

pub use ci::{RunRecord, RunState, runs_of};
pub use error::ServerError;
pub use exits::Exits;
pub use server::{News, Options, Server};
pub use tokens::{Right, Token, Tokens, TokensError};
