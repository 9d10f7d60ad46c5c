//! The store as authentication, authorization and admission see it.

use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_storage::{Change, Expected, Key, Store, Write, WriteError};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::admission::objects::Objects;
use crate::admission::world::{NotCharged, Waiting, World};
use crate::verbs::parsed;
use crate::{encode, object};

/// Looks into a store.
#[derive(Clone)]
pub(crate) struct Stored {
    store: Store,
}

impl Stored {
    pub fn new(store: &Store) -> Arc<Stored> {
        Arc::new(Stored { store: store.clone() })
    }
}

impl Objects for Stored {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let entry = self.store.get(&Key::new(resource, namespace, name))?;
        Some((*parsed(&entry)).clone())
    }

    fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        // Objects of the whole cluster are in no namespace.
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        let listing = self.store.list(resource, namespace, None, None, None);
        let entries = listing.map(|listing| listing.entries).unwrap_or_default();
        entries.iter().map(|entry| (*parsed(entry)).clone()).collect()
    }
}

impl World for Stored {
    fn objects(&self) -> &dyn Objects {
        self
    }

    fn appears<'a>(
        &'a self,
        resource: &'a str,
        namespace: &'a str,
        name: &'a str,
        patience: Duration,
    ) -> Waiting<'a, Option<Value>> {
        Box::pin(async move {
            let until = Instant::now() + patience;
            let mut watch = self
                .store
                .watch(resource, Some(namespace), self.store.revision())
                .ok()?;
            loop {
                if let Some(object) = self.get(resource, namespace, name) {
                    return Some(object);
                }
                timeout_at(until, watch.next()).await.ok()?.ok()?;
            }
        })
    }

    fn charge(&self, quota: Value) -> Waiting<'_, Result<(), NotCharged>> {
        Box::pin(async move {
            let revision = object::resource_version(&quota)
                .parse()
                .map_err(|_| NotCharged::Changed)?;
            let key = Key::new("/resourcequotas", object::namespace(&quota), object::name(&quota));
            let change = Change::Put(encode::object(&quota));
            let write = Write {
                key,
                expected: Expected::Revision(revision),
                change,
            };
            match self.store.write(write).await {
                Ok(_) => Ok(()),
                Err(WriteError::Conflict { .. }) => Err(NotCharged::Changed),
                Err(error) => Err(NotCharged::Failed(error.to_string())),
            }
        })
    }
}
