//! Lists whose elements merge one by one.
//!
//! Elements are told apart by the values of their keys. The merged elements first make up a list of their own, which is
//! then laid over the target's (or the target's over it): that decides the order that users see.

use std::collections::HashSet;

use deploy_yaml::node::{Content, Node};

use super::{Error, ListIncrease, tree};

/// The nodes of a list merge, by number: an element can stand in several lists at once.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) nodes: Vec<Node>,
}

/// A list of the arena.
pub(super) type List = Vec<usize>;

impl Arena {
    /// Takes the elements of a list over.
    pub(super) fn adopt(&mut self, elements: impl IntoIterator<Item = Node>) -> List {
        let from = self.nodes.len();
        self.nodes.extend(elements);
        (from..self.nodes.len()).collect()
    }

    /// Moves a list's nodes out. A node that the list holds twice is copied.
    pub(super) fn release(mut self, list: &[usize]) -> Vec<Node> {
        let mut left = vec![0_u32; self.nodes.len()];
        for &id in list {
            left[id] += 1;
        }
        let mut out = Vec::with_capacity(list.len());
        for &id in list {
            left[id] -= 1;
            out.push(match left[id] {
                0 => std::mem::replace(&mut self.nodes[id], tree::scalar("")),
                _ => self.nodes[id].clone(),
            });
        }
        out
    }
}

/// Whether each element has a field `name`, which makes it the inferred key.
pub(super) fn has_name(list: &Node) -> bool {
    tree::elements(list)
        .iter()
        .all(|element| tree::field(element, "name").is_some())
}

/// Removes the elements whose field `key` is `value`.
pub(super) fn remove(list: &mut Vec<Node>, key: &str, value: &str) -> Result<(), Error> {
    let mut arena = Arena::default();
    let mut ids = arena.adopt(std::mem::take(list));
    set(&arena, &mut ids, None, &[key], &[value.to_owned()])?;
    *list = arena.release(&ids);
    Ok(())
}

/// Whether elements are maps with non-empty, different keys: then nothing is merged, moved or dropped among them.
pub(super) fn are_distinct(list: &[Node], keys: &[String]) -> bool {
    if keys.is_empty() {
        return false;
    }
    let mut seen = HashSet::with_capacity(list.len());
    list.iter().all(|element| {
        let mut id = Vec::with_capacity(keys.len());
        for key in keys {
            match tree::field(element, key).map(tree::value) {
                None | Some("") => return false,
                Some(value) => id.push(value),
            }
        }
        seen.insert(id)
    })
}

/// The lists to merge and how.
pub(super) struct Lists<'a> {
    /// The target's list, then the others; several may be the same one.
    pub(super) sources: Vec<Option<List>>,
    /// The keys of the elements; none for scalars.
    pub(super) keys: &'a [String],
    pub(super) increase: ListIncrease,
}

/// Merges one element: its number in each source, to the number of what it becomes.
pub(super) type MergeElement<'f> =
    dyn FnMut(&mut Arena, &[Option<usize>]) -> Result<Option<usize>, Error> + 'f;

/// Merges the lists into the first.
pub(super) fn merge(arena: &mut Arena, lists: Lists<'_>, each: &mut MergeElement<'_>) -> Result<List, Error> {
    let keys: Vec<&str> = match lists.keys {
        [] => vec![""],
        keys => keys.iter().map(String::as_str).collect(),
    };
    let mut ids = identities(arena, &lists, &keys);
    let mut dest = lists.sources[0].clone().unwrap_or_default();
    if ids.is_empty() {
        return Ok(dest);
    }
    if keys.len() > 1 {
        complete(&mut ids);
    }
    // A key that no element has tells nothing apart.
    let used: Vec<usize> = (0..keys.len())
        .filter(|&k| ids.iter().any(|values| !values[k].is_empty()))
        .collect();
    let used = match used.is_empty() {
        true => (0..keys.len()).collect(),
        false => used,
    };
    let keys: Vec<&str> = used.iter().map(|&k| keys[k]).collect();

    let mut merged = List::new();
    for values in ids {
        let values: Vec<String> = used.iter().map(|&k| values[k].clone()).collect();
        let found: Vec<Option<usize>> = lists
            .sources
            .iter()
            .enumerate()
            .map(|(at, source)| {
                // Removals below are visible in the target's list, also where it is another source as well.
                let same = at > 0 && *source == lists.sources[0];
                let list = if at == 0 || same {
                    Some(&dest)
                } else {
                    source.as_ref()
                };
                list.and_then(|list| find(arena, list, &keys, &values))
            })
            .collect();
        let become_ = each(arena, &found)?.filter(|&id| !tree::is_empty_map(&arena.nodes[id]));
        let Some(id) = become_ else {
            set(arena, &mut dest, None, &keys, &values)?;
            continue;
        };
        for (key, value) in keys.iter().zip(&values) {
            if tree::field(&arena.nodes[id], key).is_none() && !value.is_empty() {
                name(&mut arena.nodes[id], key, value)?;
            }
        }
        set(arena, &mut merged, Some(id), &keys, &values)?;
    }
    match lists.increase {
        ListIncrease::Prepend => lay_over(arena, merged, &dest, &keys),
        ListIncrease::Append => lay_over(arena, dest, &merged, &keys),
    }
}

