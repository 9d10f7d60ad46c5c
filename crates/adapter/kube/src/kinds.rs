//! The kinds that a cluster serves, from its aggregated discovery.

use std::collections::BTreeMap;

use deploy_sync::Key;
use serde_json::Value;

use crate::cluster::escaped;

/// One version of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `v1`.
    pub version: String,
    /// As in paths: `deployments`.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

/// All kinds, by group and kind; the preferred version first.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    served: BTreeMap<(String, String), Vec<Served>>,
}

impl Kinds {
    /// Reads the lists of `/api` and `/apis`.
    pub(crate) fn of<'a>(lists: impl IntoIterator<Item = &'a Value>) -> Kinds {
        let mut kinds = Kinds::default();
        for list in lists {
            for group in list["items"].as_array().into_iter().flatten() {
                kinds.add_group(group);
            }
        }
        kinds
    }

    fn add_group(&mut self, group: &Value) {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            for resource in version["resources"].as_array().into_iter().flatten() {
                let texts = (
                    version["version"].as_str(),
                    resource["resource"].as_str(),
                    resource["responseKind"]["kind"].as_str(),
                );
                let (Some(version), Some(plural), Some(kind)) = texts else {
                    continue;
                };
                let served = Served {
                    version: version.to_owned(),
                    plural: plural.to_owned(),
                    is_namespaced: resource["scope"] == "Namespaced",
                };
                let key = (name.to_owned(), kind.to_owned());
                self.served.entry(key).or_default().push(served);
            }
        }
    }

    /// The preferred version of a kind.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Served> {
        self.all(group, kind).first()
    }

    /// This version of a kind.
    pub fn version(&self, group: &str, kind: &str, version: &str) -> Option<&Served> {
        self.all(group, kind)
            .iter()
            .find(|served| served.version == version)
    }

    fn all(&self, group: &str, kind: &str) -> &[Served] {
        let key = (group.to_owned(), kind.to_owned());
        self.served.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl Served {
    /// The path of the objects of a group in a namespace, or in all where it is empty.
    pub(crate) fn list_path(&self, group: &str, namespace: &str) -> String {
        let root = match group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match namespace {
            namespace if self.is_namespaced && !namespace.is_empty() => {
                format!("{root}/namespaces/{}/{}", escaped(namespace), self.plural)
            }
            _ => format!("{root}/{}", self.plural),
        }
    }

    pub(crate) fn path(&self, key: &Key) -> String {
        format!(
            "{}/{}",
            self.list_path(&key.group, &key.namespace),
            escaped(&key.name)
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_has_its_paths() {
        let list = json!({"items": [
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [{"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced"}]},
                {"version": "v1beta1", "resources": [{"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced"}]},
            ]},
            {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [
                {"resource": "namespaces", "responseKind": {"kind": "Namespace"}, "scope": "Cluster"}, {"resource": "broken"}]}]},
        ]});
        let kinds = Kinds::of([&list]);
        let served = kinds.preferred("apps", "Deployment").expect("it is served");
        assert_eq!(
            served.list_path("apps", "prod-us"),
            "/apis/apps/v1/namespaces/prod-us/deployments"
        );
        assert_eq!(served.list_path("apps", ""), "/apis/apps/v1/deployments");
        assert!(kinds.version("apps", "Deployment", "v1beta1").is_some());
        assert!(kinds.version("apps", "Deployment", "v2").is_none());
        let key = Key {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: String::new(),
            name: "prod-us".to_owned(),
        };
        let served = kinds.preferred("", "Namespace").expect("it is served");
        assert_eq!(served.path(&key), "/api/v1/namespaces/prod-us");
    }
}
