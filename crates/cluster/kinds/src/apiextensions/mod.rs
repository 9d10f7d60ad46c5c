//! The group `apiextensions.k8s.io`.

pub mod custom_resource_definition;
mod names;
mod versions;
mod webhook;
