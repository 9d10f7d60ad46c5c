//! The API for controllers in this process: no HTTP, no text where none is needed, but the same admission, validation
//! and storage as for everybody else.

use std::borrow::Cow;
use std::sync::Arc;

use deploy_cluster_schema::registry::GroupVersionKind;
use deploy_cluster_storage::{Entry, Event, EventKind, ReadError, Watch, WatchError};
use serde_json::{Value, json};

use crate::api::Api;
use crate::authorization::{Attributes, Authorizer as _, Decision, forbidden};
use crate::identity::UserInfo;
use crate::negotiate::PatchKind;
use crate::options::{DeleteOptions, FieldValidation, WriteOptions};
use crate::patching::Patch;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::verbs::{self, Call, Outcome, Strategy, parsed};
use crate::{identifiers, object};

/// A resource in a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// API group, empty for core.
    pub group: Cow<'static, str>,
    /// API version.
    pub version: Cow<'static, str>,
    /// `pods`
    pub plural: Cow<'static, str>,
}

impl ResourceId {
    /// A resource that is known when this is compiled.
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> ResourceId {
        ResourceId {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
        }
    }

    /// Any resource.
    pub fn of(group: &str, version: &str, plural: &str) -> ResourceId {
        ResourceId {
            group: Cow::Owned(group.to_owned()),
            version: Cow::Owned(version.to_owned()),
            plural: Cow::Owned(plural.to_owned()),
        }
    }
}

/// Acts as one user. Clones share everything.
#[derive(Clone)]
pub struct Client {
    api: Api,
    user: Arc<UserInfo>,
    manager: Arc<str>,
    /// Writes need a role that allows them.
    bound: bool,
}

/// What happened to an object that is watched.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is new.
    Added(Arc<Value>),
    /// It is now this, and was that.
    Modified(Arc<Value>, Arc<Value>),
    /// It is gone; its last state.
    Deleted(Arc<Value>),
}

/// The changes of one resource.
pub struct Changes {
    scope: Scope,
    watch: Watch,
}

/// A watch that cannot go on: list anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangesEnd {
    /// The reader was too slow.
    #[error("changes have been missed")]
    Missed,
    /// The server ends.
    #[error("the server ends")]
    Closed,
}

impl Client {
    /// A client that acts as `user` and writes as the field manager `manager`.
    pub fn new(api: &Api, user: UserInfo, manager: &str) -> Client {
        Client {
            api: api.clone(),
            user: Arc::new(user),
            manager: manager.into(),
            bound: false,
        }
    }

    /// The same, whose writes are refused unless the user's roles allow them, as they would be over a socket. What it
    /// reads is the process's own.
    #[must_use]
    pub fn bound(self) -> Client {
        Client { bound: true, ..self }
    }

    /// The resource whose objects say that they are this.
    pub fn resource_of(&self, api_version: &str, kind: &str) -> Option<ResourceId> {
        let registry = self.api.registry();
        let resource = registry.kind(&GroupVersionKind::parse(api_version, kind)?)?;
        Some(ResourceId::of(
            &resource.group,
            &resource.version,
            &resource.plural,
        ))
    }

    /// An object as it is now; its resourceVersion is inside. None also where the resource is not served.
    pub fn get(&self, resource: &ResourceId, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let scope = self.scope(resource).ok()?;
        let entry = self.api.store().get(&scope.key(namespace, name))?;
        Some(shown(&scope, &entry))
    }

    /// All objects as they are now, or those of a namespace, by namespace and name.
    pub fn list(&self, resource: &ResourceId, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.list_at(resource, namespace).0
    }

    /// A list, and the revision of its state, for [`Client::watch`].
    pub fn list_at(&self, resource: &ResourceId, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let store = self.api.store();
        let Ok(scope) = self.scope(resource) else {
            return (Vec::new(), store.revision());
        };
        match store.list(&scope.storage, namespace, None, None, None) {
            Ok(listing) => {
                let objects = listing.entries.iter().map(|entry| shown(&scope, entry));
                (objects.collect(), listing.revision)
            }
            Err(_) => (Vec::new(), store.revision()),
        }
    }

    /// The changes after a revision.
    ///
    /// # Errors
    /// [`ChangesEnd::Missed`] when that is too long ago.
    pub fn watch(&self, resource: &ResourceId, from: u64) -> Result<Changes, ChangesEnd> {
        let scope = self.scope(resource).map_err(|_| ChangesEnd::Missed)?;
        let watch = self
            .api
            .store()
            .watch(&scope.storage, None, from)
            .map_err(|error| match error {
                ReadError::Compacted { .. } | ReadError::Io { .. } => ChangesEnd::Missed,
            })?;
        Ok(Changes { scope, watch })
    }

