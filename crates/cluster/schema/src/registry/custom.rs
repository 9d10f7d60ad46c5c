//! Custom resources in the registry: one version of one definition, as a resource and as types.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Group, GroupVersionKind, Resource, Subresource};
use crate::structural::{self, Structural};
use crate::types::{Schema, TypeId};

/// One served version of a custom resource definition, made ready for serving.
#[derive(Debug)]
pub struct CustomResource {
    /// The group.
    pub group: Arc<str>,
    /// This version.
    pub version: Arc<str>,
    /// The version in which objects are stored.
    pub storage_version: Arc<str>,
    /// The accepted plural name.
    pub plural: Arc<str>,
    /// The accepted singular name.
    pub singular: Arc<str>,
    /// The accepted kind.
    pub kind: Arc<str>,
    /// The accepted kind of lists.
    pub list_kind: Arc<str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Other names for people.
    pub short_names: Vec<Arc<str>>,
    /// Groups of resources for people.
    pub categories: Vec<Arc<str>>,
    /// `status` is a subresource.
    pub status: bool,
    /// `scale` is a subresource.
    pub scale: Option<ScalePaths>,
    /// The definition as it was stored, without the schemas of its versions, for whatever else the server needs of it
    /// (printer columns, selectable fields).
    pub definition: Arc<Value>,
    /// `openAPIV3Schema` as text: a tree of it would be ten times its size, and most are never asked for.
    schema_text: Option<Box<str>>,
    structural: OnceLock<Option<Structural>>,
    types: OnceLock<(Schema, TypeId, TypeId)>,
}

/// Where an object of a custom resource keeps what `scale` shows, as the definition says it (`.spec.replicas`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// The wanted number.
    pub spec_replicas: Arc<str>,
    /// The number that is.
    pub status_replicas: Arc<str>,
    /// The label selector as text.
    pub label_selector: Option<Arc<str>>,
}

/// The verbs of a custom resource in the order of its discovery
/// (`apiextensions-apiserver/pkg/apiserver/customresource_discovery_controller.go`).
const VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

impl CustomResource {
    /// The served versions of a definition (`CustomResourceDefinition`), with the names that were accepted, or, before any
    /// were, those that it asks for. What the definition lacks is empty: it was validated before.
    pub fn of_definition(definition: &Value) -> Vec<Arc<CustomResource>> {
        let without_schemas = Arc::new(without_schemas(definition));
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        let storage = versions.clone().find(|version| version["storage"] == true);
        let storage = storage.map_or("".into(), |version| text(&version["name"]));
        versions
            .filter(|version| version["served"] == true)
            .map(|version| Arc::new(CustomResource::of_version(&without_schemas, version, &storage)))
            .collect()
    }

    fn of_version(definition: &Arc<Value>, version: &Value, storage: &Arc<str>) -> CustomResource {
        let spec = &definition["spec"];
        let accepted = &definition["status"]["acceptedNames"];
        let names = match accepted["plural"].as_str() {
            None | Some("") => &spec["names"],
            Some(_) => accepted,
        };
        let kind = text(&names["kind"]);
        let list_kind = match names["listKind"].as_str() {
            None | Some("") => format!("{kind}List").into(),
            Some(list_kind) => list_kind.into(),
        };
        let subresources = &version["subresources"];
        let schema = version["schema"]
            .get("openAPIV3Schema")
            .filter(|schema| schema.is_object());
        CustomResource {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            storage_version: Arc::clone(storage),
            plural: text(&names["plural"]),
            singular: match names["singular"].as_str() {
                None | Some("") => kind.to_lowercase().into(),
                Some(singular) => singular.into(),
            },
            kind,
            list_kind,
            namespaced: spec["scope"] == "Namespaced",
            short_names: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            status: subresources["status"].is_object(),
            scale: ScalePaths::read(&subresources["scale"]),
            definition: Arc::clone(definition),
            schema_text: schema.map(|schema| schema.to_string().into()),
            structural: OnceLock::new(),
            types: OnceLock::new(),
        }
    }

    /// `openAPIV3Schema` as it was written; none where the version has no schema.
    pub fn open_api(&self) -> Option<Value> {
        let text = self.schema_text.as_deref()?;
        Some(serde_json::from_str(text).expect("it was written from a value"))
    }

    /// The schema of the version; without one everything is kept. It is made ready when it is first asked for.
    pub fn structural(&self) -> Option<&Structural> {
        let made = self
            .structural
            .get_or_init(|| self.open_api().map(|schema| Structural::parse(&schema)));
        made.as_ref()
    }

    /// The types, and where in them are that of an object and that of a list. They are made when they are first asked for.
    pub fn types(&self) -> (&Schema, TypeId, TypeId) {
        let (schema, object, list) = self.types.get_or_init(|| structural::types(self.structural()));
        (schema, *object, *list)
    }

