//! Whether he may: RBAC and access reviews.

use crate::identity::UserInfo;

/// What somebody wants to do, as authorizers see it (`apiserver/pkg/authorization/authorizer.Attributes`).
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a> {
    /// Who.
    pub user: Option<&'a UserInfo>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; lower-case HTTP method for paths.
    pub verb: &'a str,
    /// API group, empty for core.
    pub group: &'a str,
    /// API version.
    pub version: &'a str,
    /// `pods`
    pub resource: &'a str,
    /// `status`, empty for none.
    pub subresource: &'a str,
    /// Empty for cluster-scoped objects and for all namespaces.
    pub namespace: &'a str,
    /// Empty where the request names no object.
    pub name: &'a str,
    /// False for `/healthz`, `/version` ...
    pub resource_request: bool,
    /// The path of a request that is for no resource.
    pub path: &'a str,
}

/// What an authorizer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and why.
    Allow(String),
    /// Nobody said yes; why, where something is to be said.
    NoOpinion(String),
}
