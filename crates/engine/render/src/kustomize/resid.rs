//! What identifies a resource: group, version, kind, name, namespace.

use std::fmt;

/// The namespace of an object that names none.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
/// What stands for the namespace of a cluster-scoped object where ids are compared and stored.
pub(super) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// Group, version, kind. As a selector, an empty part selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl Gvk {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether `selector` selects this type.
    pub(crate) fn is_selected_by(&self, selector: &Gvk) -> bool {
        selector.selects(&self.group, &self.version, &self.kind)
    }

    /// Whether this selects a type of these parts.
    pub(crate) fn selects(&self, group: &str, version: &str, kind: &str) -> bool {
        let part = |selector: &str, own: &str| selector.is_empty() || selector == own;
        part(&self.group, group) && part(&self.version, version) && part(&self.kind, kind)
    }
}

/// `group/version` into its parts; the core group has no slash.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |part: &'_ str, none: &'static str| -> String {
            if part.is_empty() {
                none.to_owned()
            } else {
                part.to_owned()
            }
        };
        let kind = or(&self.kind, "[noKind]");
        let version = or(&self.version, "[noVer]");
        let group = or(&self.group, "[noGrp]");
        write!(f, "{kind}.{version}.{group}")
    }
}

/// The id of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResId {
    pub(crate) gvk: Gvk,
    pub(crate) name: String,
    /// As written; empty where none is.
    pub(crate) namespace: String,
    /// Known to live outside namespaces.
    pub(crate) cluster_scoped: bool,
}

impl ResId {
    pub(crate) fn effective_namespace(&self) -> &str {
        if self.cluster_scoped {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    /// Equal in kustomize's sense: no namespace and `default` are the same.
    pub(crate) fn same(&self, other: &ResId) -> bool {
        self.same_gvkn(other) && self.effective_namespace() == other.effective_namespace()
    }

    pub(crate) fn same_gvkn(&self, other: &ResId) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    /// Whether a selector of exact parts selects this id; empty parts select everything.
    pub(crate) fn is_selected_by(&self, selector: &ResId) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.effective_namespace() == self.effective_namespace())
            && self.gvk.is_selected_by(&selector.gvk)
    }
}

impl fmt::Display for ResId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "[noName]"
        } else {
            &self.name
        };
        let namespace = if self.namespace.is_empty() {
            "[noNs]"
        } else {
            &self.namespace
        };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}
