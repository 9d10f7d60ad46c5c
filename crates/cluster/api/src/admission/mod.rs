//! What the cluster adds to objects and refuses beyond validation.
//!
//! [`Chain`] is upstream's chain of admission plugins that are on by default, in its order, one file each. First every
//! plugin may change the object ([`Chain::admit`]), then, when nothing changes any more, every plugin says yes or no
//! ([`Chain::validate`]); the quota comes last, because it is charged.
//!
//! Not here yet: webhooks, ValidatingAdmissionPolicy, PodSecurity, the checks of certificate requests.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::authorization::escalation;
use crate::authorization::rbac::Rbac;
use crate::identity::UserInfo;
use crate::status::{About, StatusError};
use world::World;

pub mod bootstrap;
mod classes;
mod limit_ranger;
mod namespaces;
mod nodes;
pub mod objects;
pub mod pod_resources;
mod priority;
pub mod quota;
mod runtime_class;
mod service_account;
mod storage;
mod tolerations;
pub mod world;

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an object.
    Update,
    /// The end of an object.
    Delete,
    /// A connection to an object.
    Connect,
}

/// One write on its way through admission (`apiserver/pkg/admission.Attributes`).
pub struct AdmissionRequest<'a> {
    /// What is done.
    pub operation: Operation,
    /// Group of the resource, empty for core.
    pub group: &'a str,
    /// Version that the request names.
    pub version: &'a str,
    /// `pods`
    pub resource: &'a str,
    /// `status`, empty for none.
    pub subresource: &'a str,
    /// Kind of the object, `Pod`.
    pub kind: &'a str,
    /// Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Empty for a create with generateName.
    pub name: &'a str,
    /// The new object; null for a deletion. Objects are in the version that is stored.
    pub object: &'a mut Value,
    /// The object before; absent for a create.
    pub old_object: Option<&'a Value>,
    /// Who asks.
    pub user: &'a UserInfo,
    /// Nothing is to be kept.
    pub dry_run: bool,
    /// CreateOptions, UpdateOptions or DeleteOptions.
    pub options: &'a Value,
    /// Warnings for the client, one header each.
    pub warnings: Vec<String>,
}

impl AdmissionRequest<'_> {
    /// Whether it is about an object of this resource itself, not about a subresource. `qualified` is `pods` or
    /// `ingresses.networking.k8s.io`.
    fn is(&self, qualified: &str) -> bool {
        let (resource, group) = qualified.split_once('.').unwrap_or((qualified, ""));
        self.subresource.is_empty() && self.resource == resource && self.group == group
    }

    fn creates(&self, qualified: &str) -> bool {
        self.operation == Operation::Create && self.is(qualified)
    }

    /// The refusal of a plugin (`admission.NewForbidden`): a name may be missing, or be generated later.
    fn forbidden(&self, why: &str) -> StatusError {
        let metadata = &self.object["metadata"];
        let candidates = [
            self.name,
            text(&metadata["name"]),
            text(&metadata["generateName"]),
            "Unknown",
        ];
        let name = candidates
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        StatusError::forbidden(About::new(self.group, self.resource), name, why)
    }
}

/// Which parts of the chain can be left out, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pods need a service account, which mounts a token.
    pub service_accounts: bool,
    /// How long the first pod of a namespace waits for its `default` service account, which a controller makes. Zero
    /// where no controllers run.
    pub default_account_patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            service_accounts: true,
            // Upstream tries ten times, every 100 to 200 ms.
            default_account_patience: Duration::from_millis(1500),
        }
    }
}

/// The plugins.
pub struct Chain {
    world: Arc<dyn World>,
    rbac: Arc<Rbac>,
    options: Options,
}

impl Chain {
    /// A chain over what there is.
    pub fn new(world: Arc<dyn World>, rbac: Arc<Rbac>, options: Options) -> Chain {
        Chain { world, rbac, options }
    }

    /// The part that may change the object.
    pub async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
        let objects = self.world.objects();
        namespaces::admit(objects, request)?;
        limit_ranger::admit(objects, request);
        if self.options.service_accounts {
            service_account::admit(&*self.world, self.options.default_account_patience, request).await?;
        }
        nodes::admit(request);
        priority::admit(objects, request)?;
        tolerations::admit(request);
        storage::admit(objects, request);
        runtime_class::admit(objects, request)?;
        classes::admit_ingress(objects, request);
        self.check_escalation(request)
    }

    /// The part that says yes or no. A yes of the quota is charged, unless nothing is to be kept.
    pub async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
        let objects = self.world.objects();
        limit_ranger::validate(objects, request)?;
        if self.options.service_accounts {
            service_account::validate(objects, request)?;
        }
        priority::validate(objects, request)?;
        storage::validate(objects, request)?;
        runtime_class::validate(objects, request)?;
        quota::charge(&*self.world, request).await
    }

    /// Upstream has this in the registry of roles, between the two parts.
    fn check_escalation(&self, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
        let writes = matches!(request.operation, Operation::Create | Operation::Update);
        if request.group != crate::authorization::GROUP || !writes || !request.subresource.is_empty() {
            return Ok(());
        }
        let grant = escalation::Grant {
            resource: request.resource,
            namespace: request.namespace,
            name: request.name,
            object: request.object,
            old_object: request.old_object,
        };
        escalation::check(&self.rbac, request.user, &grant)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list, none where there is no list.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A list to write to; made where it is missing.
fn list_mut<'a>(object: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    if !object.is_object() {
        *object = Value::Object(serde_json::Map::new());
    }
    if !object[field].is_array() {
        object[field] = Value::Array(Vec::new());
    }
    object[field].as_array_mut().expect("it is a list by now")
}

/// `[a, b]` of several complaints, one alone as it is.
fn together(complaints: Vec<String>) -> Option<String> {
    (!complaints.is_empty()).then(|| crate::status::aggregate(complaints.into_iter()))
}

#[cfg(test)]
mod tests;