    /// Creates an object; its namespace and name (or generateName) are those of its metadata.
    ///
    /// # Errors
    /// What a client would be told.
    pub async fn create(&self, resource: &ResourceId, mut new: Value) -> Result<Arc<Value>, StatusError> {
        let mut scope = self.scope(resource)?;
        place(&mut scope, object::namespace(&new), "");
        typed(&scope, &mut new);
        self.check(&scope, "create")?;
        let mut call = self.call(scope);
        let new = call.scope.to_stored(new);
        let created = verbs::create(&mut call, new).await?;
        Ok(self.answer(&call.scope, created))
    }

    /// Replaces an object; with a resourceVersion inside only that state of it.
    ///
    /// # Errors
    /// What a client would be told: `Conflict` where somebody else was faster.
    pub async fn update(&self, resource: &ResourceId, new: Value) -> Result<Arc<Value>, StatusError> {
        self.replace(resource, new, "").await
    }

    /// Replaces the status of an object.
    ///
    /// # Errors
    /// As [`Client::update`].
    pub async fn update_status(&self, resource: &ResourceId, new: Value) -> Result<Arc<Value>, StatusError> {
        self.replace(resource, new, "status").await
    }

    async fn replace(
        &self,
        resource: &ResourceId,
        mut new: Value,
        subresource: &str,
    ) -> Result<Arc<Value>, StatusError> {
        let mut scope = self.scope(resource)?;
        place(&mut scope, object::namespace(&new), object::name(&new));
        scope.enter(subresource)?;
        typed(&scope, &mut new);
        self.check(&scope, "update")?;
        let strategy = if subresource == "status" {
            Strategy::status(scope.rules)
        } else {
            Strategy::main(scope.rules, false)
        };
        let mut call = self.call(scope);
        let new = call.scope.to_stored(new);
        let changed = verbs::update(&mut call, new, strategy).await?;
        Ok(self.answer(&call.scope, changed.object))
    }

    /// Patches an object, or a subresource of it (empty for none).
    ///
    /// # Errors
    /// What a client would be told.
    pub async fn patch(
        &self,
        resource: &ResourceId,
        namespace: &str,
        name: &str,
        subresource: &str,
        kind: PatchKind,
        patch: Value,
    ) -> Result<Arc<Value>, StatusError> {
        let mut scope = self.scope(resource)?;
        place(&mut scope, namespace, name);
        scope.enter(subresource)?;
        self.check(&scope, "patch")?;
        let strategy = verbs::strategy(&scope).ok_or_else(StatusError::no_such_method)?;
        let body = serde_json::to_vec(&patch)
            .expect("values have no keys but strings")
            .into();
        let patch = Patch {
            kind,
            body,
            validation: FieldValidation::Ignore,
        };
        let mut call = self.call(scope);
        call.options.force = (kind == PatchKind::Apply).then_some(true);
        let changed = verbs::patch(&mut call, patch, strategy).await?;
        Ok(self.answer(&call.scope, changed.object))
    }

