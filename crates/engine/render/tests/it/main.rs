//! The tests of the renderer against cases from outside.

mod helm_dependencies;
mod helm_engine;
mod helm_hostile;
mod helm_rows;
mod helm_schema;
mod helm_sort;
mod helm_values;
mod kustomize_build;
mod kustomize_errors;
mod kustomize_laws;
mod kustomize_patches;
mod kyaml_merge;
