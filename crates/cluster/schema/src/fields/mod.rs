//! Sets of fields of an object: what `metadata.managedFields` writes as FieldsV1.
//!
//! A [`Path`] is a sequence of [`Element`]s (a field, the item of a list that has these keys or this value). A [`Set`]
//! holds paths as a tree; being in the set says nothing about the parents of a path.
//!
//! Facts: sigs.k8s.io/structured-merge-diff v6.3.0 `fieldpath` and `value`.

mod element;
mod json;
mod order;
mod set;

pub use element::{Element, Path, path_text};
pub use json::ParseError;
pub use order::{compare, equal};
pub use set::{Node, Set};

pub(crate) use json::go_json;
pub(crate) use order::{go_float, quote};