    /// Creates a subresource of an object, as `pods/binding`, `pods/eviction` and `serviceaccounts/token` are.
    ///
    /// # Errors
    /// What a client would be told.
    pub async fn create_subresource(
        &self,
        resource: &ResourceId,
        namespace: &str,
        name: &str,
        subresource: &str,
        object: Value,
    ) -> Result<Value, StatusError> {
        let mut scope = self.scope(resource)?;
        place(&mut scope, namespace, name);
        scope.enter(subresource)?;
        self.check(&scope, "create")?;
        let mut call = self.call(scope);
        let outcome = match subresource {
            "binding" => verbs::bind(&mut call, &object).await?,
            "eviction" => verbs::evict(&mut call, &object).await?,
            "token" => verbs::token(&mut call, object)?,
            _ => return Err(StatusError::no_such_method()),
        };
        Ok(match outcome {
            Outcome::Other { object, .. } => object,
            Outcome::Object { object, .. } => object.into_value(),
            Outcome::List { .. } => Value::Null,
        })
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// What a client would be told: `NotFound` where it is gone, `Conflict` where a precondition does not hold.
    pub async fn delete(
        &self,
        resource: &ResourceId,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), StatusError> {
        let mut scope = self.scope(resource)?;
        place(&mut scope, namespace, name);
        self.check(&scope, "delete")?;
        let mut call = self.call(scope);
        call.options.dry_run = options.dry_run;
        verbs::delete(&mut call, options).await.map(|_| ())
    }

    /// Tells people about an object: a new Event. `kind` is `Normal` or `Warning`. Counting equal events is the
    /// caller's business.
    ///
    /// # Errors
    /// What a client would be told.
    pub async fn event(
        &self,
        regarding: &Value,
        kind: &str,
        reason: &str,
        message: &str,
    ) -> Result<Arc<Value>, StatusError> {
        let now = identifiers::now();
        let namespace = Some(object::namespace(regarding))
            .filter(|n| !n.is_empty())
            .unwrap_or("default");
        let name = object::name(regarding);
        let stamp = identifiers::now_nanos();
        self.create(
            &ResourceId::new("", "v1", "events"),
            json!({
                "metadata": {"name": format!("{name}.{stamp:x}"), "namespace": namespace},
                "involvedObject": {
                    "apiVersion": regarding["apiVersion"],
                    "kind": regarding["kind"],
                    "name": name,
                    "namespace": object::namespace(regarding),
                    "uid": object::uid(regarding),
                    "resourceVersion": object::resource_version(regarding),
                },
                "type": kind,
                "reason": reason,
                "message": message,
                "source": {"component": &*self.manager},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "reportingComponent": &*self.manager,
                "reportingInstance": "",
            }),
        )
        .await
    }

    fn scope(&self, resource: &ResourceId) -> Result<Scope, StatusError> {
        let registry = self.api.registry();
        let found = registry.resource(&resource.group, &resource.version, &resource.plural);
        found
            .map(|found| Scope::new(&registry, found))
            .ok_or_else(StatusError::no_such_resource)
    }

    fn check(&self, scope: &Scope, verb: &str) -> Result<(), StatusError> {
        if !self.bound {
            return Ok(());
        }
        let wanted = Attributes {
            user: Some(&self.user),
            verb,
            group: &scope.resource.group,
            version: &scope.resource.version,
            resource: &scope.resource.plural,
            subresource: scope.subresource_name(),
            namespace: &scope.namespace,
            name: &scope.name,
            resource_request: true,
            path: "",
        };
        match self.api.inner.rbac.authorize(&wanted) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(reason) => Err(forbidden(&wanted, &reason)),
        }
    }

    fn call(&self, scope: Scope) -> Call<'_> {
        Call {
            api: &self.api.inner,
            scope,
            user: &self.user,
            options: WriteOptions {
                field_manager: self.manager.to_string(),
                ..WriteOptions::default()
            },
            manager: self.manager.to_string(),
            warnings: Vec::new(),
        }
    }

    fn answer(&self, scope: &Scope, object: verbs::Object) -> Arc<Value> {
        match object {
            verbs::Object::Stored(entry) => shown(scope, &entry),
            verbs::Object::Made(object) => served(scope, Arc::new(object)),
        }
    }
}

impl Changes {
    /// The next change.
    ///
    /// # Errors
    /// [`ChangesEnd::Missed`]: list anew and watch from there.
    pub async fn next(&mut self) -> Result<Change, ChangesEnd> {
        match self.watch.next().await {
            Ok(event) => Ok(self.change(&event)),
            Err(WatchError::Closed) => Err(ChangesEnd::Closed),
            Err(WatchError::Lagged { .. } | WatchError::Io { .. }) => Err(ChangesEnd::Missed),
        }
    }

    fn change(&self, event: &Event) -> Change {
        let object = shown(&self.scope, &event.entry);
        match &event.kind {
            EventKind::Put { previous: None } => Change::Added(object),
            EventKind::Put {
                previous: Some(previous),
            } => Change::Modified(object, shown(&self.scope, previous)),
            EventKind::Delete { .. } => Change::Deleted(object),
        }
    }
}

fn place(scope: &mut Scope, namespace: &str, name: &str) {
    if scope.resource.namespaced {
        namespace.clone_into(&mut scope.namespace);
    }
    name.clone_into(&mut scope.name);
}

/// The type, which objects of lists may lack, and the defaults.
fn typed(scope: &Scope, object: &mut Value) {
    object["kind"] = (*scope.served.kind).into();
    object["apiVersion"] = scope.served.api_version().into();
    (scope.served_rules.default)(object);
}

/// The object of an entry, in the version of the scope.
fn shown(scope: &Scope, entry: &Entry) -> Arc<Value> {
    if scope.is_custom() {
        scope.object(entry)
    } else {
        served(scope, parsed(entry))
    }
}

fn served(scope: &Scope, object: Arc<Value>) -> Arc<Value> {
    if scope.is_stored_form() {
        object
    } else {
        Arc::new(scope.to_served((*object).clone()))
    }
}
