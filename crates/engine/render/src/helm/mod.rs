//! Helm: a chart, values and facts to manifests, hooks and notes.
//!
//! - **What it is:** `helm template`, `lint` and `show` of 4.3 and 3.19, byte for byte, over a
//!   [`Source`](crate::source::Source).
//! - **What it refuses to know:** a cluster (what `lookup` finds is a fact that is passed in), registries.
//! - **Entry points:** [`chart::load`], then [`template::template`], [`lint::lint`] or [`show::show`].
//!   `chart` is what a chart is and how it is read; `values` is how values meet; `schema` holds them against
//!   `values.schema.json`; `engine` runs the templates and has Helm's functions; `manifests` is what becomes of their
//!   output; `go` is what they all take from Go's libraries.

pub mod chart;
pub mod compat;
pub mod engine;
mod go;
pub mod lint;
pub mod manifests;
pub mod schema;
pub mod show;
pub mod template;
pub mod values;
