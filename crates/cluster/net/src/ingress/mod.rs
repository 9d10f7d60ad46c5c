//! The ingress of the cluster: Ingresses of `networking.k8s.io/v1` served on the node.
//!
//! [`routes::Routes`] is pure: objects make a table, and the table finds the route of a request. The rest is shell:
//! threads with connections of their own, certificates, connections kept to endpoints, counts and the access log.

mod access_log;
mod body;
mod certificates;
mod class;
mod control;
pub mod counts;
mod framing;
mod headers;
mod limits;
mod proxy;
pub mod routes;
mod server;
mod tunnel;
mod upstream;
mod worker;

pub use certificates::TlsError;
pub use server::{Ingress, IngressError, Options, Published};
