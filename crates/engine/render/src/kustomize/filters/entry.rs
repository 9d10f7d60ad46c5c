//! Setting one entry of the maps of an object.

use deploy_yaml::node::{Node, Style};

use super::Error;
use crate::kustomize::merge::{shared, tree};

/// An entry on its way into several maps of one object. The maps that do not have it share one node.
pub(super) struct Entry<'e> {
    key: &'e str,
    value: Node,
    /// How many maps share the node.
    added: u32,
    /// Whether the node has got another style since it was added first.
    restyled: bool,
    /// Whether an entry was replaced that other maps share.
    spread: bool,
}

impl<'e> Entry<'e> {
    /// The string `value` under `key`; `id` is a number for the shared node that is free in the object.
    pub(super) fn new(key: &'e str, value: &str, id: u32) -> Entry<'e> {
        let mut value = tree::tagged(value, "!!str");
        shared::share(&mut value, id);
        Entry {
            key,
            value,
            added: 0,
            restyled: false,
            spread: false,
        }
    }

    /// Puts the entry into a map. One that is there gives its style, also to the maps that share the node.
    pub(super) fn put(&mut self, map: &mut Node) -> Result<(), Error> {
        tree::expect(map, tree::Kind::Mapping)?;
        // A null that no spec may turn into a map stays null.
        if tree::is_null(map) {
            return Ok(());
        }
        tree::quote_ambiguous(&mut self.value);
        match tree::field_mut(map, self.key) {
            Some(there) => {
                self.restyle(there.style);
                self.spread |= shared::is_shared(there);
                let mut value = self.value.clone();
                shared::share(&mut value, 0);
                tree::replace(there, value);
            }
            None => {
                tree::put_field(map, self.key, self.value.clone(), tree::scalar(self.key));
                self.added += 1;
            }
        }
        Ok(())
    }

    fn restyle(&mut self, style: Style) {
        self.restyled |= self.added > 0 && self.value.style != style;
        self.value.style = style;
    }

    /// Lets the maps of the object agree, once all have the entry.
    pub(super) fn finish(self, object: &mut Node) {
        if self.restyled {
            shared::restyle(object, &self.value);
        }
        if self.spread {
            shared::settle(object);
        }
    }
}
