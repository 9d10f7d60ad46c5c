//! The API server of the embedded cluster.
//!
//! - **What it is:** HTTP and TLS, who asks and whether he may, the verbs over one generic registry, watches, tables.
//!   A request takes one path, readable in [`api`]: authenticate, request info, authorize, negotiate, decode, admit,
//!   validate, store, encode.
//! - **What it refuses to know:** what a kind means (that is `kinds`), how types merge (that is `schema`), how
//!   revisions reach the disk (that is `storage`), and controllers.
//! - **Entry points:** [`server::Server::start`]; [`api::Api::handle`], the whole pipeline without sockets;
//!   [`client::Client`], the same for controllers in this process, without HTTP.
//! - **How to test it:** `tests/it` drives [`api::Api::handle`] with requests, and compares with what a real API server
//!   answered (`fixtures/cluster/oracle`).

pub mod admission;
pub mod allocators;
mod answer;
pub mod api;
pub mod authorization;
pub mod bootstrap;
pub mod client;
mod compress;
mod convert;
mod custom;
mod decode;
mod discovery;
mod encode;
mod followers;
mod gates;
pub mod identifiers;
pub mod identity;
pub mod info;
pub mod limits;
mod metrics;
pub mod negotiate;
pub mod node;
pub mod object;
pub mod options;
mod patching;
mod paths;
mod protobuf;
pub mod request;
mod scope;
pub mod server;
pub mod status;
mod table;
pub mod usage;
mod verbs;
mod world;
