//! What needs the changes of all resources, also of custom ones: garbage collection, and namespaces that end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::api::Api;
use deploy_cluster_api::client::{self, Client};
use deploy_cluster_schema::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::carry::{Carrier, id};
use super::events::Recorder;
use super::queue::Queue;
use super::{Store, field_manager, user};
use crate::controller::Key;
use crate::garbage::graph::Graph;
use crate::garbage::{self, decide};
use crate::kind::{CUSTOM_RESOURCE_DEFINITION, Kind, NAMESPACE, RESOURCE_QUOTA};
use crate::object;
use crate::quota;
use crate::view::{Sightings, View};

/// So many objects are judged side by side.
const WORKERS: usize = 4;

/// Follows all resources.
pub struct Everything {
    /// Uids of objects to be judged.
    pub queue: Arc<Queue>,
    namespaces: Option<Arc<Queue>>,
    quotas: Option<Arc<Queue>>,
    graph: Mutex<Graph>,
    followed: Mutex<BTreeSet<Kind>>,
    carrier: Arc<Carrier>,
}

/// Every resource that has objects of its own, each once, in the version that is stored. Events are news that nobody
/// owns; reviews and the like are never stored.
pub fn stored_kinds(registry: &Registry) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = registry
        .resources()
        .filter(|resource| resource.has_verb("list") && resource.has_verb("delete"))
        .map(|resource| {
            let stored = registry.stored(resource);
            Kind {
                group: stored.group.to_string().into(),
                version: stored.version.to_string().into(),
                plural: stored.plural.to_string().into(),
                kind: stored.kind.to_string().into(),
                namespaced: stored.namespaced,
            }
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

impl Everything {
    /// The queues of those who want to hear of what goes: namespaces that end, and quotas.
    pub fn new(api: &Api, namespaces: Option<Arc<Queue>>, quotas: Option<Arc<Queue>>) -> Arc<Everything> {
        let client = Client::new(api, user(garbage::NAME), field_manager(garbage::NAME));
        let recorder = Recorder::new(client.clone(), garbage::NAME);
        Arc::new(Everything {
            queue: Arc::default(),
            namespaces,
            quotas,
            graph: Mutex::default(),
            followed: Mutex::default(),
            carrier: Arc::new(Carrier {
                api: api.clone(),
                client,
                recorder,
            }),
        })
    }

    pub fn start(self: Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        let (everything, all, end) = (self.clone(), tasks.clone(), stop.clone());
        tasks.spawn(async move { everything.follow_kinds(&all, &end).await });
        for _ in 0..WORKERS {
            let everything = self.clone();
            tasks.spawn(async move { everything.work().await });
        }
    }

    /// Follows each resource that there is, and each that comes with a definition.
    async fn follow_kinds(self: Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        let definitions = id(&CUSTOM_RESOURCE_DEFINITION);
        loop {
            let revision = self.client().list_at(&definitions, None).1;
            self.follow_new_kinds(tasks, stop);
            let Ok(mut changes) = self.client().watch(&definitions, revision) else {
                continue;
            };
            loop {
                let change = tokio::select! {
                    () = stop.cancelled() => return,
                    change = changes.next() => change,
                };
                match change {
                    Ok(_) => self.follow_new_kinds(tasks, stop),
                    Err(client::ChangesEnd::Missed) => break,
                    Err(client::ChangesEnd::Closed) => return,
                }
            }
        }
    }

    fn follow_new_kinds(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        for kind in stored_kinds(&self.carrier.api.registry()) {
            if lock(&self.followed).insert(kind.clone()) {
                let following = self.clone().follow(Arc::new(kind));
                tasks.spawn(stop.clone().run_until_cancelled_owned(following));
            }
        }
    }

    /// Follows one resource until the server ends or does not serve it any more.
    async fn follow(self: Arc<Self>, kind: Arc<Kind>) {
        let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
        loop {
            let (objects, revision) = self.client().list_at(&id(&kind), None);
            let present: BTreeSet<Arc<str>> =
                objects.iter().map(|object| object::uid(object).into()).collect();
            for object in objects {
                self.changed(&kind, &object);
            }
            for gone in known.difference(&present) {
                self.gone(gone);
            }
            known = present;
            let Ok(mut changes) = self.client().watch(&id(&kind), revision) else {
                if stored_kinds(&self.carrier.api.registry()).contains(&kind) {
                    continue;
                }
                lock(&self.followed).remove(&kind);
                return;
            };
            loop {
                match changes.next().await {
                    Ok(client::Change::Added(object) | client::Change::Modified(object, _)) => {
                        known.insert(object::uid(&object).into());
                        self.changed(&kind, &object);
                    }
                    Ok(client::Change::Deleted(object)) => {
                        known.remove(object::uid(&object));
                        self.gone(object::uid(&object));
                        self.left_namespace(&object);
                        self.set_free(&kind, &object);
                    }
                    Err(client::ChangesEnd::Missed) => break,
                    Err(client::ChangesEnd::Closed) => return,
                }
            }
        }
    }

    fn changed(&self, kind: &Arc<Kind>, object: &Value) {
        let owns = object["metadata"]["ownerReferences"]
            .as_array()
            .is_some_and(|owners| !owners.is_empty());
        let uid = object::uid(object);
        let mut graph = lock(&self.graph);
        graph.put(kind, object);
        if owns || garbage::is_waiting(object) {
            self.judge(uid);
        }
        if garbage::is_in_foreground(object) {
            for dependent in graph.dependents(uid) {
                self.judge(&dependent.uid);
            }
        }
    }

    fn gone(&self, uid: &str) {
        let concerned = lock(&self.graph).remove(uid);
        for uid in concerned {
            self.judge(&uid);
        }
    }

    /// A namespace that ends may be empty now.
    fn left_namespace(&self, object: &Value) {
        let name = object::namespace(object);
        let namespace = self.client().get(&id(&NAMESPACE), "", name);
        if let (Some(queue), true) = (
            &self.namespaces,
            namespace.is_some_and(|ns| object::is_deleting(&ns)),
        ) {
            queue.add(Key {
                namespace: "".into(),
                name: name.into(),
            });
        }
    }

    /// A quota may have been used by what is gone.
    fn set_free(&self, kind: &Kind, object: &Value) {
        let (Some(queue), true) = (&self.quotas, kind.namespaced) else {
            return;
        };
        for quota in self
            .client()
            .list(&id(&RESOURCE_QUOTA), Some(object::namespace(object)))
        {
            if quota::counts(&quota, kind) {
                queue.add(Key::of(&quota));
            }
        }
    }

    fn judge(&self, uid: &str) {
        self.queue.add(Key {
            namespace: "".into(),
            name: uid.into(),
        });
    }

    async fn work(self: Arc<Self>) {
        let sightings = Sightings::default();
        while let Some(key) = self.queue.next().await {
            let outcome = {
                let graph = lock(&self.graph);
                let view: &dyn View = &Store(self.client(), &self.carrier.api, &sightings);
                decide(view, &graph, &key.name)
            };
            match self.carrier.carry_out(outcome.effects).await {
                Ok(()) => self.queue.done(&key),
                Err(_) => self.queue.failed(&key),
            }
        }
    }

    fn client(&self) -> &Client {
        &self.carrier.client
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is complete or none: a panicked holder left them sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
