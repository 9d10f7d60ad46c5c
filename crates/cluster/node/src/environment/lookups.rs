//! The objects that pods refer to.

use std::sync::Arc;

use deploy_cluster_api::client::{Client, ResourceId};
use serde_json::Value;

const CONFIG_MAPS: ResourceId = ResourceId::new("", "v1", "configmaps");
const SECRETS: ResourceId = ResourceId::new("", "v1", "secrets");
const SERVICES: ResourceId = ResourceId::new("", "v1", "services");
const CLAIMS: ResourceId = ResourceId::new("", "v1", "persistentvolumeclaims");
const VOLUMES: ResourceId = ResourceId::new("", "v1", "persistentvolumes");
const NODES: ResourceId = ResourceId::new("", "v1", "nodes");

/// The objects that a pod's environment and volumes are made of, as they are now.
pub trait Lookups: Send + Sync {
    /// A ConfigMap.
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// A Secret.
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// The Services of a namespace, by name.
    fn services(&self, namespace: &str) -> Vec<Arc<Value>>;

    /// A PersistentVolumeClaim.
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// A PersistentVolume.
    fn volume(&self, name: &str) -> Option<Arc<Value>>;

    /// The node that pods are run on.
    fn node(&self) -> Option<Arc<Value>>;
}

/// The objects of the API server in this process.
pub struct FromApi {
    client: Client,
    node: String,
}

impl FromApi {
    /// Reads through `client`, for the node of this name.
    pub fn new(client: Client, node: &str) -> FromApi {
        FromApi {
            client,
            node: node.to_owned(),
        }
    }
}

impl Lookups for FromApi {
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.client.get(&CONFIG_MAPS, namespace, name)
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.client.get(&SECRETS, namespace, name)
    }

    fn services(&self, namespace: &str) -> Vec<Arc<Value>> {
        self.client.list(&SERVICES, Some(namespace))
    }

    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.client.get(&CLAIMS, namespace, name)
    }

    fn volume(&self, name: &str) -> Option<Arc<Value>> {
        self.client.get(&VOLUMES, "", name)
    }

    fn node(&self) -> Option<Arc<Value>> {
        self.client.get(&NODES, "", &self.node)
    }
}

/// Objects in memory, for tests.
#[cfg(test)]
pub(crate) mod memory {
    use super::*;

    /// Finds what it was given by kind, namespace and name.
    #[derive(Default)]
    pub(crate) struct Memory(pub Vec<Arc<Value>>);

    impl Memory {
        pub(crate) fn of(objects: impl IntoIterator<Item = Value>) -> Memory {
            Memory(objects.into_iter().map(Arc::new).collect())
        }

        fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
            let mut found = self.all(kind, namespace);
            found.retain(|object| object["metadata"]["name"] == name);
            found.pop()
        }

        fn all(&self, kind: &str, namespace: &str) -> Vec<Arc<Value>> {
            let mut found = self.0.clone();
            found.retain(|object| {
                let own = object["metadata"]["namespace"].as_str().unwrap_or_default();
                object["kind"] == kind && own == namespace
            });
            found
        }
    }

    impl Lookups for Memory {
        fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
            self.get("ConfigMap", namespace, name)
        }

        fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
            self.get("Secret", namespace, name)
        }

        fn services(&self, namespace: &str) -> Vec<Arc<Value>> {
            self.all("Service", namespace)
        }

        fn claim(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
            self.get("PersistentVolumeClaim", namespace, name)
        }

        fn volume(&self, name: &str) -> Option<Arc<Value>> {
            self.get("PersistentVolume", "", name)
        }

        fn node(&self) -> Option<Arc<Value>> {
            self.all("Node", "").pop()
        }
    }
}
