//! What a controller may read: the objects of the cluster as they are now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use crate::kind::Kind;
use crate::object;

/// The current state. Reads come from the index of the store, so a controller sees its own writes: there is no stale
/// cache, and nothing like upstream's expectations is needed.
pub trait View {
    /// One object; the namespace is empty for those of the whole cluster.
    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// All objects, or those of a namespace, by namespace and name.
    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Value>>;

    /// When `who` first gave this sign of life; `now` if that is just now. Clocks of nodes are not asked, so what counts is
    /// when somebody here has seen it.
    fn first_seen(&self, who: &str, sign: &str, now: Timestamp) -> Timestamp;

    /// `who` is gone.
    fn forget(&self, who: &str);

    /// Every resource that has objects of its own, each once, in the version that is stored.
    fn kinds(&self) -> Vec<Kind>;
}

/// The last sign of life of each, and when it was first seen.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: Mutex<HashMap<String, (String, Timestamp)>>,
}

impl Sightings {
    /// See [`View::first_seen`].
    pub fn first_seen(&self, who: &str, sign: &str, now: Timestamp) -> Timestamp {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(who) {
            Some((known, since)) if known == sign => *since,
            _ => {
                seen.insert(who.to_owned(), (sign.to_owned(), now));
                now
            }
        }
    }

    /// See [`View::forget`].
    pub fn forget(&self, who: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(who);
    }
}

impl dyn View + '_ {
    /// The objects in `owner`'s namespace whose controller is `owner`.
    pub fn controlled_by(&self, kind: &Kind, owner: &Value) -> Vec<Arc<Value>> {
        let uid = object::uid(owner);
        let mut objects = self.list(kind, Some(object::namespace(owner)));
        objects.retain(|object| object::controller(object).is_some_and(|reference| reference["uid"] == uid));
        objects
    }
}

/// Objects in memory, for tests of `reconcile`.
#[cfg(test)]
pub mod memory {
    use std::collections::BTreeMap;

    use super::*;

    /// A cluster that holds what it was given.
    #[derive(Default)]
    pub struct Memory {
        objects: BTreeMap<(String, String, String), Arc<Value>>,
        sightings: Sightings,
    }

    impl Memory {
        /// A cluster with these objects.
        pub fn of(objects: impl IntoIterator<Item = Value>) -> Memory {
            let mut memory = Memory::default();
            for object in objects {
                memory.put(object);
            }
            memory
        }

        /// Adds or replaces an object.
        pub fn put(&mut self, object: Value) {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let key = (
                kind,
                object::namespace(&object).to_owned(),
                object::name(&object).to_owned(),
            );
            self.objects.insert(key, Arc::new(object));
        }
    }

    impl Memory {
        /// Takes an object away.
        pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) {
            self.objects
                .remove(&(kind.to_owned(), namespace.to_owned(), name.to_owned()));
        }
    }

    impl View for Memory {
        fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
            let key = (kind.kind.to_string(), namespace.to_owned(), name.to_owned());
            self.objects.get(&key).cloned()
        }

        fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
            let of_kind = self.objects.iter().filter(|((k, ..), _)| *k == kind.kind);
            of_kind
                .filter(|((_, ns, _), _)| namespace.is_none_or(|wanted| wanted == ns))
                .map(|(_, object)| object.clone())
                .collect()
        }

        fn first_seen(&self, who: &str, sign: &str, now: Timestamp) -> Timestamp {
            self.sightings.first_seen(who, sign, now)
        }

        fn forget(&self, who: &str) {
            self.sightings.forget(who);
        }

        fn kinds(&self) -> Vec<Kind> {
            crate::kind::ALL.to_vec()
        }
    }
}
