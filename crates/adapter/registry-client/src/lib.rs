//! Images of a registry over HTTP.
//!
//! - **What it is:** a client of the OCI distribution API, and of docker's registry before it: references to manifests,
//!   the one for a platform, configurations, layers as checked streams that go on where a connection broke; and pushes of all these.
//! - **What it refuses to know:** Kubernetes, what a layer holds, the disk.
//! - **Entry point:** [`Client::resolve`], [`Client::blob`]; [`Client::push_blob`], [`Client::push_manifest`].
//! - **How to test it:** `cargo test -p deploy-registry-client`; the tests start small registries on loopback, honest
//!   and hostile ones.
//!
//! Every byte is checked against the digest that named it. Credentials go to the registry that they are for and to the
//! token service that it names over TLS, never along a redirect to another host, and have no text form.

mod auth;
mod blob;
mod client;
mod connect;
mod credentials;
mod endpoint;
mod error;
mod exchange;
pub mod limits;
mod push;
mod source;

pub use blob::Blob;
pub use client::{Client, Options, Resolved};
pub use credentials::Credentials;
pub use error::RegistryError;
pub use push::Pushed;
pub use source::Source;
