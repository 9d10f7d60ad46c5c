//! Makes strategic merge patches: from two states of an object, and as `kubectl apply` does from three (apimachinery
//! `strategicpatch/patch.go` diffMaps).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::PatchError;
use super::meta::{
    DELETE_FROM_PRIMITIVES, DIRECTIVE, Items, RETAIN_KEYS, SET_ELEMENT_ORDER, failed, go_type, items_kind,
    list_field, object_field,
};
use super::order::{check_key, sorted};
use super::strategic::{Mode, merge_map};
use crate::merge::{Shape, plain};
use crate::types::PatchStrategy;

/// The patch that makes `modified` of `original`.
pub fn create_two_way(shape: Shape<'_>, original: &Value, modified: &Value) -> Result<Value, PatchError> {
    let options = Options {
        changes: true,
        deletions: true,
        order: true,
        retain_keys: false,
    };
    diff_maps(shape, object(original)?, object(modified)?, options).map(Value::Object)
}

/// The patch that brings what `modified` says to `current`, and takes away what `original` said and `modified` does not.
/// Without `overwrite`, fields that were changed in `current` differently are a conflict.
pub fn create_three_way(
    shape: Shape<'_>,
    original: &Value,
    modified: &Value,
    current: &Value,
    overwrite: bool,
) -> Result<Value, PatchError> {
    let (original, modified, current) = (object(original)?, object(modified)?, object(current)?);
    let changes = Options {
        changes: true,
        deletions: false,
        order: true,
        retain_keys: false,
    };
    let deletions = Options {
        changes: false,
        deletions: true,
        order: true,
        retain_keys: false,
    };
    let delta = diff_maps(shape, current, modified, changes)?;
    let gone = diff_maps(shape, original, modified, deletions)?;
    let patch = merge_map(shape, gone, delta, Mode::Join)?;
    if !overwrite {
        let options = Options {
            changes: true,
            deletions: true,
            order: false,
            retain_keys: false,
        };
        let changed = diff_maps(shape, original, current, options)?;
        if maps_conflict(shape, &patch, &changed)? {
            let (patch, changed) = (Value::Object(patch), Value::Object(changed));
            return Err(failed(format!(
                "patch:\n{patch}\nconflicts with changes made from original to current:\n{changed}\n"
            )));
        }
    }
    Ok(Value::Object(patch))
}

type Object = Map<String, Value>;

/// What a patch shall contain.
#[derive(Clone, Copy)]
struct Options {
    /// What is new or has changed.
    changes: bool,
    /// What is gone.
    deletions: bool,
    /// `$setElementOrder`.
    order: bool,
    /// `$retainKeys`, for the object at hand.
    retain_keys: bool,
}

fn object(value: &Value) -> Result<&Object, PatchError> {
    value
        .as_object()
        .ok_or_else(|| PatchError::BadRequest("invalid JSON document".to_owned()))
}

