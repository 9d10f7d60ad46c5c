//! Patches: strategic merges and JSON 6902 operations on one resource.
//!
//! - **What it is:** what the field `patches` does to a resource once target and patch are found.
//! - **What it refuses to know:** how they are found, files, the list of resources.
//! - **Entry point:** [`strategic`], [`json6902`].

mod json6902;

use deploy_yaml::node::Node;

pub use json6902::{JsonError, Operation, parse_operations};

use std::collections::BTreeMap;

use super::merge::{self, Error, Fate, ListIncrease, Options, shared, tree};
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
    shared::settle(target);
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

/// Applies operations to a resource, one after the other; the first that fails fails all. kustomize puts its own notes
/// back into the annotations afterwards: so these come out as strings, sorted, and an empty map of them does not.
pub fn json6902(target: &mut Node, operations: &[Operation]) -> Result<(), JsonError> {
    json6902::apply(target, operations)?;
    let Some(annotated) = tree::field_mut(target, "metadata") else {
        return Ok(());
    };
    let Some(annotations) = tree::remove_field(annotated, ANNOTATIONS) else {
        return Ok(());
    };
    let strings: BTreeMap<&str, &str> = tree::entries(&annotations)
        .iter()
        .filter_map(|(key, value)| Some((tree::text(key)?, tree::text(value).unwrap_or_default())))
        .collect();
    if strings.is_empty() {
        return Ok(());
    }
    let entries = strings
        .into_iter()
        .map(|(key, value)| (Node::string(key), tree::tagged(value, "!!str")))
        .collect();
    tree::put_field(
        annotated,
        ANNOTATIONS,
        Node::mapping(entries),
        tree::scalar(ANNOTATIONS),
    );
    Ok(())
}

/// [`json6902`] on a resource in whose annotations kustomize has notes already: a patch finds the field there, even where
/// the resource itself has none.
pub fn json6902_remembered(target: &mut Node, operations: &[Operation]) -> Result<(), JsonError> {
    let annotated = metadata(target).map_err(|e| JsonError::Resource(e.to_string()))?;
    if tree::field(annotated, ANNOTATIONS).is_none_or(tree::is_null) {
        tree::remove_field(annotated, ANNOTATIONS);
        tree::put_field(
            annotated,
            ANNOTATIONS,
            Node::mapping(Vec::new()),
            tree::scalar(ANNOTATIONS),
        );
    }
    json6902(target, operations)
}

const ANNOTATIONS: &str = "annotations";

fn metadata(target: &mut Node) -> Result<&mut Node, Error> {
    if tree::field(target, "metadata").is_none() {
        tree::put_field(
            target,
            "metadata",
            Node::mapping(Vec::new()),
            tree::scalar("metadata"),
        );
    }
    tree::expect(target, tree::Kind::Mapping)?;
    Ok(tree::field_mut(target, "metadata").expect("the field was made above where it was missing"))
}
