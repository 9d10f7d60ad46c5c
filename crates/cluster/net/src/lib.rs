//! The network of the embedded cluster: pods get a namespace and an address, services get their rules.
//!
//! - **What it is:** namespaces, the bridge and veth pairs ([`link`]), addresses ([`addresses`]), our own encoder for
//!   nf_tables ([`nft`]) over our own netlink messages ([`netlink`]), the pure program from Services and EndpointSlices
//!   to a ruleset ([`services`]), other firewalls in the way ([`firewall`]); cluster DNS ([`dns`]) and Ingress
//!   ([`ingress`]).
//! - **What it refuses to know:** containers, images, how a pod's life goes on (that is `node`).
//! - **Entry points:** [`network::Network`]: `start`, `attach`, `serve`, `down`, `sweep`; [`services::program`], pure.
//! - **How to test it:** programs are data; what the kernel makes of them is tested as root in namespaces that the
//!   tests make (`tests/it`), never in the machine's own. A network belongs to the namespace of the thread that starts
//!   it.

pub mod addresses;
mod conntrack;
pub mod dns;
pub mod firewall;
mod follow;
pub mod ingress;
pub mod limits;
pub mod link;
pub mod netlink;
pub mod network;
pub mod nft;
pub mod services;
