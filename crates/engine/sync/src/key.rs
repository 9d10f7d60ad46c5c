//! What names an object in a cluster.

use std::fmt;

use serde_json::Value;

/// Group, kind, namespace and name. The version is no part of it: one object is served in several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Empty for the core group.
    pub group: String,
    /// In its singular: `Deployment`.
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Its `metadata.name`.
    pub name: String,
}

impl Key {
    /// The key of an object; its namespace is what it says, so give objects their namespace before.
    pub fn of(object: &Value) -> Key {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = object["apiVersion"].as_str().unwrap_or_default();
        Key {
            group: version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        }
    }
}

/// `Deployment.apps prod-us/shop`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_reads_as_people_say_it() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "prod-us"}});
        assert_eq!(Key::of(&object).to_string(), "Deployment.apps prod-us/shop");
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod-us"}});
        assert_eq!(Key::of(&object).to_string(), "Namespace prod-us");
    }
}
