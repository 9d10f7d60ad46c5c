//! Annotations: string entries in the maps that field specs name.

use std::collections::BTreeMap;

use deploy_yaml::node::Node;

use super::field_spec::FieldSpecs;
use super::{Error, labels};

/// Sets annotations in an object, in the order of their names, each in all the fields of the specs.
pub fn set(
    object: &mut Node,
    annotations: &BTreeMap<String, String>,
    specs: &FieldSpecs,
) -> Result<(), Error> {
    labels::set(object, annotations, specs)
}
