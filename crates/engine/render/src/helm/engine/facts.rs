//! What `lookup` finds: objects that the caller knows of. Without any, it finds nothing, as helm without a cluster.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

/// Which object is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactKey {
    /// `v1`, `apps/v1`
    pub api_version: String,
    /// `Secret`
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

/// Objects by what they are. Cloning does not copy them.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    objects: Rc<BTreeMap<FactKey, Value>>,
}

impl Facts {
    /// These objects; what has no `apiVersion`, `kind` or name is left out.
    pub fn new(objects: impl IntoIterator<Item = Value>) -> Facts {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let keyed = objects.into_iter().filter_map(|object| {
            let metadata = object.get("metadata");
            let key = FactKey {
                api_version: text(object.get("apiVersion")),
                kind: text(object.get("kind")),
                namespace: text(metadata.and_then(|m| m.get("namespace"))),
                name: text(metadata.and_then(|m| m.get("name"))),
            };
            let whole = !key.api_version.is_empty() && !key.kind.is_empty() && !key.name.is_empty();
            whole.then_some((key, object))
        });
        Facts {
            objects: Rc::new(keyed.collect()),
        }
    }

    /// The object of that key; without a name, a list of all, in all namespaces or one. Nothing found is an empty map.
    pub fn look_up(&self, key: &FactKey) -> Value {
        if self.objects.is_empty() {
            return Value::Object(Map::new());
        }
        if !key.name.is_empty() {
            return self
                .objects
                .get(key)
                .cloned()
                .unwrap_or_else(|| Value::Object(Map::new()));
        }
        let items: Vec<Value> = self
            .objects
            .iter()
            .filter(|(found, _)| {
                found.api_version == key.api_version
                    && found.kind == key.kind
                    && (key.namespace.is_empty() || found.namespace == key.namespace)
            })
            .map(|(_, object)| object.clone())
            .collect();
        let mut list = Map::new();
        list.insert("apiVersion".to_owned(), Value::String(key.api_version.clone()));
        list.insert("items".to_owned(), Value::Array(items));
        list.insert("kind".to_owned(), Value::String(format!("{}List", key.kind)));
        list.insert("metadata".to_owned(), Value::Object(Map::new()));
        Value::Object(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(namespace: &str, name: &str) -> FactKey {
        FactKey {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn finds_one_or_lists_all() {
        let secret = |namespace: &str, name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}});
        let facts = Facts::new([
            secret("a", "x"),
            secret("b", "x"),
            secret("b", "y"),
            json!({"kind": "Secret"}),
        ]);
        assert_eq!(facts.look_up(&key("b", "x")), secret("b", "x"));
        assert_eq!(facts.look_up(&key("c", "x")), json!({}));
        assert_eq!(
            facts.look_up(&key("b", ""))["items"].as_array().map(Vec::len),
            Some(2)
        );
        assert_eq!(
            facts.look_up(&key("", ""))["items"].as_array().map(Vec::len),
            Some(3)
        );
        assert_eq!(Facts::default().look_up(&key("", "")), json!({}));
    }
}
