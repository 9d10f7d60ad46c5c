//! What differs between two values (`typed/compare.go`).

use std::collections::HashMap;

use serde_json::Value;

use super::resolve::{Kind, Resolved, Shaped, kind, resolve};
use super::validate::scalar;
use super::violation::Violations;
use super::{Shape, items};
use crate::fields::{Element, Node, Set, equal};
use crate::types::{List, Map, TypeRef};

/// What differs from one value to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Only the old one has it.
    pub removed: Set,
    /// Both have it, and it is not the same.
    pub modified: Set,
    /// Only the new one has it.
    pub added: Set,
}

impl Comparison {
    /// Whether the two are the same.
    pub fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// Without some fields and all below them.
    #[must_use]
    pub fn without(self, fields: &Set) -> Comparison {
        Comparison {
            removed: self.removed.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            added: self.added.recursive_difference(fields),
        }
    }
}

pub(super) fn compare(shape: Shape<'_>, old: &Value, new: &Value) -> Result<Comparison, Violations> {
    let mut errors = Violations::default();
    let outcome = pair(shape, Some(old), Some(new), &mut errors);
    errors.into_result()?;
    Ok(outcome.below.finish())
}

/// What a pair of values adds to the sets: the path of the pair itself, and paths below.
#[derive(Default)]
struct Outcome {
    removed: bool,
    modified: bool,
    added: bool,
    below: Collected,
}

/// The nodes of the three sets at one level; sorted only once, when the level is complete.
#[derive(Default)]
struct Collected {
    removed: Vec<Node>,
    modified: Vec<Node>,
    added: Vec<Node>,
}

impl Collected {
    fn finish(self) -> Comparison {
        Comparison {
            removed: Set::from_nodes(self.removed),
            modified: Set::from_nodes(self.modified),
            added: Set::from_nodes(self.added),
        }
    }

    fn push(&mut self, element: &Element, outcome: Outcome) {
        let below = outcome.below.finish();
        let keep = |to: &mut Vec<Node>, member: bool, children: Set| {
            if member || !children.is_empty() {
                to.push(Node {
                    element: element.clone(),
                    member,
                    children,
                });
            }
        };
        keep(&mut self.removed, outcome.removed, below.removed);
        keep(&mut self.modified, outcome.modified, below.modified);
        keep(&mut self.added, outcome.added, below.added);
    }
}

/// Compares two values, of which one may be missing.
fn pair(shape: Shape<'_>, old: Option<&Value>, new: Option<&Value>, errors: &mut Violations) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(resolved) = resolve(shape, errors) else {
        return outcome;
    };
    let (before, after) = (resolved.deduce(old), resolved.deduce(new));
    let leaf = if new.is_none() {
        by_kind(shape, before, old, new, &mut outcome, errors)
    } else {
        if old.is_some() && !before.same_kinds(&after) {
            // The value has changed its kind: each side is compared as what it is.
            by_kind(shape, before, old, new, &mut outcome, errors);
        }
        by_kind(shape, after, old, new, &mut outcome, errors)
    };
    if !leaf {
        outcome.added |= old.is_none();
        outcome.removed |= new.is_none();
    }
    outcome
}

/// Compares two values as one of the things that their type allows; tells whether they were a leaf.
fn by_kind<'s>(
    shape: Shape<'s>,
    resolved: Resolved<'s>,
    old: Option<&Value>,
    new: Option<&Value>,
    outcome: &mut Outcome,
    errors: &mut Violations,
) -> bool {
    let leaf = match kind(shape, resolved, errors) {
        None => return false,
        Some(Kind::Scalar(kind)) => {
            let (l, r) = (scalar(kind, old, "lhs: "), scalar(kind, new, "rhs: "));
            if !l.0.is_empty() && !r.0.is_empty() {
                errors.0.extend(l.0.into_iter().chain(r.0));
                return false;
            }
            true
        }
        Some(Kind::List(list)) => {
            let (l, r) = (old.and_then(Value::as_array), new.and_then(Value::as_array));
            // Two empty lists are a leaf: null and [] are told apart.
            let leaf = list.is_atomic() || (l.is_none_or(Vec::is_empty) && r.is_none_or(Vec::is_empty));
            if !leaf {
                let (l, r) = (l.map_or(&[][..], Vec::as_slice), r.map_or(&[][..], Vec::as_slice));
                lists(shape, list, l, r, &mut outcome.below, errors);
            }
            leaf
        }
        Some(Kind::Map(map)) => {
            let (l, r) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
            let leaf = map.is_atomic() || (l.is_none_or(|l| l.is_empty()) && r.is_none_or(|r| r.is_empty()));
            if !leaf {
                maps(shape, map.shape, l, r, &mut outcome.below, errors);
            }
            leaf
        }
    };
    if leaf {
        match (old, new) {
            (None, _) => outcome.added = true,
            (_, None) => outcome.removed = true,
            (Some(old), Some(new)) => outcome.modified |= !equal(old, new),
        }
    }
    leaf
}

