//! Strategic merge patch: a merge patch that knows which lists merge by key, with directives (apimachinery
//! `strategicpatch/patch.go` mergeMap).

use serde_json::{Map, Value};

use super::error::PatchError;
use super::meta::{
    DELETE_FROM_PRIMITIVES, DIRECTIVE, Items, RETAIN_KEYS, SET_ELEMENT_ORDER, bad_argument, failed, go_type,
    items_kind, key_behind, list_field, no_merge_key, object_field,
};
use super::order::{Places, check_key, normalize};
use crate::merge::{Shape, plain};
use crate::types::PatchStrategy;

/// The document with a strategic merge patch applied. Custom resources have no marks for it and are refused by the
/// caller (415). What the type does not know stays in the result and is pruned with it.
pub fn strategic(shape: Shape<'_>, doc: Value, patch: Value) -> Result<Value, PatchError> {
    let doc = match doc {
        Value::Object(doc) => doc,
        _ => return Err(PatchError::BadRequest("invalid JSON document".to_owned())),
    };
    match patch {
        Value::Object(patch) => merge_map(shape, doc, patch, Mode::Apply).map(Value::Object),
        Value::Null => Ok(Value::Object(doc)),
        other => Err(PatchError::BadRequest(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            super::error::json_kind(&other)
        ))),
    }
}

/// What merging is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Applying a patch to an object: directives are carried out.
    Apply,
    /// Joining two patches into one: directives and nulls are kept.
    Join,
}

type Object = Map<String, Value>;

/// Merges a patch into an object.
pub(super) fn merge_map(
    shape: Shape<'_>,
    mut original: Object,
    mut patch: Object,
    mode: Mode,
) -> Result<Object, PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        if directive == "replace" {
            patch.remove(DIRECTIVE);
            return Ok(patch);
        }
        return if directive == "delete" {
            Ok(Object::new())
        } else {
            Err(bad_patch_type(&Value::Object(patch)))
        };
    }
    retain_keys(&mut original, &mut patch, mode)?;
    set_orders(shape, &mut original, &mut patch, mode)?;
    for (key, value) in patch {
        merge_entry(shape, &mut original, &key, value, mode)?;
    }
    Ok(original)
}

fn merge_entry(
    shape: Shape<'_>,
    original: &mut Object,
    key: &str,
    value: Value,
    mode: Mode,
) -> Result<(), PatchError> {
    let mut key = key;
    let deletes = key.starts_with(DELETE_FROM_PRIMITIVES);
    if deletes {
        if mode == Mode::Join {
            original.insert(key.to_owned(), value);
            return Ok(());
        }
        key = key_behind(key, DELETE_FROM_PRIMITIVES)
            .ok_or_else(|| PatchError::BadRequest("invalid patch format of primitive list".to_owned()))?;
    }
    if value.is_null() {
        original.remove(key);
        if mode == Mode::Apply {
            return Ok(());
        }
    }
    let Some(slot) = original.get_mut(key) else {
        if !deletes {
            take_over(original, key, value, mode);
        }
        return Ok(());
    };
    *slot = match (std::mem::take(slot), value) {
        (Value::Object(l), Value::Object(r)) => {
            let (field, strategy) = object_field(shape, key)?;
            Value::Object(if strategy.replace {
                r
            } else {
                merge_map(field, l, r, mode)?
            })
        }
        (Value::Array(l), Value::Array(r)) => {
            let (items, strategy) = list_field(shape, key)?;
            Value::Array(if strategy.merge || deletes {
                merge_list(items, strategy, l, r, deletes, mode)?
            } else {
                r
            })
        }
        (before, value) => {
            if !deletes {
                take_over(original, key, value, mode);
            } else if go_type(&before) != go_type(&value) {
                original.insert(key.to_owned(), before);
            } else {
                original.insert(key.to_owned(), value);
            }
            return Ok(());
        }
    };
    Ok(())
}

/// Sets a field to what the patch says, where there is nothing to merge with.
fn take_over(original: &mut Object, key: &str, mut value: Value, mode: Mode) {
    if mode == Mode::Apply {
        discard_nulls(&mut value);
    }
    match without_directives(value) {
        Some(value) => original.insert(key.to_owned(), value),
        None => original.remove(key),
    };
}

