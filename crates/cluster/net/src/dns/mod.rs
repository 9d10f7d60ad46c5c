//! The DNS of the cluster: names of services and pods by the Kubernetes DNS specification, all others from the host's
//! resolvers.
//!
//! [`answer::answer`] is pure: a question and a [`view::View`] make the answer. [`Dns`] is the shell: sockets, watches,
//! the resolvers.

pub mod answer;
mod cache;
mod counts;
mod forward;
mod limits;
mod own_service;
mod resolvers;
mod server;
pub mod view;
pub mod wire;

pub use own_service::ADDRESS;
pub use server::{Dns, DnsError, Options, Outside};
