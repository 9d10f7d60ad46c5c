//! Who depends on whom.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::kind::Kind;
use crate::object;

/// One object that owns or is owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Of which resource.
    pub kind: Arc<Kind>,
    /// Empty for objects of the whole cluster.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
    owners: Vec<Arc<str>>,
}

/// All objects, by uid, and the dependents of each.
#[derive(Default)]
pub struct Graph {
    nodes: HashMap<Arc<str>, Node>,
    /// From the uid of an owner, which may be gone or not yet known, to its dependents.
    dependents: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Graph {
    /// An object is there, or has changed.
    pub fn put(&mut self, kind: &Arc<Kind>, object: &Value) {
        let uid: Arc<str> = object::uid(object).into();
        let references = object["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten();
        let owners: Vec<Arc<str>> = references
            .filter_map(|owner| owner["uid"].as_str())
            .map(Arc::from)
            .collect();
        if self.nodes.get(&uid).is_some_and(|known| known.owners == owners) {
            return;
        }
        self.forget_owners(&uid);
        for owner in &owners {
            self.dependents
                .entry(owner.clone())
                .or_default()
                .insert(uid.clone());
        }
        let node = Node {
            kind: kind.clone(),
            namespace: object::namespace(object).into(),
            name: object::name(object).into(),
            uid: uid.clone(),
            owners,
        };
        self.nodes.insert(uid, node);
    }

    /// An object is gone. The uids that this concerns: its dependents, and owners that may wait for it.
    pub fn remove(&mut self, uid: &str) -> Vec<Arc<str>> {
        self.forget_owners(uid);
        let owners = self.nodes.remove(uid).map(|node| node.owners).unwrap_or_default();
        let dependents = self.dependents.get(uid).into_iter().flatten().cloned();
        dependents.chain(owners).collect()
    }

    /// The object with this uid.
    pub fn node(&self, uid: &str) -> Option<&Node> {
        self.nodes.get(uid)
    }

    /// The objects that name this uid as an owner.
    pub fn dependents(&self, uid: &str) -> Vec<&Node> {
        let uids = self.dependents.get(uid).into_iter().flatten();
        uids.filter_map(|uid| self.nodes.get(uid)).collect()
    }

    fn forget_owners(&mut self, uid: &str) {
        let owners = self
            .nodes
            .get(uid)
            .map(|node| node.owners.clone())
            .unwrap_or_default();
        for owner in owners {
            if let Some(dependents) = self.dependents.get_mut(&owner) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner);
                }
            }
        }
    }
}
