//! Setting one entry of maps.

use deploy_yaml::node::Node;

use super::Error;
use crate::kustomize::merge::tree;

/// Puts the string `value` under `key` into a map. An entry that is there keeps its style.
pub(super) fn set(map: &mut Node, key: &str, value: &str) -> Result<(), Error> {
    tree::expect(map, tree::Kind::Mapping)?;
    // A null that no spec may turn into a map stays null.
    if tree::is_null(map) {
        return Ok(());
    }
    tree::put_field(map, key, Node::string(value), tree::scalar(key));
    Ok(())
}