/// Writes an element's key down. A scalar's key is its own text, and writing it drops the scalar's comments.
fn name(node: &mut Node, key: &str, value: &str) -> Result<(), Error> {
    match key {
        "" => tree::set_scalar(node, tree::scalar(value)),
        key => tree::set_field(node, key, tree::scalar(value)),
    }
}

/// The values of the keys of all elements, each once, in the order in which they are merged.
fn identities(arena: &Arena, lists: &Lists<'_>, keys: &[&str]) -> Vec<Vec<String>> {
    let first = match lists.increase {
        ListIncrease::Append => 0,
        ListIncrease::Prepend => 1,
    };
    let count = lists.sources.len();
    let mut seen = HashSet::new();
    let mut ids = Vec::new();
    for at in 0..count {
        for &id in lists.sources[(at + first) % count].iter().flatten() {
            let node = &arena.nodes[id];
            let values: Vec<String> = keys
                .iter()
                .map(|key| match *key {
                    "" => tree::text(node).unwrap_or_default().to_owned(),
                    key => tree::field(node, key)
                        .filter(|value| !tree::is_nil_or_empty(value))
                        .and_then(tree::text)
                        .unwrap_or_default()
                        .to_owned(),
                })
                .collect();
            if seen.insert(values.clone()) {
                ids.push(values);
            }
        }
    }
    ids
}

/// With several keys, an element that lacks one is the same as one that agrees in the others.
fn complete(ids: &mut [Vec<String>]) {
    for i in 0..ids.len() {
        let one = ids[i].clone();
        for j in 0..ids.len() {
            if let Some(both) = union(&one, &ids[j]) {
                ids[i].clone_from(&both);
                ids[j] = both;
            }
        }
    }
}

fn union(one: &[String], other: &[String]) -> Option<Vec<String>> {
    let mut agree = false;
    let mut both = Vec::with_capacity(one.len());
    for (a, b) in one.iter().zip(other) {
        agree |= a == b;
        if a != b && !a.is_empty() && !b.is_empty() {
            return None;
        }
        both.push(if a.is_empty() { b.clone() } else { a.clone() });
    }
    agree.then_some(both)
}

/// The first element that has these values in the keys for which there is one.
fn find(arena: &Arena, list: &[usize], keys: &[&str], values: &[String]) -> Option<usize> {
    let any = values.iter().any(|value| !value.is_empty());
    list.iter().copied().find(|&id| {
        let node = &arena.nodes[id];
        if keys[0].is_empty() {
            return tree::text(node).unwrap_or_default() == values[0];
        }
        matches!(node.content, Content::Mapping(_))
            && keys
                .iter()
                .zip(values)
                .filter(|(_, value)| !any || !value.is_empty())
                .all(|(key, value)| {
                    tree::field(node, key).is_some_and(|v| tree::text(v).unwrap_or_default() == value)
                })
    })
}

/// Puts `over`'s elements into `under`, each in the place of its like or at the end.
fn lay_over(arena: &Arena, mut under: List, over: &[usize], keys: &[&str]) -> Result<List, Error> {
    for &id in over {
        let node = &arena.nodes[id];
        if keys[0].is_empty() {
            let value = tree::text(node).unwrap_or_default().to_owned();
            set(arena, &mut under, Some(id), &[""], &[value])?;
            continue;
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            tree::expect(node, tree::Kind::Mapping)?;
            match tree::field(node, key) {
                Some(value) => values.push(tree::text(value).unwrap_or_default().to_owned()),
                None => under.push(id),
            }
        }
        // With several keys an element moves to the end.
        if keys.len() > 1 {
            set(arena, &mut under, None, keys, &values)?;
        }
        set(arena, &mut under, Some(id), keys, &values)?;
    }
    Ok(under)
}

/// Replaces the elements that match by `element`, or removes them; appends it where none does.
/// Null and empty elements vanish. Without values nothing matches and nothing stays.
fn set(
    arena: &Arena,
    list: &mut List,
    element: Option<usize>,
    keys: &[&str],
    values: &[String],
) -> Result<(), Error> {
    let by_field = !keys[0].is_empty() && values.first().is_some_and(|value| !value.is_empty());
    let mut matched = false;
    let mut kept = List::with_capacity(list.len() + 1);
    for &id in list.iter() {
        let node = &arena.nodes[id];
        if tree::is_empty_map(node) {
            continue;
        }
        if by_field && !matches!(node.content, Content::Mapping(_)) {
            kept.push(id);
            continue;
        }
        let mut like = !values.is_empty();
        for (key, value) in keys.iter().zip(values) {
            if !is_like(node, key, value)? {
                like = false;
                break;
            }
        }
        if !like {
            if !values.is_empty() {
                kept.push(id);
            }
            continue;
        }
        matched = true;
        kept.extend(element);
    }
    if let Some(id) = element.filter(|_| !matched)
        && !tree::is_null(&arena.nodes[id])
    {
        kept.push(id);
    }
    *list = kept;
    Ok(())
}

/// Whether an element has a value in a key; an empty value stands for any.
fn is_like(node: &Node, key: &str, value: &str) -> Result<bool, Error> {
    if key.is_empty() {
        tree::expect(node, tree::Kind::Scalar)?;
        return Ok(tree::value(node) == value);
    }
    tree::expect(node, tree::Kind::Mapping)?;
    Ok(
        tree::field(node, key)
            .is_some_and(|v| value.is_empty() || tree::text(v).unwrap_or_default() == value),
    )
}
