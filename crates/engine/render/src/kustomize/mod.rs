//! Kustomize: a folder with a `kustomization.yaml` to resources.

pub mod filters;
mod limits;
pub mod merge;
pub mod patch;
pub mod schema;
