//! The network of the embedded cluster: pods get a namespace and an address, services get their rules.
//!
//! - **What it is:** namespaces, the bridge and veth pairs ([`link`]), addresses ([`addresses`]), our own encoder for
//!   nf_tables ([`nft`]), and the pure program from Services and EndpointSlices to a ruleset ([`services`]).
//! - **What it refuses to know:** containers, images, how a pod's life goes on (that is `node`), HTTP.
//! - **Entry points:** [`network::Network`]; [`services::program`], pure.
//! - **How to test it:** programs are data; what the kernel makes of them is tested as root in namespaces that the
//!   tests make (`tests/it`), never in the machine's own.

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
