//! Which node an alias stands for: the last one before it that carries its name.

use crate::node::{Content, Node};
use std::collections::HashMap;

/// The targets of the aliases of a tree, by the address of the alias.
pub(super) struct Targets<'a>(HashMap<*const Node, &'a Node>);

impl<'a> Targets<'a> {
    pub(super) fn of(root: &'a Node) -> Targets<'a> {
        let mut targets = HashMap::new();
        let mut anchors = HashMap::new();
        // In the order of the source, without recursion.
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if let Some(name) = &node.anchor {
                anchors.insert(name.as_str(), node);
            }
            match &node.content {
                Content::Scalar(_) => {}
                Content::Alias(name) => {
                    if let Some(target) = anchors.get(name.as_str()) {
                        targets.insert(std::ptr::from_ref(node), *target);
                    }
                }
                Content::Sequence(items) => stack.extend(items.iter().rev()),
                Content::Mapping(entries) => {
                    stack.extend(entries.iter().rev().flat_map(|(key, value)| [value, key]));
                }
            }
        }
        Targets(targets)
    }

    pub(super) fn get(&self, alias: &Node) -> Option<&'a Node> {
        self.0.get(&std::ptr::from_ref(alias)).copied()
    }
}
