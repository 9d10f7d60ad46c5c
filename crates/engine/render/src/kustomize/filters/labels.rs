//! Labels, selectors and the labels of templates: string entries in the maps that field specs name.

use std::collections::BTreeMap;

use deploy_yaml::node::Node;

use super::Error;
use super::entry::Entry;
use super::field_spec::{Create, FieldSpecs, apply};
use crate::kustomize::merge::shared;

/// Sets labels in an object, in the order of their names, each in all the fields of the specs.
pub fn set(object: &mut Node, labels: &BTreeMap<String, String>, specs: &FieldSpecs) -> Result<(), Error> {
    let found = specs.of(object);
    if found.is_empty() {
        return Ok(());
    }
    let free = shared::free_id(object);
    for ((key, value), id) in labels.iter().zip(free..) {
        let mut entry = Entry::new(key, value, id);
        for spec in &found {
            apply(object, spec, Some(Create::MAP), &mut |map| entry.put(map))?;
        }
        entry.finish(object);
    }
    Ok(())
}
