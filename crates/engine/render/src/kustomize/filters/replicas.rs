//! Replica counts.

use deploy_yaml::node::Node;

use super::Error;
use super::field_spec::{Compiled, Create, apply};
use crate::kustomize::merge::tree;

/// Sets the count in the fields that a spec leads to.
pub fn set(object: &mut Node, count: i64, spec: &Compiled) -> Result<(), Error> {
    apply(object, spec, Some(Create::INTEGER), &mut |field| {
        Ok(tree::set_scalar(
            field,
            tree::tagged(&count.to_string(), "!!int"),
        )?)
    })
}