    /// The resource that it adds.
    pub(super) fn resource(self: &Arc<CustomResource>) -> Resource {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).into()).collect::<Vec<Arc<str>>>();
        let own = GroupVersionKind {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: self.kind.clone(),
        };
        let stored_as = GroupVersionKind {
            version: self.storage_version.clone(),
            ..own.clone()
        };
        let mut subresources = Vec::new();
        if self.status {
            subresources.push(Subresource {
                name: "status".into(),
                kind: own,
                verbs: texts(&["get", "patch", "update"]),
            });
        }
        if self.scale.is_some() {
            subresources.push(Subresource {
                name: "scale".into(),
                kind: GroupVersionKind::new("autoscaling", "v1", "Scale"),
                verbs: texts(&["get", "patch", "update"]),
            });
        }
        Resource {
            group: self.group.clone(),
            version: self.version.clone(),
            plural: self.plural.clone(),
            singular: self.singular.clone(),
            kind: self.kind.clone(),
            list_kind: self.list_kind.clone(),
            namespaced: self.namespaced,
            verbs: texts(VERBS),
            short_names: self.short_names.clone(),
            categories: self.categories.clone(),
            subresources,
            storage_version_hash: storage_version_hash(&stored_as).into(),
            stored_as,
            custom: Some(Arc::clone(self)),
        }
    }
}

fn without_schemas(definition: &Value) -> Value {
    let mut copy = definition.clone();
    if let Some(Value::Array(versions)) = copy.pointer_mut("/spec/versions") {
        for version in versions.iter_mut().filter_map(Value::as_object_mut) {
            version.remove("schema");
        }
    }
    copy
}

impl ScalePaths {
    fn read(scale: &Value) -> Option<ScalePaths> {
        scale.as_object()?;
        Some(ScalePaths {
            spec_replicas: text(&scale["specReplicasPath"]),
            status_replicas: text(&scale["statusReplicasPath"]),
            label_selector: scale["labelSelectorPath"].as_str().map(Arc::from),
        })
    }
}

fn text(value: &Value) -> Arc<str> {
    value.as_str().unwrap_or_default().into()
}

fn texts(value: &Value) -> Vec<Arc<str>> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// The hash of the stored version of a kind (`apiserver/pkg/endpoints/discovery/storageversionhash.go`): the first eight
/// bytes of the SHA-256 sum of `group/version/kind`, in base64.
pub(crate) fn storage_version_hash(stored: &GroupVersionKind) -> String {
    let sum = Sha256::digest(format!("{}/{}/{}", stored.group, stored.version, stored.kind));
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &sum[..8])
}

/// Leaves the groups and versions that these resources need.
pub(super) fn remove_groups(groups: &mut Vec<Group>, resources: &[Arc<Resource>]) {
    for group in groups.iter_mut() {
        let of = &group.name;
        group
            .versions
            .retain(|version| resources.iter().any(|r| r.group == *of && r.version == *version));
    }
    groups.retain(|group| !group.versions.is_empty());
}

/// Makes room for the group and version of a custom resource. After the `builtin` groups of Kubernetes come those of
/// definitions by name, their versions in the order of [`version_order`] (`kube-aggregator/pkg/apiserver/handler_apis.go`:
/// they all have the same priority).
pub(super) fn add_group(groups: &mut Vec<Group>, builtin: usize, resource: &Resource) {
    let place = match groups.iter().position(|group| group.name == resource.group) {
        Some(place) => place,
        None => {
            let place = builtin + groups[builtin..].partition_point(|group| group.name < resource.group);
            let group = Group {
                name: resource.group.clone(),
                versions: Vec::new(),
            };
            groups.insert(place, group);
            place
        }
    };
    let versions = &mut groups[place].versions;
    if !versions.contains(&resource.version) {
        versions.push(resource.version.clone());
        versions.sort_by(|a, b| version_order(a, b));
    }
}

/// The order of versions, the best first: `v10`, `v2`, `v1`, `v11beta2`, `v10beta3`, `v3beta1`, `v12alpha1`, others by text
/// (`apimachinery/pkg/version/helpers.go CompareKubeAwareVersionStrings`).
pub fn version_order(a: &str, b: &str) -> std::cmp::Ordering {
    match (parse_version(a), parse_version(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Stability (2 stable, 1 beta, 0 alpha), major, minor.
fn parse_version(text: &str) -> Option<(u8, u64, u64)> {
    let rest = text.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number = |text: &str| -> Option<u64> {
        let plain =
            text.starts_with(|c: char| ('1'..='9').contains(&c)) && text.bytes().all(|b| b.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    };
    let major = number(&rest[..end])?;
    let rest = &rest[end..];
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    if let Some(minor) = rest.strip_prefix("beta") {
        return Some((1, major, number(minor)?));
    }
    Some((0, major, number(rest.strip_prefix("alpha")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_discovery() {
        let mut versions = vec![
            "foo10",
            "v1",
            "v12alpha1",
            "v10beta3",
            "v3beta1",
            "foo1",
            "v11alpha2",
            "v2",
            "v11beta2",
            "v10",
            "v0",
            "v01",
        ];
        versions.sort_by(|a, b| version_order(a, b));
        assert_eq!(
            versions,
            [
                "v10",
                "v2",
                "v1",
                "v11beta2",
                "v10beta3",
                "v3beta1",
                "v12alpha1",
                "v11alpha2",
                "foo1",
                "foo10",
                "v0",
                "v01",
            ]
        );
    }

    #[test]
    fn the_hash_of_a_stored_version_is_upstreams() {
        let hash = storage_version_hash(&GroupVersionKind::new("apps", "v1", "Deployment"));
        assert_eq!(hash, "8aSe+NMegvE=");
    }
}
