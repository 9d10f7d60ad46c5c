//! Whether he may: RBAC and access reviews.
//!
//! - [`rules`]: one rule: what it allows, what it covers, how upstream prints it.
//! - [`rbac`]: roles and bindings, indexed by subject and kept up to date by events; the [`Authorizer`] of the server.
//! - [`escalation`]: nobody grants what he does not have.
//! - [`aggregation`]: cluster roles that are made of others.
//! - [`reviews`]: SubjectAccessReview and its kin.
//! - [`bootstrap`]: the roles and bindings that every cluster has.

use serde_json::json;

use crate::identity::UserInfo;
use crate::status::{About, StatusError};

pub mod aggregation;
pub mod bootstrap;
pub mod escalation;
pub mod rbac;
pub mod reviews;
pub mod rules;

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

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

impl Decision {
    /// Whether the answer is yes.
    pub fn allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// Decides who may do what. What nobody allows is forbidden.
pub trait Authorizer: Send + Sync {
    /// The answer, from memory.
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision;
}

/// The answer to somebody who may not (`endpoints/handlers/responsewriters.ForbiddenStatusError`).
pub fn forbidden(attributes: &Attributes<'_>, reason: &str) -> StatusError {
    let mut why = message(attributes)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    if !reason.is_empty() {
        why.push_str(": ");
        why.push_str(reason);
    }
    if !attributes.resource_request {
        let mut error = StatusError::new(403, "Forbidden", format!("forbidden: {why}"));
        error.details = json!({});
        return error;
    }
    StatusError::forbidden(
        About::new(attributes.group, attributes.resource),
        attributes.name,
        &why,
    )
}

fn message(attributes: &Attributes<'_>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let user = quoted(attributes.user.map_or("", |user| &user.name));
    let verb = attributes.verb;
    if !attributes.resource_request {
        return format!("User {user} cannot {verb} path {}", quoted(attributes.path));
    }
    let resource = if attributes.subresource.is_empty() {
        attributes.resource.to_owned()
    } else {
        format!("{}/{}", attributes.resource, attributes.subresource)
    };
    let place = if attributes.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {}", quoted(attributes.namespace))
    };
    let (resource, group) = (quoted(&resource), quoted(attributes.group));
    format!("User {user} cannot {verb} resource {resource} in API group {group} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_upstream() {
        let alice = UserInfo::named("alice", &[]);
        let base = Attributes {
            user: Some(&alice),
            verb: "get",
            resource: "pods",
            resource_request: true,
            ..Attributes::default()
        };
        // Recorded from kube-apiserver 1.34.2.
        let cases = [
            (
                Attributes {
                    verb: "list",
                    resource: "configmaps",
                    namespace: "default",
                    ..base.clone()
                },
                "configmaps is forbidden: User \"alice\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"",
            ),
            (
                Attributes {
                    name: "x",
                    subresource: "log",
                    namespace: "kube-system",
                    ..base.clone()
                },
                "pods \"x\" is forbidden: User \"alice\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"kube-system\"",
            ),
            (
                Attributes {
                    verb: "list",
                    resource: "foos",
                    group: "nope.io",
                    ..base.clone()
                },
                "foos.nope.io is forbidden: User \"alice\" cannot list resource \"foos\" in API group \"nope.io\" at the cluster scope",
            ),
            (
                Attributes {
                    resource_request: false,
                    path: "/metrics",
                    ..base.clone()
                },
                "forbidden: User \"alice\" cannot get path \"/metrics\"",
            ),
            (
                Attributes {
                    resource_request: false,
                    path: "/<b>",
                    ..base
                },
                "forbidden: User \"alice\" cannot get path \"/&lt;b&gt;\"",
            ),
        ];
        for (attributes, expected) in cases {
            assert_eq!(forbidden(&attributes, "").message, expected);
        }
    }
}