/// Carries out `$retainKeys`: what it does not name is cleared.
fn retain_keys(original: &mut Object, patch: &mut Object, mode: Mode) -> Result<(), PatchError> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    if mode == Mode::Join {
        match original.get(RETAIN_KEYS) {
            None => {
                original.insert(RETAIN_KEYS.to_owned(), directive);
            }
            Some(other) if *other == directive => {}
            Some(other) => {
                return Err(failed(format!(
                    "{} and {} are not deep equal: this may happen when calculating the 3-way diff patch",
                    plain(other),
                    plain(&directive)
                )));
            }
        }
        return Ok(());
    }
    let bad = || PatchError::BadRequest("invalid patch format of retainKeys".to_owned());
    let keys: std::collections::HashSet<&str> = directive
        .as_array()
        .ok_or_else(bad)?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let named = |(key, value): (&String, &Value)| {
        value.is_null()
            || key.starts_with(DELETE_FROM_PRIMITIVES)
            || key.starts_with(SET_ELEMENT_ORDER)
            || keys.contains(key.as_str())
    };
    if !patch.iter().all(named) {
        return Err(bad());
    }
    original.retain(|key, _| keys.contains(key.as_str()));
    Ok(())
}

/// Carries out each `$setElementOrder` with the list that it is about, and takes both out of the patch.
fn set_orders(
    shape: Shape<'_>,
    original: &mut Object,
    patch: &mut Object,
    mode: Mode,
) -> Result<(), PatchError> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(SET_ELEMENT_ORDER))
        .cloned()
        .collect();
    let bad = || PatchError::BadRequest("invalid patch format of setElementOrder list".to_owned());
    for directive in directives {
        let Some(order) = patch.remove(&directive) else {
            continue;
        };
        if mode == Mode::Join {
            match original.get(&directive) {
                Some(other) if *other != order => return Err(bad()),
                Some(_) => {}
                None => {
                    original.insert(directive.clone(), order.clone());
                }
            }
        }
        let Value::Array(order) = order else {
            return Err(bad_argument(&Value::Array(Vec::new()), &order));
        };
        let key = key_behind(&directive, SET_ELEMENT_ORDER).ok_or_else(bad)?;
        let before = list(original.get(key))?;
        let patched = list(patch.get(key))?;
        let (items, strategy) = list_field(shape, key)?;
        check_order(patched.as_deref().unwrap_or_default(), &order, strategy)?;
        if let Some(ordered) = in_order(items, strategy, before, patched, &order, mode)? {
            original.insert(key.to_owned(), Value::Array(ordered));
            patch.remove(key);
        }
    }
    Ok(())
}

fn list(value: Option<&Value>) -> Result<Option<Vec<Value>>, PatchError> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => Err(bad_argument(&Value::Array(Vec::new()), other)),
    }
}

/// The merged list in the order of the directive; nothing where neither side has a list.
fn in_order(
    items: Shape<'_>,
    strategy: &PatchStrategy,
    before: Option<Vec<Value>>,
    patched: Option<Vec<Value>>,
    order: &[Value],
    mode: Mode,
) -> Result<Option<Vec<Value>>, PatchError> {
    let (live, changes) = (
        before.clone().unwrap_or_default(),
        patched.clone().unwrap_or_default(),
    );
    let merged = match (before, patched) {
        (None, None) => return Ok(None),
        (Some(before), None) => before,
        (None, Some(patched)) => patched.into_iter().filter_map(without_directives).collect(),
        (Some(before), Some(patched)) if strategy.merge => {
            merge_list(items, strategy, before, patched, false, mode)?
        }
        (Some(_), Some(patched)) => patched,
    };
    let key = strategy.merge_key.as_deref();
    let (named, rest) = partition(merged, order, key)?;
    let kind = items_kind(&[&live, &changes])?;
    let live = match key.filter(|_| strategy.merge && kind == Items::Objects) {
        Some(key) => live_order(live, changes, key),
        None => live,
    };
    normalize(named, rest, order, &live, key, kind).map(Some)
}

/// The order that the object's own items keep. Where the patch deletes items, the places that become free are those of
/// the items that it adds: upstream deletes and adds in the list that it later reads the order from.
fn live_order(mut live: Vec<Value>, changes: Vec<Value>, key: &str) -> Vec<Value> {
    let (deleted, kept): (Vec<Value>, Vec<Value>) = changes
        .into_iter()
        .partition(|item| item.get(DIRECTIVE).is_some());
    let all = live.len();
    let deleted = Places::of(&deleted, Some(key));
    live.retain(|item| deleted.get(item, Some(key)).is_none());
    let places = Places::of(&live, Some(key));
    let free = all - live.len();
    live.extend(
        kept.into_iter()
            .filter(|item| places.get(item, Some(key)).is_none())
            .take(free),
    );
    live
}

/// The items of a patch must stand in the directive's order.
fn check_order(patched: &[Value], order: &[Value], strategy: &PatchStrategy) -> Result<(), PatchError> {
    if patched.is_empty() || order.is_empty() {
        return Ok(());
    }
    let key = strategy.merge_key.as_deref();
    if key.is_some()
        && let Some(other) = patched.iter().find(|item| !item.is_object())
    {
        return Err(bad_argument(&Value::Object(Object::new()), other));
    }
    let mut ordered = order.iter();
    for item in patched.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        loop {
            let Some(next) = ordered.next() else {
                return Err(failed(format!(
                    "The order in patch list:\n{}\n doesn't match {SET_ELEMENT_ORDER} list:\n{}\n",
                    plain(&Value::Array(patched.to_vec())),
                    plain(&Value::Array(order.to_vec()))
                )));
            };
            if same_name(item, next, key)? {
                break;
            }
        }
    }
    Ok(())
}

