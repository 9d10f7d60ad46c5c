//! One step of a path, and its order.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::order;

/// One step from an object or list to a part of it.
#[derive(Clone, Debug)]
pub enum Element {
    /// The field of an object.
    Field(Arc<str>),
    /// The item of a list whose key fields have these values, sorted by name.
    Key(Arc<[(Arc<str>, Value)]>),
    /// The item of a set that has this value.
    Value(Value),
    /// The item of a list at this place; only in texts about lists that are not merged.
    Index(i64),
}

/// The steps from the root of an object to a part of it.
pub type Path = Vec<Element>;

/// `.spec.containers[name="app"].image`.
pub fn path_text(path: &[Element]) -> String {
    path.iter().map(Element::to_string).collect()
}

impl Element {
    /// A field.
    pub fn field(name: &str) -> Element {
        Element::Field(name.into())
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Field(name) => write!(f, ".{name}"),
            Element::Key(fields) => {
                let mut text = String::new();
                for (i, (name, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        text.push(',');
                    }
                    text.push_str(name);
                    text.push('=');
                    order::text(value, &mut text);
                }
                write!(f, "[{text}]")
            }
            Element::Value(value) => {
                let mut text = String::new();
                order::text(value, &mut text);
                write!(f, "[={text}]")
            }
            Element::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Fields, then keys, then values, then places (`fieldpath/element.go` Compare).
impl Ord for Element {
    fn cmp(&self, other: &Element) -> Ordering {
        match (self, other) {
            (Element::Field(l), Element::Field(r)) => l.cmp(r),
            (Element::Key(l), Element::Key(r)) => compare_keys(l, r),
            (Element::Value(l), Element::Value(r)) => order::compare(l, r),
            (Element::Index(l), Element::Index(r)) => l.cmp(r),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Element) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Element) -> bool {
        match (self, other) {
            (Element::Field(l), Element::Field(r)) => l == r,
            _ => self.cmp(other).is_eq(),
        }
    }
}

impl Eq for Element {}

impl Hash for Element {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Element::Field(name) => name.hash(state),
            Element::Key(fields) => {
                for (name, value) in fields.iter() {
                    name.hash(state);
                    order::hash(value, state);
                }
            }
            Element::Value(value) => order::hash(value, state),
            Element::Index(index) => index.hash(state),
        }
    }
}

impl Element {
    fn rank(&self) -> u8 {
        match self {
            Element::Field(_) => 0,
            Element::Key(_) => 1,
            Element::Value(_) => 2,
            Element::Index(_) => 3,
        }
    }
}

fn compare_keys(left: &[(Arc<str>, Value)], right: &[(Arc<str>, Value)]) -> Ordering {
    for ((left_name, l), (right_name, r)) in left.iter().zip(right) {
        let order = left_name.cmp(right_name).then_with(|| order::compare(l, r));
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}
