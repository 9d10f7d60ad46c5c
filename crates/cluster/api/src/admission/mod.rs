//! What the cluster adds to objects and refuses beyond validation.

use serde_json::Value;

use crate::identity::UserInfo;

pub mod objects;

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
