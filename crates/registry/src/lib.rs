//! The registry: OCI distribution 1.1 over content-addressed files.
//!
//! - **What it is:** images and artifacts in a folder: blobs as files that have the name of their digest, everything
//!   else in a journal; rules for tags, collection of garbage while it serves; an HTTP server for clients, and the same
//!   calls in process for the builder.
//! - **What it refuses to know:** who builds, who pulls, what is in a layer.
//! - **Entry point:** [`Registry::open`], then its methods, or [`http::Server`].
//! - **How to test it:** `cargo test -p deploy-registry`. `tests/it/crash.rs` runs over a disk that forgets what was not
//!   synced; `clients.rs` runs crane, skopeo and podman, `conformance.rs` the specification's own suite, where they are
//!   installed.
//!
//! A push is acknowledged when it is safe: first the file and its name, then the line of the journal, then the answer.
//! Names of repositories and tags never become paths.

pub mod access;
mod blob;
mod cache;
mod change;
mod collect;
mod content;
pub mod disk;
mod error;
mod hash;
pub mod http;
mod journal;
pub mod limits;
mod manifest;
mod name;
mod policy;
mod registry;
mod state;
mod upload;

pub use blob::{Blob, BlobReader};
pub use collect::Collected;
pub use content::{Head, Page, Pushed, Reference};
pub use error::{OpenError, RegistryError};
pub use policy::TagPolicy;
pub use registry::{Clock, Options, Registry};
pub use upload::Upload;
