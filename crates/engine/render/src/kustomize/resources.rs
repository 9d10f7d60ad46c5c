//! The resources of a build in their order, found by id without looking at all of them.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::error::{Error, Result};
use super::resid::ResId;
use super::resource::{Behavior, Resource};
use super::tree;
use super::world::World;

/// Resources in order.
#[derive(Default)]
pub(super) struct Resources {
    list: Vec<Resource>,
    /// Positions by a hash of an id, those of now and previous ones apart. It may name positions whose ids have changed
    /// since: whoever looks something up compares. Positions from `indexed` on are not in it yet.
    index: HashMap<u64, Vec<u32>>,
    indexed: usize,
}

impl Resources {
    /// The resources that are not deleted, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.list.iter().filter(|resource| !resource.deleted)
    }

    /// The same, to change them; ids may change, and nothing may be looked up before the end.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.forget_index();
        self.list.iter_mut().filter(|resource| !resource.deleted)
    }

    /// The same where ids do not change.
    pub(super) fn iter_mut_keeping_ids(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.list.iter_mut().filter(|resource| !resource.deleted)
    }

    pub(super) fn get(&self, position: usize) -> &Resource {
        &self.list[position]
    }

    /// One resource, to change it; [`Resources::changed`] must be told when its ids may have changed.
    pub(super) fn get_mut(&mut self, position: usize) -> &mut Resource {
        &mut self.list[position]
    }

    /// All positions, those of deleted resources among them.
    pub(super) fn positions(&self) -> std::ops::Range<usize> {
        0..self.list.len()
    }

    /// Adds the ids of the resource at a position to the index.
    pub(super) fn changed(&mut self, position: usize) {
        if position < self.indexed {
            index_one(&mut self.index, &self.list[position], position);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Resource> {
        let mut list = self.list;
        list.retain(|resource| !resource.deleted);
        list
    }

    /// Drops deleted resources.
    pub(super) fn compact(&mut self) {
        if self.list.iter().any(|resource| resource.deleted) {
            self.list.retain(|resource| !resource.deleted);
            self.forget_index();
        }
    }

    fn forget_index(&mut self) {
        self.index.clear();
        self.indexed = 0;
    }

    fn catch_up(&mut self) {
        for position in self.indexed..self.list.len() {
            index_one(&mut self.index, &self.list[position], position);
        }
        self.indexed = self.list.len();
    }

    /// Positions of resources of which any id is the same as this one, in order.
    pub(super) fn with_any_id(&mut self, id: &ResId) -> Vec<usize> {
        let mut found = self.find(id, Age::Previous, |resource| {
            resource.previous_ids().any(|own| own.same(id))
        });
        found.extend(self.with_current_id(id));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Positions of resources whose id of now is the same as this one, in order.
    pub(super) fn with_current_id(&mut self, id: &ResId) -> Vec<usize> {
        self.find(id, Age::Current, |resource| resource.id().same(id))
    }

    /// Positions of resources that have or had a name, in order.
    pub(super) fn named(&mut self, name: &str) -> Vec<usize> {
        self.catch_up();
        let positions = self
            .index
            .get(&name_key(name))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<usize> = positions
            .iter()
            .map(|position| *position as usize)
            .filter(|position| {
                let resource = &self.list[*position];
                let had = || resource.previous.iter().any(|previous| previous.name == name);
                !resource.deleted && (resource.id().name == name || had())
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn find(&mut self, id: &ResId, age: Age, matches: impl Fn(&Resource) -> bool) -> Vec<usize> {
        self.catch_up();
        let positions = self
            .index
            .get(&key(id, age))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<usize> = positions
            .iter()
            .map(|position| *position as usize)
            .filter(|position| !self.list[*position].deleted && matches(&self.list[*position]))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The one resource that has or had this id.
    pub(super) fn one_with_any_id(&mut self, id: &ResId) -> Result<usize> {
        let found = self.with_any_id(id);
        let problem = match found.as_slice() {
            [one] => return Ok(*one),
            [] => "no matches",
            _ => "multiple matches",
        };
        Err(Error::invalid(format!(
            "{problem} for Id {id}; failed to find unique target for patch {id}"
        )))
    }

    /// Appends; an id may be there once.
    pub(super) fn append(&mut self, resource: Resource) -> Result<()> {
        if !self.with_current_id(resource.id()).is_empty() {
            return Err(registered(resource.id()));
        }
        self.list.push(resource);
        Ok(())
    }

    pub(super) fn append_all(&mut self, more: impl IntoIterator<Item = Resource>) -> Result<()> {
        more.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Refuses an id that another resource has too.
    pub(super) fn refuse_conflict(&mut self, position: usize) -> Result<()> {
        let id = self.list[position].id().clone();
        if self.with_current_id(&id).len() > 1 {
            return Err(registered(&id));
        }
        Ok(())
    }

    /// Takes in a generated resource as its behavior says.
    pub(super) fn absorb(&mut self, mut new: Resource, world: &World<'_>) -> Result<()> {
        let found = self.with_any_id(new.id());
        let shown = || go_shown(new.id());
        match (found.as_slice(), new.behavior) {
            ([], Behavior::Merge | Behavior::Replace) => Err(Error::invalid(format!(
                "id {} does not exist; cannot merge or replace",
                shown()
            ))),
            ([], _) => self.append(new),
            ([position], Behavior::Replace | Behavior::Merge) => {
                let position = *position;
                let old = &self.list[position];
                copy_metadata(&mut new, old);
                if new.behavior == Behavior::Merge {
                    merge_data(&mut new, old, "data");
                    merge_data(&mut new, old, "binaryData");
                    if old.origin.is_some() {
                        new.origin.clone_from(&old.origin);
                    }
                }
                new.refresh(world);
                self.list[position] = new;
                self.changed(position);
                Ok(())
            }
            ([_], behavior) => Err(Error::invalid(format!(
                "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                shown(),
                behavior.name()
            ))),
            (several, _) => {
                let several: Vec<String> = several
                    .iter()
                    .map(|position| self.list[*position].id().to_string())
                    .collect();
                Err(Error::invalid(format!(
                    "found multiple objects [{}] that could accept merge of {}",
                    several.join(" "),
                    new.id()
                )))
            }
        }
    }
}

fn registered(id: &ResId) -> Error {
    Error::invalid(format!(
        "may not add resource with an already registered id: {id}"
    ))
}

/// An id as Go's `%#v` shows it.
fn go_shown(id: &ResId) -> String {
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, Name:{:?}, Namespace:{:?}}}",
        id.gvk.group, id.gvk.version, id.gvk.kind, id.cluster_scoped, id.name, id.namespace
    )
}

/// Which of a resource's ids.
#[derive(Clone, Copy, Hash)]
enum Age {
    Current,
    Previous,
}

fn key(id: &ResId, age: Age) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&id.gvk, &id.name, id.effective_namespace(), age).hash(&mut hasher);
    hasher.finish()
}

fn name_key(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

fn index_one(index: &mut HashMap<u64, Vec<u32>>, resource: &Resource, position: usize) {
    let position = u32::try_from(position).expect("MAX_RESOURCES fits 32 bits");
    let mut add = |key: u64| {
        let positions = index.entry(key).or_default();
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    };
    add(key(resource.id(), Age::Current));
    add(name_key(&resource.id().name));
    for id in resource.previous_ids() {
        add(key(&id, Age::Previous));
        add(name_key(&id.name));
    }
}

/// Labels, annotations, name, namespace and the build's memory of the resource that is replaced.
fn copy_metadata(new: &mut Resource, old: &Resource) {
    merge_strings(new, old, "labels");
    merge_strings(new, old, "annotations");
    new.set_name(&old.id().name);
    new.set_namespace(&old.id().namespace);
    new.previous.clone_from(&old.previous);
    new.prefixes.clone_from(&old.prefixes);
    new.suffixes.clone_from(&old.suffixes);
    new.allow_name_change = old.allow_name_change;
    new.allow_kind_change = old.allow_kind_change;
    new.needs_hash = new.needs_hash && old.needs_hash;
    new.variables.clone_from(&old.variables);
    if new.origin.is_none() {
        new.origin.clone_from(&old.origin);
    }
    if new.transformations.is_empty() {
        new.transformations.clone_from(&old.transformations);
    }
}

fn merge_strings(new: &mut Resource, old: &Resource, field: &str) {
    let mut merged: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (key, value) in old.metadata_map(field).iter().chain(new.metadata_map(field)) {
        if let Some(key) = tree::text(key) {
            merged.insert(key.to_owned(), tree::text(value).unwrap_or_default().to_owned());
        }
    }
    let metadata = tree::mapping_mut(&mut new.node, "metadata");
    tree::remove(metadata, field);
    if merged.is_empty() {
        return;
    }
    let map = tree::mapping_mut(metadata, field);
    for (key, value) in merged {
        tree::set(map, &key, tree::string(&value));
    }
}

/// The old entries under the new ones.
fn merge_data(new: &mut Resource, old: &Resource, field: &str) {
    let Some(old) = tree::field(&old.node, field).filter(|old| !tree::entries(old).is_empty()) else {
        return;
    };
    let mine = tree::remove(&mut new.node, field);
    let target = tree::mapping_mut(&mut new.node, field);
    for (key, value) in tree::entries(old)
        .iter()
        .chain(mine.iter().flat_map(tree::entries))
    {
        if let Some(key) = tree::text(key) {
            tree::set(target, key, tree::string(tree::text(value).unwrap_or_default()));
        }
    }
}
