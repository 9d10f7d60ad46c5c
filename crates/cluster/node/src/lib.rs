//! The node of the embedded cluster: what a kubelet is elsewhere.
//!
//! - **What it is:** a pure engine per pod ([`pod`]), which from the pod object, what its sandbox reports and the time says
//!   what is to be done and which status to write; pure probe state machines ([`probe`]); the node's own object, conditions
//!   and lease ([`node_object`]); images, volumes and environment of containers ([`images`], [`volumes`], [`environment`]); what all that
//!   uses ([`measures`]);
//!   and one shell ([`shell`]) that carries the engine's effects out, a bounded task per pod.
//! - **What it refuses to know:** how a process is put into namespaces (deploy-sandbox), how a packet finds a pod
//!   (deploy-cluster-net), how an object is stored or validated (deploy-cluster-api). It decides nothing in the shell.
//! - **Entry point:** [`shell`] for the server, [`pod`] for whoever wants to know why a pod has the status that it has.
//! - **How to test it:** the engines are functions of data and are tested with data, beside the code; whole scenarios with
//!   real containers (they need root) are in `crates/cli/tests/it`.

pub mod environment;
pub mod images;
pub mod limits;
pub mod measures;
pub mod node_object;
pub mod pod;
pub mod probe;
pub mod shell;
pub mod streams;
pub mod volumes;
