//! Who asks: certificates, tokens, impersonation.

use std::collections::BTreeMap;

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
