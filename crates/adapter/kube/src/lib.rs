//! Any Kubernetes, as a sync needs it: dry runs, server-side apply, deletion, watches, the last lines of a pod.
//!
//! - **What it is:** [`Cluster`], a connection by a kubeconfig (tokens, certificates and exec plugins are kube's), the
//!   [`Kinds`] that it serves, and [`Watch`], a list that is kept up to date. Answers come as what deploy-sync's machine
//!   takes: an object, [`Dry`](deploy_sync::plan::Dry), or a [`Failure`](deploy_sync::machine::Failure).
//! - **What it refuses to know:** why something is written, and what is done about a failure.
//! - **Entry point:** [`Cluster::connect`].
//! - **How to test it:** `cargo test -p deploy-kube`, against the embedded API server.

mod cluster;
mod error;
mod kinds;
pub mod limits;
mod logs;
mod watch;
mod write;

pub use cluster::Cluster;
pub use error::{ConnectError, RequestError};
pub use kinds::{Kinds, Served};
pub use logs::Lines;
pub use watch::{News, Watch};
pub use write::Manner;
