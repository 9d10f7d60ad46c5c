//! Which node an alias stands for: the last one before it that carries its name.

use crate::tree::{Readable, View};
use std::collections::HashMap;

/// The targets of the aliases of a tree, by the address of the alias.
pub(super) struct Targets<'a, T>(HashMap<*const T, &'a T>);

impl<'a, T: Readable> Targets<'a, T> {
    pub(super) fn of(root: &'a T) -> Targets<'a, T> {
        let mut targets = HashMap::new();
        let mut anchors = HashMap::new();
        // In the order of the source, without recursion.
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if let Some(name) = node.anchor() {
                anchors.insert(name, node);
            }
            match node.view() {
                View::Scalar(_) => {}
                View::Alias(name) => {
                    if let Some(target) = anchors.get(name) {
                        targets.insert(std::ptr::from_ref(node), *target);
                    }
                }
                View::Sequence(items) => stack.extend(items.iter().rev()),
                View::Mapping(entries) => {
                    stack.extend(entries.iter().rev().flat_map(|(key, value)| [value, key]));
                }
            }
        }
        Targets(targets)
    }

    pub(super) fn get(&self, alias: &T) -> Option<&'a T> {
        self.0.get(&std::ptr::from_ref(alias)).copied()
    }
}
