//! Prefixes and suffixes of names.

use deploy_yaml::node::Node;

use super::Error;
use super::field_spec::{Compiled, Create, apply};
use crate::kustomize::merge::tree;

/// Puts `prefix` before the text of the fields that a spec leads to.
pub fn prefix(object: &mut Node, prefix: &str, spec: &Compiled) -> Result<(), Error> {
    rename(object, spec, |name| format!("{prefix}{name}"))
}

/// Puts `suffix` behind the text of the fields that a spec leads to.
pub fn suffix(object: &mut Node, suffix: &str, spec: &Compiled) -> Result<(), Error> {
    rename(object, spec, |name| format!("{name}{suffix}"))
}

fn rename(object: &mut Node, spec: &Compiled, new: impl Fn(&str) -> String) -> Result<(), Error> {
    apply(object, spec, Some(Create::STRING), &mut |field| {
        let name = new(tree::text(field).unwrap_or_default());
        Ok(tree::set_scalar(field, tree::scalar(&name))?)
    })
}
