//! Lays one value over another (`typed/merge.go`).

use std::collections::HashMap;

use serde_json::{Map as Object, Value};

use super::resolve::{Kind, Resolved, Shaped, kind, resolve};
use super::validate::scalar;
use super::violation::Violations;
use super::{Shape, items};
use crate::fields::Element;
use crate::types::{List, Map};

pub(super) fn merge(shape: Shape<'_>, base: &Value, partial: &Value) -> Result<Value, Violations> {
    let mut errors = Violations::default();
    let merged = pair(shape, base, partial, &mut errors);
    errors.into_result()?;
    Ok(merged)
}

/// Merges two values that are both there; where one is missing, the other is taken as it is.
fn pair(shape: Shape<'_>, base: &Value, partial: &Value, errors: &mut Violations) -> Value {
    let Some(resolved) = resolve(shape, errors) else {
        return Value::Null;
    };
    by_kind(shape, resolved.deduce(Some(partial)), base, partial, errors)
}

fn by_kind<'s>(
    shape: Shape<'s>,
    resolved: Resolved<'s>,
    base: &Value,
    partial: &Value,
    errors: &mut Violations,
) -> Value {
    match kind(shape, resolved, errors) {
        None => Value::Null,
        Some(Kind::Scalar(kind)) => {
            let (l, r) = (
                scalar(kind, Some(base), "lhs: "),
                scalar(kind, Some(partial), "rhs: "),
            );
            if !l.0.is_empty() && !r.0.is_empty() {
                errors.0.extend(l.0.into_iter().chain(r.0));
            }
            partial.clone()
        }
        Some(Kind::List(list)) => {
            let (l, r) = (base.as_array(), partial.as_array());
            if list.is_atomic() || (l.is_none_or(Vec::is_empty) && r.is_none_or(Vec::is_empty)) {
                return partial.clone();
            }
            lists(
                shape,
                list,
                l.map_or(&[], Vec::as_slice),
                r.map_or(&[], Vec::as_slice),
                errors,
            )
        }
        Some(Kind::Map(map)) => {
            let (l, r) = (base.as_object(), partial.as_object());
            if map.is_atomic() || (l.is_none_or(Object::is_empty) && r.is_none_or(Object::is_empty)) {
                return partial.clone();
            }
            maps(shape, map.shape, l, r, errors)
        }
    }
}

fn maps(
    shape: Shape<'_>,
    map: &Map,
    base: Option<&Object<String, Value>>,
    partial: Option<&Object<String, Value>>,
    errors: &mut Violations,
) -> Value {
    let mut merged = entries_without(base, partial);
    for (name, r) in partial.into_iter().flatten() {
        let value = match (base.and_then(|base| base.get(name)), map.entry(name)) {
            (None, _) => r.clone(),
            (Some(l), Some(r#type)) => {
                let mut below = Violations::default();
                let value = pair(shape.at(r#type), l, r, &mut below);
                errors.take_below(Element::field(name), below);
                value
            }
            (Some(_), None) => {
                let mut below = Violations::default();
                below.push("schema error: invalid atom: inlined".to_owned());
                errors.take_below(Element::field(name), below);
                continue;
            }
        };
        merged.insert(name.clone(), value);
    }
    Value::Object(merged)
}

/// The entries that `other` lacks.
fn entries_without(
    map: Option<&Object<String, Value>>,
    other: Option<&Object<String, Value>>,
) -> Object<String, Value> {
    map.into_iter()
        .flatten()
        .filter(|(name, _)| other.is_none_or(|other| !other.contains_key(*name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The items of one side, by name.
struct Index<'v> {
    elements: Vec<Element>,
    /// The first place of each name, and whether it comes again.
    places: HashMap<Element, (usize, bool)>,
    items: &'v [Value],
}

/// The result has the order of `partial`; items that only `base` has stay between their neighbours.
fn lists(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    base: &[Value],
    partial: &[Value],
    errors: &mut Violations,
) -> Value {
    let partial = index(shape, list, partial, false, errors);
    let base = index(shape, list, base, true, errors);
    if !errors.0.is_empty() {
        return Value::Null;
    }
    let mut shared = partial
        .elements
        .iter()
        .filter(|element| base.places.contains_key(*element));
    let mut next_shared = shared.next();
    let mut done = vec![false; partial.elements.len()];
    let mut merged = Vec::with_capacity(base.items.len().max(partial.items.len()));
    let (mut l, mut r) = (0, 0);
    while l < base.elements.len() || r < partial.elements.len() {
        let left = base.elements.get(l);
        let in_partial = left
            .and_then(|left| partial.places.get(left))
            .map(|(place, _)| *place);
        if let (Some(left), Some(right)) = (left, partial.elements.get(r)) {
            if left == right {
                merged.push(item(shape, list, &base, &partial, r, errors));
                done[r] = true;
                (l, r) = (l + 1, r + 1);
                next_shared = shared.next();
                continue;
            }
            if in_partial.is_some() && next_shared.is_some_and(|next| next != left) {
                // It comes later, at the place that `partial` gives it.
                l += 1;
                continue;
            }
        }
        if left.is_some() {
            match in_partial {
                None => {
                    merged.push(base.items[l].clone());
                    l += 1;
                    continue;
                }
                Some(place) if done[place] => l += 1,
                Some(_) => {}
            }
        }
        if r < partial.elements.len() {
            merged.push(item(shape, list, &base, &partial, r, errors));
            done[r] = true;
            if next_shared == Some(&partial.elements[r]) {
                next_shared = shared.next();
            }
            r += 1;
        }
    }
    Value::Array(merged)
}

/// Item `place` of `partial`, laid over the item of the same name in `base`, if that has exactly one.
fn item(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    base: &Index<'_>,
    partial: &Index<'_>,
    place: usize,
    errors: &mut Violations,
) -> Value {
    let element = &partial.elements[place];
    match base.places.get(element) {
        Some((at, false)) => {
            let mut below = Violations::default();
            let value = pair(
                shape.at(list.shape.element),
                &base.items[*at],
                &partial.items[place],
                &mut below,
            );
            errors.take_below(element, below);
            value
        }
        _ => partial.items[place].clone(),
    }
}

fn index<'v>(
    shape: Shape<'_>,
    list: Shaped<'_, List>,
    items: &'v [Value],
    duplicates: bool,
    errors: &mut Violations,
) -> Index<'v> {
    let mut elements = Vec::with_capacity(items.len());
    let mut places: HashMap<Element, (usize, bool)> = HashMap::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match items::element(shape.schema, list, item) {
            Err(why) => errors.push(format!("element {place}: {why}")),
            Ok(element) => {
                let (_, again) = places
                    .entry(element.clone())
                    .and_modify(|(_, again)| *again = true)
                    .or_insert((place, false));
                if *again && !duplicates {
                    errors.push(format!("duplicate entries for key {element}"));
                }
                elements.push(element);
            }
        }
    }
    Index {
        elements,
        places,
        items,
    }
}
