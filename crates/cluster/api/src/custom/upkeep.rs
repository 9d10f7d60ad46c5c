//! What upstream's controllers do with definitions: their status, and the end of their objects
//! (`apiextensions-apiserver/pkg/controller/{status,establish,finalizer}`).

use std::collections::HashSet;

use deploy_cluster_storage::{Entry, Event, EventKind, Store, WatchError};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{DEFINITIONS, status};
use crate::api::Api;
use crate::identity::UserInfo;
use crate::options::{DeleteOptions, WriteOptions};
use crate::scope::Scope;
use crate::status::StatusError;
use crate::verbs::{self, Call, Strategy};
use crate::{identifiers, object};

/// What holds a definition until its objects are gone.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

const MANAGER: &str = "kube-apiserver";

/// Looks after all definitions until the store is closed.
pub(crate) async fn keep(api: Api) {
    let store = api.store().clone();
    let mut upkeep = Upkeep {
        user: UserInfo::named("system:apiserver", &["system:masters"]),
        clearing: HashSet::new(),
        clearings: JoinSet::new(),
        api,
    };
    loop {
        let Ok(listing) = store.list(DEFINITIONS, None, None, None, None) else {
            return;
        };
        for entry in &listing.entries {
            upkeep.tend(&entry.key.name).await;
        }
        let Ok(mut watch) = store.watch(DEFINITIONS, None, listing.revision) else {
            continue;
        };
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                Some(done) = upkeep.clearings.join_next() => {
                    if let Ok(name) = done {
                        upkeep.clearing.remove(&name);
                    }
                    continue;
                }
            };
            match event {
                Ok(event) => upkeep.see(&event).await,
                Err(WatchError::Closed) => return,
                Err(WatchError::Lagged { .. } | WatchError::Io { .. }) => break,
            }
        }
    }
}

struct Upkeep {
    api: Api,
    user: UserInfo,
    /// Definitions whose objects are being deleted.
    clearing: HashSet<String>,
    clearings: JoinSet<String>,
}

impl Upkeep {
    async fn see(&mut self, event: &Event) {
        // The names that are taken are known to somebody who follows the same events.
        let followers = &self.api.inner.followers;
        followers.seen(DEFINITIONS, event.entry.revision).await;
        match event.kind {
            EventKind::Put { .. } => self.tend(&event.entry.key.name).await,
            // Its names are free for others of the group.
            EventKind::Delete { .. } => {
                let gone: Value = serde_json::from_slice(&event.entry.body).unwrap_or_default();
                let group = gone["spec"]["group"].as_str().unwrap_or_default();
                for other in self.api.inner.definitions.of_group(group) {
                    self.tend(&other).await;
                }
            }
        }
    }

    /// Writes the status that a definition should have. A conflict means that it has changed, and comes back.
    async fn tend(&mut self, name: &str) {
        let Some(definition) = read(self.api.store(), name) else {
            return;
        };
        if object::is_deleting(&definition) {
            if object::finalizers(&definition).contains(&CLEANUP) && self.clearing.insert(name.to_owned()) {
                let (api, user) = (self.api.clone(), self.user.clone());
                self.clearings.spawn(clear(api, user, definition));
            }
            return;
        }
        let group = definition["spec"]["group"].as_str().unwrap_or_default();
        let taken = self.api.inner.definitions.taken(group);
        let settled = status::settle(&definition, &taken, &identifiers::now());
        if settled["status"] != definition["status"] {
            let _ = write(&self.api, &self.user, settled, "status").await;
        }
    }
}

fn read(store: &Store, name: &str) -> Option<Value> {
    let key = deploy_cluster_storage::Key::new(DEFINITIONS, "", name);
    let entry = store.get(&key)?;
    serde_json::from_slice(&entry.body).ok()
}

