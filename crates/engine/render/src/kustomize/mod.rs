//! Kustomize: a folder with a `kustomization.yaml` to resources.
//!
//! - **What it is:** `kustomize build` of 5.8.1, byte for byte, over a [`Source`](crate::source::Source).
//! - **What it refuses to know:** the network (remote bases are errors), programs (functions and plugins are errors).
//! - **Entry point:** [`build`]. A folder is a `target`; what it gathers is an `accumulate::Accumulator`; its fields become
//!   `transform::Transformer`s; `filters`, `merge` and `patch` change single nodes and know nothing of the rest.

mod accumulate;
mod anchors;
mod build;
mod config;
mod crds;
mod decode;
mod defaults;
mod error;
mod fields;
pub mod filters;
mod generators;
mod hash;
mod kustomization;
mod limits;
mod loader;
pub mod merge;
mod nameref;
mod origin;
pub mod patch;
mod patching;
mod plugin;
mod read;
mod replacements;
mod resid;
mod resource;
mod resources;
pub mod schema;
mod selector;
mod sort;
mod target;
mod transform;
mod tree;
mod vars;
mod world;

use serde_json::Value;

pub use build::build;
pub use error::{Error, ErrorKind};

use crate::inputs::Inputs;

/// How to build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Lets files be read from outside the folder that names them (`--load-restrictor LoadRestrictionsNone`).
    pub load_restrictions_none: bool,
    /// The order of the output where no kustomization file says one.
    pub order: Order,
    /// Labels every object with the builder's name (`--enable-managedby-label`).
    pub add_managed_by_label: bool,
}

/// The order of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By kind, as the command does unless told otherwise.
    #[default]
    Legacy,
    /// As they were gathered.
    Gathered,
}

/// The result of a build.
#[derive(Clone, Debug)]
pub struct Build {
    /// The objects, in the order of the output.
    pub resources: Vec<BuiltResource>,
    /// What `kustomize build` prints.
    pub output: String,
    /// All that was read.
    pub inputs: Inputs,
    /// Deprecated fields and unused variables, a line each, in kustomize's words.
    pub warnings: Vec<String>,
}

/// One object.
#[derive(Clone, Debug)]
pub struct BuiltResource {
    /// `group/version`, or the version alone for the core group.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Empty where the object names none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The whole object.
    pub object: Value,
}
