//! What there is, as authentication, authorization and admission look it up.

use std::collections::BTreeMap;

use serde_json::Value;

/// Looks up objects in memory: the index of the storage, or a handful of objects in a test. Never the disk.
pub trait Objects: Send + Sync {
    /// One object. `resource` is `group/plural`, `/pods` for core; `namespace` is empty for cluster-scoped objects.
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value>;

    /// All objects of a resource in one namespace (empty: cluster-scoped) by name.
    fn list(&self, resource: &str, namespace: &str) -> Vec<Value>;
}

/// Objects in memory, for tests and for data that is no part of the storage.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    objects: BTreeMap<(String, String, String), Value>,
}

impl Memory {
    /// Puts an object, whose namespace and name are in its metadata.
    pub fn put(&mut self, resource: &str, object: Value) {
        let part = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        self.objects
            .insert((resource.to_owned(), part("namespace"), part("name")), object);
    }

    /// Takes an object away.
    pub fn remove(&mut self, resource: &str, namespace: &str, name: &str) {
        self.objects
            .remove(&(resource.to_owned(), namespace.to_owned(), name.to_owned()));
    }
}

impl Objects for Memory {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.objects.get(&key).cloned()
    }

    fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        let all = self.objects.iter();
        all.filter(|((r, n, _), _)| r == resource && n == namespace)
            .map(|(_, o)| o.clone())
            .collect()
    }
}
