//! Dockerfiles: from text to a build graph with cache keys.
//!
//! - **What it is:** the syntax as BuildKit's parser reads it ([`parse`]), what each instruction says ([`instruction`]),
//!   the stages that a target needs in the order of their building ([`graph`]), the steps of a stage with all
//!   variables expanded ([`Evaluation`]), the key under which a step's layer is cached ([`Key`]), and the patterns of
//!   `.dockerignore` ([`Ignore`]). All of it is pure: text and data in, data out.
//! - **What it refuses to know:** files, processes, registries; who carries a step out is deploy-build's business.
//! - **Entry point:** [`read`], then [`graph`], then [`Evaluation::new`] for each stage.
//! - **How to test it:** `cargo test -p deploy-dockerfile`; the suites `dockerfile/*` are BuildKit's own cases.

mod error;
mod graph;
mod ignore;
pub mod instruction;
mod key;
pub mod limits;
mod pattern;
mod syntax;
mod words;

pub use error::{Place, Problem};
pub use graph::evaluate::{
    Command, Copy, Evaluation, FileSource, Mount, MountFrom, Run, Settings, Step, StepKind,
};
pub use graph::{Base, Graph, Request, Stage, graph};
pub use ignore::Ignore;
pub use instruction::{Dockerfile, read};
pub use key::Key;
pub use pattern::{Pattern, is_pattern};
pub use syntax::{Heredoc, Statement, Tree, parse};
pub use words::{Expanded, Lexer, WordError};
