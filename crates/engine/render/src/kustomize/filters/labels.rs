//! Labels, selectors and the labels of templates: string entries in the maps that field specs name.

use std::collections::BTreeMap;

use deploy_yaml::node::Node;

use super::field_spec::{Create, FieldSpecs, apply};
use super::{Error, entry};

/// Sets labels in an object, in the order of their names, each in all the fields of the specs.
pub fn set(object: &mut Node, labels: &BTreeMap<String, String>, specs: &FieldSpecs) -> Result<(), Error> {
    let found = specs.of(object);
    for (key, value) in labels {
        for spec in &found {
            apply(object, spec, Some(Create::MAP), &mut |map| {
                entry::set(map, key, value)
            })?;
        }
    }
    Ok(())
}
