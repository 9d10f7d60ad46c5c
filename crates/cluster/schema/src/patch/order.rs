//! The order of merged lists: the patch's order where it has one, the object's own for the rest (apimachinery
//! `strategicpatch/patch.go` normalizeElementOrder).

use std::collections::HashMap;

use serde_json::Value;

use super::error::PatchError;
use super::meta::{DIRECTIVE, Items, bad_argument, no_merge_key};

/// Where each item of a list is, by its merge key or, for scalars, by itself.
pub(super) struct Places {
    by_name: HashMap<String, usize>,
}

impl Places {
    /// Indexes a list; of items of the same name the first counts.
    pub(super) fn of(list: &[Value], key: Option<&str>) -> Places {
        let mut by_name = HashMap::with_capacity(list.len());
        for (place, item) in list.iter().enumerate() {
            by_name.entry(name(item, key)).or_insert(place);
        }
        Places { by_name }
    }

    /// Notes one more item.
    pub(super) fn add(&mut self, item: &Value, key: &str, place: usize) {
        self.by_name.entry(name(item, Some(key))).or_insert(place);
    }

    /// The place of the item of the same name.
    pub(super) fn get(&self, item: &Value, key: Option<&str>) -> Option<usize> {
        self.by_name.get(&name(item, key)).copied()
    }
}

/// What names an item: the JSON text of its key, so that `1` and `"1"` differ.
fn name(item: &Value, key: Option<&str>) -> String {
    match key {
        Some(key) => item.get(key).unwrap_or(&Value::Null).to_string(),
        None => item.to_string(),
    }
}

/// `patch` in the order of `patch_order` and `rest` in that of `rest_order`, woven into one list: an item of `rest`
/// stands before the first item of `patch` that follows it in `rest_order`.
pub(super) fn normalize(
    patch: Vec<Value>,
    rest: Vec<Value>,
    patch_order: &[Value],
    rest_order: &[Value],
    key: Option<&str>,
    kind: Items,
) -> Result<Vec<Value>, PatchError> {
    let patch = sorted(patch, patch_order, key, kind)?;
    let rest = sorted(rest, rest_order, key, kind)?;
    let key = key.filter(|_| kind == Items::Objects);
    let places = Places::of(rest_order, key);
    let mut all = Vec::with_capacity(patch.len() + rest.len());
    let mut patch = patch.into_iter().peekable();
    for item in rest {
        let place = places.get(&item, key);
        // Items of the patch go first until one is known to follow.
        while let Some(next) =
            patch.next_if(|next| !matches!((place, places.get(next, key)), (Some(l), Some(r)) if l < r))
        {
            all.push(next);
        }
        all.push(item);
    }
    all.extend(patch);
    Ok(all)
}

/// A list in the order of another; items to delete come last.
pub(super) fn sorted(
    list: Vec<Value>,
    order: &[Value],
    key: Option<&str>,
    kind: Items,
) -> Result<Vec<Value>, PatchError> {
    let key = key.filter(|_| kind == Items::Objects);
    let (mut kept, mut deleted) = (list, Vec::new());
    if kind == Items::Objects {
        let named = key.unwrap_or_default();
        kept.iter()
            .chain(order)
            .try_for_each(|item| check_key(item, named))?;
        (deleted, kept) = kept
            .into_iter()
            .partition(|item| item.get(DIRECTIVE).is_some_and(|d| d == "delete"));
    }
    let places = Places::of(order, key);
    kept.sort_by_cached_key(|item| places.get(item, key).map_or(0, |place| place + 1));
    kept.append(&mut deleted);
    Ok(kept)
}

/// Whether an item is an object with the merge key.
pub(super) fn check_key(item: &Value, key: &str) -> Result<(), PatchError> {
    match item {
        Value::Object(map) if map.contains_key(key) => Ok(()),
        Value::Object(_) => Err(no_merge_key(item, key)),
        other => Err(bad_argument(&Value::Object(serde_json::Map::new()), other)),
    }
}
