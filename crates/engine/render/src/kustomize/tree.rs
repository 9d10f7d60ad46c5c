//! Small steps on nodes that the build shares: what [`merge::tree`](super::merge::tree) has, and setting by name.

use deploy_yaml::node::{Content, Node, Style};

pub(super) use super::merge::tree::{
    elements as items, entries, field, field_mut, is_nil_or_empty as is_nothing, is_null,
    remove_field as remove, scalar, tagged, text,
};

/// Sets a field. What stands behind an existing field is replaced, whatever it is. A node that is no mapping becomes one.
pub(super) fn set(node: &mut Node, name: &str, value: Node) {
    if !matches!(node.content, Content::Mapping(_)) {
        node.content = Content::Mapping(Vec::new());
        node.style = Style::Plain;
        node.tag = None;
    }
    if let Some(target) = field_mut(node, name) {
        *target = value;
    } else if let Content::Mapping(entries) = &mut node.content {
        entries.push((string(name), value));
    }
}

/// Sets the text of a field. How an existing scalar is quoted stays, so that `"1"` does not become a number.
pub(super) fn set_text(node: &mut Node, name: &str, text: &str) {
    let mut value = scalar(text);
    if let Some(existing) = field(node, name).filter(|existing| existing.is_scalar()) {
        value.style = existing.style;
    }
    set(node, name, value);
}

/// The field as a mapping, made where it is absent or no mapping.
pub(super) fn mapping_mut<'n>(node: &'n mut Node, name: &str) -> &'n mut Node {
    if !field(node, name).is_some_and(Node::is_mapping) {
        set(node, name, mapping());
    }
    field_mut(node, name).expect("the field has just been set")
}

/// The text of a field, empty where there is none.
pub(super) fn field_text<'n>(node: &'n Node, name: &str) -> &'n str {
    field(node, name).and_then(text).unwrap_or_default()
}

/// A scalar that is and stays a string.
pub(super) fn string(text: &str) -> Node {
    let mut node = scalar(text);
    node.tag = Some("!!str".to_owned());
    node
}

/// An empty mapping.
pub(super) fn mapping() -> Node {
    Node::mapping(Vec::new())
}
