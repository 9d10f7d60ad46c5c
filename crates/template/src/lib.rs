//! Go's `text/template` and the sprig functions.
//!
//! - **What it is:** lexer, parser and executor of Go templates with Go's error texts, `fmt`'s verbs, and the sprig
//!   function library. Charts, alert messages and Prometheus annotations are written in it.
//! - **What it refuses to know:** Helm, YAML, files, the clock. Time, randomness and environment come from a [`func::Host`].
//! - **Entry point:** [`value::Value`] for data, [`func::FuncDef`] to add a function.
//! - **How to test it:** `cargo test -p deploy-template`; external cases are under `conformance/gotemplate`.

pub mod func;
pub mod value;
