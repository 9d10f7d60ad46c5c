//! Patches: strategic merges and JSON 6902 operations on one resource.
//!
//! - **What it is:** what the field `patches` does to a resource once target and patch are found.
//! - **What it refuses to know:** how they are found, files, the list of resources.
//! - **Entry point:** [`strategic`], [`json6902`].

mod json6902;

use deploy_yaml::node::Node;

pub use json6902::{JsonError, Operation, json6902, parse_operations};

use super::merge::{self, Error, Fate, ListIncrease, Options, tree};
use super::schema::Schema;

/// What became of a patched resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there, changed or not.
    Kept,
    /// The patch deletes it; what is left in the target means nothing.
    Deleted,
}

/// What a patch may change of a resource's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// `allowNameChange`
    pub name: bool,
    /// `allowKindChange`
    pub kind: bool,
}

/// Merges a patch into a target: fields that are null go, lists merge where the schema has a strategy for them, new
/// elements come first, `$patch: delete`, `replace` and `merge` are obeyed. Any other field with a `$` is a field.
pub fn strategic(target: &mut Node, patch: &Node, schema: &Schema) -> Result<Outcome, Error> {
    let options = Options {
        infer: false,
        list_increase: ListIncrease::Prepend,
    };
    match merge::merge_into(target, patch.clone(), schema, options)? {
        Fate::Kept => {}
        Fate::Replaced(node) => *target = node,
        Fate::Cleared => return Ok(Outcome::Deleted),
    }
    Ok(match tree::is_nil_or_empty(target) {
        true => Outcome::Deleted,
        false => Outcome::Kept,
    })
}

/// [`strategic`] on a resource, whose kind, name and namespace stay what they were unless the patch may change them.
pub fn strategic_resource(
    target: &mut Node,
    patch: &Node,
    schema: &Schema,
    allow: Allow,
) -> Result<Outcome, Error> {
    let text = |path: &[&str]| {
        tree::lookup(target, path)
            .map(|node| tree::value(node).to_owned())
            .unwrap_or_default()
    };
    let kind = text(&["kind"]);
    let name = text(&["metadata", "name"]);
    let namespace = text(&["metadata", "namespace"]);
    if strategic(target, patch, schema)? == Outcome::Deleted {
        return Ok(Outcome::Deleted);
    }
    if !allow.kind {
        tree::set_field(target, "kind", tree::scalar(&kind))?;
    }
    if !allow.name {
        tree::set_field(metadata(target)?, "name", tree::scalar(&name))?;
    }
    if namespace.is_empty() {
        if let Some(metadata) = tree::field_mut(target, "metadata") {
            tree::remove_field(metadata, "namespace");
        }
    } else {
        tree::set_field(metadata(target)?, "namespace", tree::scalar(&namespace))?;
    }
    Ok(Outcome::Kept)
}

fn metadata(target: &mut Node) -> Result<&mut Node, Error> {
    if tree::field(target, "metadata").is_none() {
        tree::put_field(target, "metadata", Node::mapping(Vec::new()), tree::scalar("metadata"));
    }
    tree::expect(target, tree::Kind::Mapping)?;
    Ok(tree::field_mut(target, "metadata").expect("the field was made above where it was missing"))
}