/// Replaces a definition, or its status, by what it is to be.
async fn write(api: &Api, user: &UserInfo, mut new: Value, subresource: &str) -> Result<(), StatusError> {
    let registry = api.registry();
    let found = registry
        .resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        .ok_or_else(StatusError::no_such_resource)?;
    let mut scope = Scope::new(&registry, found);
    object::name(&new).clone_into(&mut scope.name);
    scope.enter(subresource)?;
    let strategy = match subresource {
        "status" => Strategy::status(scope.rules),
        _ => Strategy::main(scope.rules, false),
    };
    new["kind"] = "CustomResourceDefinition".into();
    let mut call = call(api, user, scope);
    verbs::update(&mut call, new, strategy).await.map(|_| ())
}

fn call<'a>(api: &'a Api, user: &'a UserInfo, scope: Scope) -> Call<'a> {
    Call {
        api: &api.inner,
        scope,
        user,
        options: WriteOptions {
            field_manager: MANAGER.to_owned(),
            ..WriteOptions::default()
        },
        manager: MANAGER.to_owned(),
        warnings: Vec::new(),
    }
}

/// Deletes all objects of a definition, waits until the last is gone, then lets go of the definition.
async fn clear(api: Api, user: UserInfo, definition: Value) -> String {
    let name = object::name(&definition).to_owned();
    let says = |status: &'static str, reason: &'static str, message: &'static str| {
        let current = read(api.store(), &name);
        let (api, user) = (&api, &user);
        async move {
            if let Some(mut current) = current {
                status::set(
                    &mut current,
                    "Terminating",
                    status,
                    reason,
                    message,
                    &identifiers::now(),
                );
                let _ = write(api, user, current, "status").await;
            }
        }
    };
    let message = "CustomResource deletion is in progress";
    says("True", "InstanceDeletionInProgress", message).await;
    delete_objects(&api, &user, &definition).await;
    says("False", "InstanceDeletionCompleted", "removed all instances").await;
    // Others may write at the same time, but not for ever.
    for _ in 0..crate::limits::WRITE_RETRIES {
        let Some(mut current) = read(api.store(), &name) else {
            break;
        };
        let rest: Vec<&str> = object::finalizers(&current)
            .into_iter()
            .filter(|finalizer| *finalizer != CLEANUP)
            .collect();
        let rest = if rest.is_empty() { Value::Null } else { json!(rest) };
        object::set(&mut current, "finalizers", rest);
        match write(&api, &user, current, "").await {
            Err(error) if error.reason == "Conflict" => {}
            _ => break,
        }
    }
    name
}

async fn delete_objects(api: &Api, user: &UserInfo, definition: &Value) {
    let registry = api.registry();
    let names = &definition["status"]["acceptedNames"];
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let plural = names["plural"].as_str().unwrap_or_default();
    let found = registry
        .resources()
        .find(|resource| *resource.group == *group && *resource.plural == *plural);
    let Some(resource) = found.filter(|resource| resource.custom.is_some()) else {
        return;
    };
    let scope = Scope::new(&registry, resource);
    let store = api.store();
    let Ok(listing) = store.list(&scope.storage, None, None, None, None) else {
        return;
    };
    let Ok(mut watch) = store.watch(&scope.storage, None, listing.revision) else {
        return;
    };
    for entry in &listing.entries {
        delete_object(api, user, &scope, entry).await;
    }
    let is_empty = || {
        let rest = store.list(&scope.storage, None, None, None, Some(1));
        rest.is_ok_and(|rest| rest.entries.is_empty())
    };
    while !is_empty() {
        match watch.next().await {
            // Somebody was faster than the end of the definition.
            Ok(event) if matches!(event.kind, EventKind::Put { previous: None }) => {
                delete_object(api, user, &scope, &event.entry).await;
            }
            Ok(_) => {}
            Err(WatchError::Closed) => return,
            Err(_) => match store.watch(&scope.storage, None, store.revision()) {
                Ok(again) => watch = again,
                Err(_) => return,
            },
        }
    }
}

async fn delete_object(api: &Api, user: &UserInfo, scope: &Scope, entry: &Entry) {
    let mut scope = scope.clone();
    scope.namespace = entry.key.namespace.to_string();
    scope.name = entry.key.name.to_string();
    let mut call = call(api, user, scope);
    // Whoever is gone is gone; who stays has a finalizer, and is waited for.
    let _ = verbs::delete(&mut call, &DeleteOptions::default()).await;
}