fn diff_maps(
    shape: Shape<'_>,
    original: &Object,
    modified: &Object,
    options: Options,
) -> Result<Object, PatchError> {
    let mut patch = Object::new();
    for (key, new) in modified {
        let Some(old) = original.get(key) else {
            if options.changes {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            if !old.is_string() || !new.is_string() {
                return Err(failed(format!("invalid value for special key: {DIRECTIVE}")));
            }
            if old != new {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                diff_objects(shape, key, old, new, &mut patch, options)?
            }
            (Value::Array(old), Value::Array(new)) => diff_arrays(shape, key, old, new, &mut patch, options)?,
            (old, new) if options.changes && old != new => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    if options.deletions {
        for key in original.keys().filter(|key| !modified.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if options.retain_keys {
        let mut retained: Vec<Value> = modified
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, _)| Value::from(key.as_str()))
            .collect();
        let cleared = original
            .iter()
            .any(|(key, value)| !value.is_null() && !modified.contains_key(key));
        if !retained.is_empty() && (!patch.is_empty() || cleared) {
            retained.sort_by_key(plain);
            patch.insert(RETAIN_KEYS.to_owned(), Value::Array(retained));
        }
    }
    Ok(patch)
}

fn diff_objects(
    shape: Shape<'_>,
    key: &str,
    old: &Object,
    new: &Object,
    patch: &mut Object,
    options: Options,
) -> Result<(), PatchError> {
    let (field, strategy) = match object_field(shape, key) {
        Ok(found) => found,
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if strategy.replace {
        if options.changes {
            patch.insert(key.to_owned(), Value::Object(new.clone()));
        }
        return Ok(());
    }
    let difference = diff_maps(
        field,
        old,
        new,
        Options {
            retain_keys: strategy.retain_keys,
            ..options
        },
    )?;
    if !difference.is_empty() {
        patch.insert(key.to_owned(), Value::Object(difference));
    }
    Ok(())
}

fn diff_arrays(
    shape: Shape<'_>,
    key: &str,
    old: &[Value],
    new: &[Value],
    patch: &mut Object,
    options: Options,
) -> Result<(), PatchError> {
    let (items, strategy) = match list_field(shape, key) {
        Ok(found) => found,
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if !strategy.merge {
        if options.changes && old != new {
            patch.insert(key.to_owned(), Value::Array(new.to_vec()));
        }
        return Ok(());
    }
    let options = Options {
        retain_keys: strategy.retain_keys,
        ..options
    };
    let lists = diff_lists(items, strategy, old, new, options)?;
    for (key, list) in [
        (key.to_owned(), lists.changed),
        (format!("{DELETE_FROM_PRIMITIVES}/{key}"), lists.deleted),
        (format!("{SET_ELEMENT_ORDER}/{key}"), lists.order),
    ] {
        if !list.is_empty() {
            patch.insert(key, Value::Array(list));
        }
    }
    Ok(())
}

/// What a patch says about one list.
#[derive(Default)]
struct Lists {
    changed: Vec<Value>,
    deleted: Vec<Value>,
    order: Vec<Value>,
}

fn diff_lists(
    items: Shape<'_>,
    strategy: &PatchStrategy,
    old: &[Value],
    new: &[Value],
    options: Options,
) -> Result<Lists, PatchError> {
    if old.is_empty() {
        let changed = if options.changes { new.to_vec() } else { Vec::new() };
        return Ok(Lists {
            changed,
            ..Lists::default()
        });
    }
    if items_kind(&[old, new])? == Items::Scalars {
        let (added, deleted) = diff_scalars(old, new, options);
        let changed = sorted(added, new, None, Items::Scalars)?;
        let ordered =
            options.order && ((options.deletions && !deleted.is_empty()) || (options.changes && old != new));
        let order = if ordered { new.to_vec() } else { Vec::new() };
        return Ok(Lists {
            changed,
            deleted,
            order,
        });
    }
    let key = strategy.merge_key.as_deref().unwrap_or_default();
    let (changed, mut deleted) = diff_items(items, key, old, new, options)?;
    let mut changed = sorted(changed, new, Some(key), Items::Objects)?;
    let same_order = old.len() == new.len() && old.iter().zip(new).all(|(l, r)| l.get(key) == r.get(key));
    changed.append(&mut deleted);
    let ordered = options.order
        && ((options.changes && (!changed.is_empty() || !same_order))
            || (options.deletions && !changed.is_empty()));
    let mut order = Vec::new();
    if ordered {
        let only_key =
            |item: &Value| Value::Object([(key.to_owned(), item[key].clone())].into_iter().collect());
        order = new.iter().map(only_key).collect();
    }
    Ok(Lists {
        changed,
        deleted: Vec::new(),
        order,
    })
}

/// What is added to a set of scalars, and what is taken from it.
fn diff_scalars(old: &[Value], new: &[Value], options: Options) -> (Vec<Value>, Vec<Value>) {
    let (old, new) = (by_text(old), by_text(new));
    let (mut added, mut deleted) = (Vec::new(), Vec::new());
    let (mut l, mut r) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (l.peek(), r.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        let (old, new) = (
            if order.is_le() { l.next() } else { None },
            if order.is_ge() { r.next() } else { None },
        );
        match (old, new) {
            (Some((_, old)), None) if options.deletions => deleted.push(old.clone()),
            (None, Some((_, new))) if options.changes => added.push(new.clone()),
            _ => {}
        }
    }
    let mut seen = HashSet::new();
    deleted.retain(|item| seen.insert(item.to_string()));
    (added, deleted)
}

fn by_text(list: &[Value]) -> Vec<(String, &Value)> {
    let mut sorted: Vec<(String, &Value)> = list.iter().map(|item| (plain(item), item)).collect();
    sorted.sort_by(|(l, _), (r, _)| l.cmp(r));
    sorted
}

/// What is new or changed among objects with a key, and the directives that delete the others.
fn diff_items(
    items: Shape<'_>,
    key: &str,
    old: &[Value],
    new: &[Value],
    options: Options,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let (mut l, mut r) = (
        by_key(old, key)?.into_iter().peekable(),
        by_key(new, key)?.into_iter().peekable(),
    );
    let (mut changed, mut deleted) = (Vec::new(), Vec::new());
    loop {
        let order = match (l.peek(), r.peek()) {
            (None, None) => return Ok((changed, deleted)),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        let (old, new) = (
            if order.is_le() { l.next() } else { None },
            if order.is_ge() { r.next() } else { None },
        );
        match (old, new) {
            (Some((_, old)), Some((_, new))) => {
                let mut difference = diff_maps(items, object(old)?, object(new)?, options)?;
                if !difference.is_empty() {
                    difference.insert(key.to_owned(), new[key].clone());
                    changed.push(Value::Object(difference));
                }
            }
            (Some((_, old)), None) if options.deletions => {
                let entries = [
                    (key.to_owned(), old[key].clone()),
                    (DIRECTIVE.to_owned(), Value::from("delete")),
                ];
                deleted.push(Value::Object(entries.into_iter().collect()));
            }
            (None, Some((_, new))) if options.changes => changed.push(new.clone()),
            _ => {}
        }
    }
}

fn by_key<'v>(list: &'v [Value], key: &str) -> Result<Vec<(String, &'v Value)>, PatchError> {
    list.iter().try_for_each(|item| check_key(item, key))?;
    let mut sorted: Vec<(String, &Value)> = list.iter().map(|item| (plain(&item[key]), item)).collect();
    sorted.sort_by(|(l, _), (r, _)| l.cmp(r));
    Ok(sorted)
}

/// Whether two patches change the same fields to different values.
fn maps_conflict(shape: Shape<'_>, left: &Object, right: &Object) -> Result<bool, PatchError> {
    for (key, l) in left {
        let Some(r) = right.get(key).filter(|_| key != DIRECTIVE && key != RETAIN_KEYS) else {
            continue;
        };
        let conflict = match (l, r) {
            (Value::Object(l), Value::Object(r)) => {
                let (field, strategy) = object_field(shape, key)?;
                objects_conflict(field, strategy.replace, l, r)?
            }
            (Value::Array(l), Value::Array(r)) => {
                let (items, strategy) = list_field(shape, key)?;
                lists_conflict(items, strategy, l, r)?
            }
            (l, r) => l != r,
        };
        if conflict {
            return Ok(true);
        }
    }
    Ok(false)
}

fn objects_conflict(
    shape: Shape<'_>,
    replace: bool,
    left: &Object,
    right: &Object,
) -> Result<bool, PatchError> {
    // A directive is about the whole object.
    if left.get(DIRECTIVE) != right.get(DIRECTIVE) {
        return Ok(true);
    }
    if replace {
        return Ok(false);
    }
    maps_conflict(shape, left, right)
}

fn lists_conflict(
    items: Shape<'_>,
    strategy: &PatchStrategy,
    left: &[Value],
    right: &[Value],
) -> Result<bool, PatchError> {
    let kind = items_kind(&[left, right])?;
    if strategy.merge {
        let key = strategy.merge_key.as_deref().unwrap_or_default();
        if kind == Items::Scalars {
            return Ok(false);
        }
        let others = by_key(right, key)?;
        for (name, l) in by_key(left, key)? {
            let same = others.binary_search_by(|(other, _)| other.cmp(&name));
            if let Ok(place) = same
                && objects_conflict(items, false, object(l)?, object(others[place].1)?)?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if left.len() != right.len() {
        return Ok(true);
    }
    if kind == Items::Scalars {
        let texts = |list| {
            by_text(list)
                .into_iter()
                .map(|(text, item)| (text, go_type(item)))
                .collect::<Vec<_>>()
        };
        return Ok(texts(left) != texts(right));
    }
    for (l, r) in left.iter().zip(right) {
        if objects_conflict(items, false, object(l)?, object(r)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}
