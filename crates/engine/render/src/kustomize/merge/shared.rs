//! Nodes that stand in several places of one object.
//!
//! kustomize puts one and the same node into all the maps to which it adds a label: whoever changes the label in one of
//! them later, with a patch say, changes it in all. Here such nodes are copies that know that they belong together: a node
//! that was made has no place in a source, so its column tells which it belongs to.

use deploy_yaml::node::{Content, Node, Position};

use super::tree;

/// Set in the column of a node that was changed, until the others have followed.
const CHANGED: u32 = 1 << 31;

/// The first number in an object that no shared node has yet.
pub(crate) fn free_id(object: &Node) -> u32 {
    let mut highest = 0;
    visit(object, &mut |node| {
        if is_shared(node) {
            highest = highest.max(id(node));
        }
    });
    highest + 1
}

/// Makes a node one of those with a number.
pub(crate) fn share(node: &mut Node, id: u32) {
    node.position = Position { line: 0, column: id };
}

/// Gives `new`, which takes the place of `old`, the number that `old` has.
pub(super) fn inherit(old: &Node, new: &mut Node) {
    if !is_shared(old) {
        return;
    }
    // Without a place in a source it must say what type it is.
    if new.position.line != 0 && new.tag.is_none() && tree::kind(new) == tree::Kind::Scalar {
        new.tag = Some(tree::resolved_tag(new).to_owned());
    }
    share(new, id(old) | CHANGED);
}

/// Says that a node's text was changed where it stands.
pub(super) fn mark(node: &mut Node) {
    if is_shared(node) {
        node.position.column |= CHANGED;
    }
}

/// Lets the nodes that belong to changed ones follow.
pub(crate) fn settle(object: &mut Node) {
    let mut changed: Vec<Node> = Vec::new();
    visit_mut(object, &mut |node| {
        if is_shared(node) && node.position.column & CHANGED != 0 {
            node.position.column &= !CHANGED;
            changed.push(node.clone());
        }
    });
    if changed.is_empty() {
        return;
    }
    visit_mut(object, &mut |node| {
        if is_shared(node)
            && let Some(latest) = changed.iter().rfind(|latest| id(latest) == id(node))
        {
            node.clone_from(latest);
        }
    });
}

/// Gives the nodes that belong to `model` its style.
pub(crate) fn restyle(object: &mut Node, model: &Node) {
    visit_mut(object, &mut |node| {
        if is_shared(node) && id(node) == id(model) {
            node.style = model.style;
        }
    });
}

/// Whether a node belongs to others.
pub(crate) fn is_shared(node: &Node) -> bool {
    node.position.line == 0 && node.position.column != 0
}

fn id(node: &Node) -> u32 {
    node.position.column & !CHANGED
}

fn visit(node: &Node, each: &mut impl FnMut(&Node)) {
    each(node);
    match &node.content {
        Content::Mapping(entries) => entries.iter().for_each(|(_, value)| visit(value, each)),
        Content::Sequence(elements) => elements.iter().for_each(|element| visit(element, each)),
        Content::Scalar(_) | Content::Alias(_) => {}
    }
}

fn visit_mut(node: &mut Node, each: &mut impl FnMut(&mut Node)) {
    each(node);
    match &mut node.content {
        Content::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| visit_mut(value, each)),
        Content::Sequence(elements) => elements.iter_mut().for_each(|element| visit_mut(element, each)),
        Content::Scalar(_) | Content::Alias(_) => {}
    }
}
