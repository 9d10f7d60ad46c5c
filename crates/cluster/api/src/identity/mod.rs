//! Who asks: certificates, tokens, impersonation.
//!
//! - [`authority`]: the cluster's own certificate authority, the server's certificate, clients' certificates, TLS.
//! - [`kubeconfig`]: the file that lets the administrator's kubectl in.
//! - [`certificate`]: a client certificate becomes a user.
//! - [`jwt`] and [`accounts`]: tokens of service accounts, signed, and checked against the live objects.
//! - [`authenticator`]: a request becomes a user, or nobody.
//! - [`impersonation`]: a user acts as another.
//! - [`reviews`]: TokenRequest, TokenReview, SelfSubjectReview. [`oidc`]: what others need to check our tokens.
//!
//! Times are passed in, as seconds since 1970.

use std::collections::BTreeMap;

pub mod accounts;
pub mod authenticator;
pub mod authority;
pub mod certificate;
pub mod files;
pub mod impersonation;
pub mod jwt;
pub mod kubeconfig;
pub mod oidc;
pub mod reviews;

/// The group of everybody who was recognised.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody else.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The name of everybody else.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
/// The server's own name when it writes its first objects.
pub const API_SERVER: &str = "system:apiserver";
/// Names the certificate or token that a user came with, in [`UserInfo::extra`].
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Who asks, once that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// `system:serviceaccount:default:builder`
    pub name: String,
    /// Empty where the user has none.
    pub uid: String,
    /// With `system:authenticated` or `system:unauthenticated`.
    pub groups: Vec<String>,
    /// What the authenticator knows besides.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// Somebody who did not say who he is.
    pub fn anonymous() -> UserInfo {
        UserInfo {
            name: ANONYMOUS.to_owned(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            ..UserInfo::default()
        }
    }

    /// The server itself, who may do everything.
    pub fn api_server() -> UserInfo {
        UserInfo {
            name: API_SERVER.to_owned(),
            groups: vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()],
            ..UserInfo::default()
        }
    }

    /// A user of this name, in these groups and in `system:authenticated`.
    pub fn named(name: &str, groups: &[&str]) -> UserInfo {
        let mut user = UserInfo {
            name: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            ..UserInfo::default()
        };
        user.recognised();
        user
    }

    /// The kubelet of a node.
    pub fn node(name: &str) -> UserInfo {
        UserInfo::named(&format!("system:node:{name}"), &["system:nodes"])
    }

    /// A service account, without the token that names its pod.
    pub fn account(namespace: &str, name: &str) -> UserInfo {
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        UserInfo::named(
            &format!("system:serviceaccount:{namespace}:{name}"),
            &["system:serviceaccounts", &of_namespace],
        )
    }

    /// Adds `system:authenticated` unless it is there.
    pub(crate) fn recognised(&mut self) {
        if !self.is_in(AUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
    }

    /// Whether he is in this group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }

    /// The service account that this user is: namespace and name.
    pub fn service_account(&self) -> Option<(&str, &str)> {
        accounts::split_username(&self.name)
    }
}
