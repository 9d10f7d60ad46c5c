//! From Services and EndpointSlices to a ruleset.
//!
//! [`program`] is pure: what shall hold, for what there is. A service port becomes a chain that spreads connections over
//! its endpoints, and an element for each of its doors (cluster IP, node port, external address) that leads there.
//! Elements count their connections; a change of endpoints replaces the chain and leaves the elements alone.

mod base;
mod endpoints;
mod load_balancer;
mod program;
mod read;
mod shell;

pub use base::Node;
pub use load_balancer::{Assignment, assignments};
pub use program::{Input, datagram_places, program};
pub use read::{
    Condition, Endpoint, HostPort, Policy, Protocol, Service, ServicePort, Slice, SlicePort, host_ports,
};
pub use shell::{Health, Serving};
