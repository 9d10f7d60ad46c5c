//! Merging trees as kyaml does: two-way (a patch into a target) and three-way (an update of an origin into a target).
//!
//! - **What it is:** the walk over two or three trees at once, field by field in the order of names, with lists merged
//!   element by element where the schema or a list's own elements give a key.
//! - **What it refuses to know:** resources, kustomizations, which patch goes to which target.
//! - **Entry point:** [`merge2`], [`merge3`]; [`patch::strategic`](super::patch::strategic) is the form that builds use.
//!
//! What looks odd here is on purpose: users see kustomize's order of elements, its loss of some comments and its quoting
//! byte for byte, so the order of steps is kyaml's (kyaml/yaml/walk, kyaml/yaml/merge2, kyaml/yaml/merge3).

mod directive;
mod elements;
pub(crate) mod shared;
mod three;
pub mod tree;
mod two;

use deploy_yaml::node::Node;

use super::schema::{CommentSchema, Schema, Type};

pub use three::merge3;
pub use two::merge2;
pub(crate) use two::{Fate, merge_into};

/// Where elements that only the patch has go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListIncrease {
    /// Behind the target's.
    #[default]
    Append,
    /// Before the target's, as kustomize's patches do.
    Prepend,
}

/// How to merge.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Merge lists of unknown types by `name` where each element has one.
    pub infer: bool,
    /// Where new elements go.
    pub list_increase: ListIncrease,
}

/// Why two trees cannot be merged. Displays kyaml's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One has a map, a list or a scalar where the other has something else.
    #[error("wrong node kind: expected {expected} but got {got}: node contents:\n{contents}")]
    WrongKind {
        /// The kind of the first tree that has the field.
        expected: tree::Kind,
        /// The kind found.
        got: tree::Kind,
        /// The node, as YAML.
        contents: String,
    },
    /// `$patch` is none of `delete`, `replace`, `merge`.
    #[error("unknown patch strategy '{0}'")]
    UnknownStrategy(String),
    /// A directive was asked of a scalar.
    #[error("no implemented strategic merge patch strategy for '{tag}' ('{contents}')")]
    NoStrategy {
        /// The scalar's tag.
        tag: String,
        /// The scalar, as YAML.
        contents: String,
    },
    /// A list is to be merged but no field of its elements can tell them apart.
    #[error("no merge key found for field {0}")]
    NoMergeKey(String),
    /// Two trees would merge one list by different keys.
    #[error("conflicting merge keys [{first},{second}] for field {path}")]
    ConflictingKeys {
        /// The key of the one.
        first: String,
        /// The key of the other.
        second: String,
        /// The list's path from the closest list element or the root.
        path: String,
    },
}

/// Where the walk is, for messages.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.parent {
            Some(parent) if parent.parent.is_some() => write!(f, "{parent}.{}", self.name),
            _ => f.write_str(self.name),
        }
    }
}

const ROOT: Path<'static> = Path {
    parent: None,
    name: "",
};

/// What stays the same on the whole walk.
struct Walk<'s> {
    schema: &'s Schema,
    options: Options,
}

impl Walk<'_> {
    /// The schema that a comment at one of the nodes writes down, if any does.
    fn comment_schema<'n>(&self, nodes: impl IntoIterator<Item = Option<&'n Node>>) -> Option<CommentSchema> {
        nodes.into_iter().flatten().find_map(|node| {
            let comment = match node.line_comment.is_empty() {
                true => &node.head_comment,
                false => &node.line_comment,
            };
            match comment.contains('{') {
                true => self.schema.in_comment(comment),
                false => None,
            }
        })
    }

    /// The schema of an object that says its kind, where nothing above it knew better.
    fn kind_schema<'n>(&self, nodes: impl IntoIterator<Item = Option<&'n Node>>) -> Option<Type<'_>> {
        nodes.into_iter().flatten().find_map(|node| {
            let text = |name| tree::field(node, name).and_then(tree::text).unwrap_or_default();
            match (text("apiVersion"), text("kind")) {
                ("", _) | (_, "") => None,
                (api_version, kind) => self.schema.kind(api_version, kind),
            }
        })
    }

    /// Whether a list merges element by element.
    fn is_associative(&self, of: Option<Type<'_>>, nodes: &[Option<&Node>]) -> bool {
        match of {
            Some(of) => of.merges(),
            None => {
                self.options.infer
                    && nodes
                        .iter()
                        .flatten()
                        .any(|node| !tree::is_null(node) && elements::has_name(node))
            }
        }
    }

    /// The keys of a list that merges: the schema's, or the inferred one.
    fn keys(
        &self,
        of: Option<Type<'_>>,
        nodes: &[Option<&Node>],
        path: &Path<'_>,
    ) -> Result<Vec<String>, Error> {
        if let Some(of) = of.filter(|of| !of.strategy().is_empty()) {
            return Ok(of.keys().into_iter().map(str::to_owned).collect());
        }
        let mut key = "";
        for node in nodes.iter().flatten() {
            if tree::elements(node).is_empty() {
                continue;
            }
            let next = if elements::has_name(node) { "name" } else { "" };
            if !key.is_empty() && key != next {
                return Err(Error::ConflictingKeys {
                    first: key.to_owned(),
                    second: next.to_owned(),
                    path: path.to_string(),
                });
            }
            key = next;
        }
        match key {
            "" => Err(Error::NoMergeKey(path.to_string())),
            key => Ok(vec![key.to_owned()]),
        }
    }
}
