//! Sources to objects: Helm charts, Kustomize folders, plain folders.
//!
//! - **What it is:** a pure function from a [`source::Source`], values and facts to manifests, byte for byte as helm and
//!   kustomize print them, and the exact set of [`inputs::Inputs`] that it read.
//! - **What it refuses to know:** files, the network, the clock, a live cluster: all of it is passed in.
//! - **Entry points:** [`helm::template::template`] for a chart that [`helm::chart::load`] has read, beside it [`helm::lint`]
//!   and [`helm::show`]; [`kustomize::build`] for a folder with a `kustomization.yaml`; [`plain::render`] for manifests.
//! - **How to test it:** `cargo test -p deploy-render`; external cases are under `conformance/helm` and `conformance/kustomize`.

pub mod helm;
pub mod inputs;
pub mod kustomize;
pub mod limits;
pub mod plain;
pub mod source;
