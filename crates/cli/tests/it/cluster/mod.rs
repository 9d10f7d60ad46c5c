//! The embedded Kubernetes as its clients meet it: a server process, and real programs that talk to it.

mod apply;
mod images;
mod informer;
mod kubelet;
mod lifecycle;
mod node;
pub mod server;
mod sessions;
mod wire;