fn same_name(left: &Value, right: &Value, key: Option<&str>) -> Result<bool, PatchError> {
    let Some(key) = key else {
        return Ok(left == right);
    };
    check_key(left, key)?;
    check_key(right, key)?;
    Ok(left.get(key) == right.get(key))
}

/// Splits a list into the items that `by` names and the others.
fn partition(
    list: Vec<Value>,
    by: &[Value],
    key: Option<&str>,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    if let Some(key) = key {
        list.iter().try_for_each(|item| check_key(item, key))?;
    }
    let places = Places::of(by, key);
    Ok(list.into_iter().partition(|item| places.get(item, key).is_some()))
}

/// Merges a patch's list into an object's: objects by key, scalars as a set.
fn merge_list(
    items: Shape<'_>,
    strategy: &PatchStrategy,
    original: Vec<Value>,
    patch: Vec<Value>,
    deletes: bool,
    mode: Mode,
) -> Result<Vec<Value>, PatchError> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    let kind = items_kind(&[&original, &patch])?;
    let key = strategy.merge_key.as_deref();
    let (merged, original, patch) = if kind == Items::Objects {
        let key = key.ok_or_else(|| failed("cannot merge lists without merge key for struct"))?;
        let (original, patch) = special_items(original, patch, key)?;
        (
            merge_objects(items, original.clone(), patch.clone(), key, mode)?,
            original,
            patch,
        )
    } else {
        if deletes && mode == Mode::Apply {
            let gone = Places::of(&patch, None);
            return Ok(original
                .into_iter()
                .filter(|item| gone.get(item, None).is_none())
                .collect());
        }
        let mut seen = std::collections::HashSet::new();
        let both = original.iter().chain(&patch);
        (
            both.filter(|item| seen.insert(item.to_string()))
                .cloned()
                .collect(),
            original,
            patch,
        )
    };
    let (named, rest) = partition(merged, &patch, key)?;
    normalize(named, rest, &patch, &original, key, kind)
}

/// Carries out the items of a patch that are directives: both lists without them.
fn special_items(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut kept = Vec::with_capacity(patch.len());
    let mut gone = Vec::new();
    let mut replace = false;
    for item in patch {
        match item
            .get(DIRECTIVE)
            .map(|directive| directive.as_str().unwrap_or_default())
        {
            None => kept.push(item),
            Some("delete") => {
                if item.get(key).is_none() {
                    return Err(no_merge_key(&item, key));
                }
                gone.push(item);
            }
            Some("replace") => replace = true,
            Some("merge") => return Err(failed("merging lists cannot yet be specified in the patch")),
            Some(_) => return Err(bad_patch_type(&item)),
        }
    }
    if replace {
        return Ok((kept, Vec::new()));
    }
    if !gone.is_empty() {
        let gone = Places::of(&gone, Some(key));
        original.retain(|item| item.get(key).is_none() || gone.get(item, Some(key)).is_none());
    }
    Ok((original, kept))
}

fn merge_objects(
    items: Shape<'_>,
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    mode: Mode,
) -> Result<Vec<Value>, PatchError> {
    let mut places = Places::of(&original, Some(key));
    for item in patch {
        if item.get(key).is_none() {
            return Err(no_merge_key(&item, key));
        }
        let Some(place) = places.get(&item, Some(key)) else {
            places.add(&item, key, original.len());
            original.push(item);
            continue;
        };
        if let (Value::Object(l), Value::Object(r)) = (std::mem::take(&mut original[place]), item) {
            original[place] = Value::Object(merge_map(items, l, r, mode)?);
        }
    }
    Ok(original)
}

fn bad_patch_type(patch: &Value) -> PatchError {
    let directive = match &patch[DIRECTIVE] {
        Value::String(text) => text.clone(),
        Value::Null => "%!s(<nil>)".to_owned(),
        other => format!("%!s({}={})", go_type(other), plain(other)),
    };
    failed(format!(
        "unknown patch type: {directive} in map: {}",
        plain(patch)
    ))
}

/// The value without all that is marked to be deleted or replaced; nothing where the mark is on the value itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => Some(Value::Object(
            map.into_iter()
                .filter_map(|(key, value)| Some((key, without_directives(value)?)))
                .collect(),
        )),
        Value::Array(items) => Some(Value::Array(
            items.into_iter().filter_map(without_directives).collect(),
        )),
        scalar => Some(scalar),
    }
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}
