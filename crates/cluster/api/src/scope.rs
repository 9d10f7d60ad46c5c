//! What a request is about, once the registry and the kind's rules are known.

use std::sync::Arc;

use deploy_cluster_kinds::rules::{self, Rules};
use deploy_cluster_schema::decode;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry, Resource, Subresource};
use deploy_cluster_storage::{Encoded, Entry, Key};
use serde_json::Value;

use crate::convert::convert;
use crate::info::RequestInfo;
use crate::status::{About, StatusError};
use crate::verbs::parsed;
use crate::{custom, encode};

/// A resource in the version that the request names, and the form in which its objects are stored.
#[derive(Clone)]
pub struct Scope {
    /// The registry as it was when the request came.
    pub registry: Arc<Registry>,
    /// The resource.
    pub resource: Arc<Resource>,
    /// The subresource, where the request names one.
    pub subresource: Option<Subresource>,
    /// The kind of its objects in the version that the request names.
    pub served: GroupVersionKind,
    /// The kind of its objects as stored.
    pub stored: GroupVersionKind,
    /// Where they are stored, `apps/deployments`.
    pub storage: Arc<str>,
    /// What the served kind does.
    pub served_rules: &'static Rules,
    /// What the stored kind does.
    pub rules: &'static Rules,
    /// Empty for cluster-scoped objects and all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
}

impl Scope {
    /// Finds the resource that a path names; none where this version of the group is not served, which is another
    /// answer than a resource that the version does not have.
    pub fn resolve(registry: &Arc<Registry>, info: &RequestInfo) -> Option<Scope> {
        let resource = registry.resource(&info.group, &info.version, &info.resource)?;
        let subresource = match info.subresource.as_str() {
            "" => None,
            name => Some(resource.subresource(name)?.clone()),
        };
        let mut scope = Scope::new(registry, resource);
        scope.subresource = subresource;
        if scope.resource.namespaced {
            scope.namespace.clone_from(&info.namespace);
        }
        scope.name.clone_from(&info.name);
        Some(scope)
    }

    /// A resource without an object.
    pub fn new(registry: &Arc<Registry>, resource: &Arc<Resource>) -> Scope {
        let served = resource.gvk();
        // Custom objects are handled in the version of the request, and converted when they are stored.
        let stored = match &resource.custom {
            Some(_) => served.clone(),
            None => resource.stored_as.clone(),
        };
        let home = registry.stored(resource);
        Scope {
            registry: registry.clone(),
            resource: resource.clone(),
            subresource: None,
            served_rules: rules_of(resource, &served),
            rules: rules_of(resource, &stored),
            served,
            stored,
            storage: format!("{}/{}", home.group, home.plural).into(),
            namespace: String::new(),
            name: String::new(),
        }
    }

    /// Names a subresource, empty for none.
    pub fn enter(&mut self, subresource: &str) -> Result<(), StatusError> {
        self.subresource = match subresource {
            "" => None,
            name => Some(
                self.resource
                    .subresource(name)
                    .ok_or_else(StatusError::no_such_resource)?
                    .clone(),
            ),
        };
        Ok(())
    }

    /// An object of another resource in the same namespace.
    pub fn sibling(
        &self,
        group: &str,
        version: &str,
        plural: &str,
        name: &str,
    ) -> Result<Scope, StatusError> {
        let found = self
            .registry
            .resource(group, version, plural)
            .ok_or_else(StatusError::no_such_resource)?;
        let mut scope = Scope::new(&self.registry, found);
        scope.namespace.clone_from(&self.namespace);
        name.clone_into(&mut scope.name);
        Ok(scope)
    }

    /// Group and plural, as most errors name the object.
    pub fn about(&self) -> About<'_> {
        About::new(&self.resource.group, &self.resource.plural)
    }

    /// Group and kind, as validation names the object.
    pub fn about_kind(&self) -> About<'_> {
        About::new(&self.stored.group, &self.stored.kind)
    }

    /// Whether its objects are those of another group, shown with other names (`events.k8s.io`).
    pub fn is_view(&self) -> bool {
        self.served.group != self.stored.group
    }

    /// 404 for the object of the request.
    pub fn not_found(&self) -> StatusError {
        StatusError::not_found(self.about(), &self.name)
    }

    /// Where an object is stored.
    pub fn key(&self, namespace: &str, name: &str) -> Key {
        Key::new(self.storage.clone(), namespace, name)
    }

    /// The name of the subresource, empty for none.
    pub fn subresource_name(&self) -> &str {
        self.subresource
            .as_ref()
            .map_or("", |subresource| &subresource.name)
    }

    /// Whether clients see what is stored, byte for byte.
    pub fn is_stored_form(&self) -> bool {
        self.served == self.stored
    }

    /// A client's object in the form in which it is stored.
    pub fn to_stored(&self, object: Value) -> Value {
        if self.is_stored_form() {
            object
        } else {
            convert(&self.registry, object, &self.served, &self.stored)
        }
    }

    /// A stored object in the version of the request.
    pub fn to_served(&self, object: Value) -> Value {
        if let Some(custom) = &self.resource.custom {
            custom::to_version(&self.registry, custom, object)
        } else if self.is_stored_form() {
            object
        } else {
            convert(&self.registry, object, &self.stored, &self.served)
        }
    }

    /// Whether clients see the text of an entry, byte for byte.
    pub fn shows(&self, entry: &Entry) -> bool {
        match &self.resource.custom {
            Some(custom) => custom::is_current(custom, entry),
            None => self.is_stored_form(),
        }
    }

    /// The object of an entry, in the form in which it is handled.
    pub fn object(&self, entry: &Entry) -> Arc<Value> {
        let object = parsed(entry);
        match &self.resource.custom {
            Some(custom) if !custom::is_current(custom, entry) => {
                Arc::new(custom::to_version(&self.registry, custom, (*object).clone()))
            }
            _ => object,
        }
    }

    /// The text of an object for the store.
    pub fn encode(&self, object: &Value) -> Encoded {
        let storage = self.registry.kind(&self.resource.stored_as);
        match (
            &self.resource.custom,
            storage.and_then(|storage| storage.custom.as_ref()),
        ) {
            (Some(own), Some(storage)) if own.version != storage.version => {
                encode::object(&custom::to_version(&self.registry, storage, object.clone()))
            }
            (Some(own), None) => {
                // The stored version is not served; its schema is not at hand.
                let mut object = object.clone();
                object["apiVersion"] = format!("{}/{}", own.group, own.storage_version).into();
                encode::object(&object)
            }
            _ => encode::object(object),
        }
    }

    /// Makes a stored object look as Go would write it, whoever has changed it since it was decoded.
    pub fn tidy(&self, object: &mut Value) {
        if self.is_custom() {
            return;
        }
        if let Some((schema, id)) = self.registry.types(&self.stored) {
            // What does not fit its type was refused by validation, or is a mistake that the next reader shows.
            let _ = decode::normalise(schema, id, object);
        }
    }

    /// Custom resources differ in small ways.
    pub fn is_custom(&self) -> bool {
        self.resource.custom.is_some()
    }
}

/// Definitions of custom resources are judged by their schemas, which the crate of the kinds does not know.
fn rules_of(resource: &Resource, kind: &GroupVersionKind) -> &'static Rules {
    if resource.custom.is_some() {
        return &custom::OBJECT_RULES;
    }
    match (&*kind.group, &*kind.kind) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => &custom::RULES,
        _ => rules::find(&kind.group, &kind.version, &kind.kind),
    }
}
