//! Go's `text/template` and the sprig functions.
//!
//! - **What it is:** lexer, parser and executor of Go templates with Go's error texts, `fmt`'s verbs, and the sprig
//!   function library. Charts, alert messages and Prometheus annotations are written in it.
//! - **What it refuses to know:** Helm, YAML, files, the clock. Time, randomness and environment come from a [`func::Host`].
//! - **Entry point:** [`TemplateSet`] to parse and [`execute`] to run; [`value::Value`] is data, [`func::FuncDef`] a function,
//!   [`sprig::functions`] the library. What else of Go both templates and their callers need (`fmt`, `quote`, `json`,
//!   `encoding`, `unicode`) is public too.
//! - **How to test it:** `cargo test -p deploy-template`; external cases are under `conformance/gotemplate`.

mod budget;
mod builtins;
pub mod encoding;
pub mod escape;
pub mod exec;
pub mod fmt;
pub mod func;
pub mod json;
pub mod lex;
pub mod limits;
pub mod parse;
pub mod quote;
mod set;
pub mod sprig;
mod stack;
pub mod unicode;
pub mod value;

pub use exec::{Ctx, ExecError, MissingKey, Options, execute};
pub use func::Funcs;
pub use parse::ParseError;
pub use set::{Template, TemplateSet};