fn maps(
    shape: Shape<'_>,
    map: &Map,
    old: Option<&serde_json::Map<String, Value>>,
    new: Option<&serde_json::Map<String, Value>>,
    below: &mut Collected,
    errors: &mut Violations,
) {
    let mut entry = |name: &str, l: Option<&Value>, r: Option<&Value>| {
        let field = map.field(name);
        let element = Element::Field(field.map_or_else(|| name.into(), |field| field.name.clone()));
        child(
            shape,
            field.map(|field| field.r#type).or(map.element),
            &element,
            l,
            r,
            below,
            errors,
        );
    };
    for (name, l) in old.into_iter().flatten() {
        entry(name, Some(l), new.and_then(|new| new.get(name)));
    }
    for (name, r) in new.into_iter().flatten() {
        if old.is_none_or(|old| !old.contains_key(name)) {
            entry(name, None, Some(r));
        }
    }
}

fn child(
    shape: Shape<'_>,
    r#type: Option<TypeRef>,
    element: &Element,
    old: Option<&Value>,
    new: Option<&Value>,
    below: &mut Collected,
    errors: &mut Violations,
) {
    let mut child_errors = Violations::default();
    match r#type {
        Some(r#type) => below.push(element, pair(shape.at(r#type), old, new, &mut child_errors)),
        None => child_errors.push("schema error: invalid atom: inlined".to_owned()),
    }
    errors.take_below(element, child_errors);
}

/// All items of one name, in both lists.
struct Slot<'v> {
    element: Element,
    old: Vec<&'v Value>,
    new: Vec<&'v Value>,
}

fn lists(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    old: &[Value],
    new: &[Value],
    below: &mut Collected,
    errors: &mut Violations,
) {
    if old == new {
        return;
    }
    for slot in slots(shape, list, old, new, errors) {
        let mut compare = |old: Option<&Value>, new: Option<&Value>| {
            child(
                shape,
                Some(list.shape.element),
                &slot.element,
                old,
                new,
                below,
                errors,
            );
        };
        let duplicate = |removed, modified, added| Outcome {
            removed,
            modified,
            added,
            ..Outcome::default()
        };
        match (slot.old.as_slice(), slot.new.as_slice()) {
            ([] | [_], [] | [_]) => compare(slot.old.first().copied(), slot.new.first().copied()),
            // Duplicates are one leaf; where they come or go, what was or is a single item is compared alone.
            (old @ [_, _, ..], new @ [_, _, ..]) => {
                let same = old.len() == new.len() && old.iter().zip(new).all(|(l, r)| equal(l, r));
                below.push(&slot.element, duplicate(false, !same, false));
            }
            ([_, _, ..], new) => {
                if let Some(new) = new.first() {
                    compare(None, Some(new));
                }
                below.push(&slot.element, duplicate(true, false, false));
            }
            (old, [_, _, ..]) => {
                if let Some(old) = old.first() {
                    compare(Some(old), None);
                }
                below.push(&slot.element, duplicate(false, false, true));
            }
        }
    }
}

fn slots<'v>(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    old: &'v [Value],
    new: &'v [Value],
    errors: &mut Violations,
) -> Vec<Slot<'v>> {
    let mut slots: Vec<Slot<'v>> = Vec::with_capacity(old.len().max(new.len()));
    let mut places: HashMap<Element, usize> = HashMap::with_capacity(old.len().max(new.len()));
    let sides = [(old, false), (new, true)];
    for (items, is_new) in sides {
        for (place, item) in items.iter().enumerate() {
            match items::element(shape.schema, list, item) {
                Ok(element) => {
                    let slot = *places.entry(element.clone()).or_insert_with(|| {
                        slots.push(Slot {
                            element,
                            old: Vec::new(),
                            new: Vec::new(),
                        });
                        slots.len() - 1
                    });
                    let slot = &mut slots[slot];
                    if is_new { &mut slot.new } else { &mut slot.old }.push(item);
                }
                Err(why) => errors.push(format!("element {place}: {why}")),
            }
        }
    }
    slots
}
