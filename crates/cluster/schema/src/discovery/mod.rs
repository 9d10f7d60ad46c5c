//! The documents in which a server says what it serves: one for each group and version, and all in one.
//!
//! Facts: `apiserver/pkg/endpoints/discovery`, `apiserver/pkg/endpoints/discovery/aggregated`,
//! `kube-aggregator/pkg/apiserver`.

mod aggregated;

use serde_json::{Map, Value, json};

pub use aggregated::{aggregated, etag};

use crate::registry::{Group, Registry, Resource, Subresource};

/// `/api`: the versions of the core group, and the address at which clients find the server (`127.0.0.1:6443`).
pub fn api_versions(server_address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    })
}

/// `/apis`: all groups but the core group.
pub fn api_group_list(registry: &Registry) -> Value {
    let groups: Vec<Value> = named_groups(registry)
        .map(|group| Value::Object(describe(group)))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; none where nothing of the group is served.
pub fn api_group(registry: &Registry, group: &str) -> Option<Value> {
    let group = named_groups(registry).find(|g| &*g.name == group)?;
    let mut document = describe(group);
    document.insert("kind".to_owned(), json!("APIGroup"));
    document.insert("apiVersion".to_owned(), json!("v1"));
    Some(Value::Object(document))
}

/// `/api/v1` and `/apis/GROUP/VERSION`; none where nothing of the version is served.
pub fn api_resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let found = registry.groups().iter().find(|g| &*g.name == group)?;
    found.versions.iter().find(|v| &***v == version)?;
    let mut rows = Vec::new();
    for resource in registry.of_version(group, version) {
        rows.push(resource_row(resource));
        rows.extend(resource.subresources.iter().map(|s| subresource_row(resource, s)));
    }
    let mut document = Map::new();
    document.insert("kind".to_owned(), json!("APIResourceList"));
    // The core group is the oldest, and its list has no version of its own.
    if !group.is_empty() {
        document.insert("apiVersion".to_owned(), json!("v1"));
    }
    document.insert("groupVersion".to_owned(), json!(group_version(group, version)));
    document.insert("resources".to_owned(), json!(rows));
    Some(Value::Object(document))
}

fn named_groups(registry: &Registry) -> impl Iterator<Item = &Group> {
    registry.groups().iter().filter(|group| !group.name.is_empty())
}

fn describe(group: &Group) -> Map<String, Value> {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| json!({"groupVersion": group_version(&group.name, version), "version": **version}))
        .collect();
    let mut document = Map::new();
    document.insert("name".to_owned(), json!(*group.name));
    document.insert(
        "preferredVersion".to_owned(),
        versions.first().cloned().unwrap_or_default(),
    );
    document.insert("versions".to_owned(), Value::Array(versions));
    document
}

fn resource_row(resource: &Resource) -> Value {
    let mut row = json!({
        "name": *resource.plural,
        "singularName": *resource.singular,
        "namespaced": resource.namespaced,
        "kind": *resource.kind,
        "verbs": texts(&resource.verbs),
    });
    let mut add = |name: &str, value: Value, wanted: bool| {
        if wanted {
            row[name] = value;
        }
    };
    add(
        "shortNames",
        texts(&resource.short_names),
        !resource.short_names.is_empty(),
    );
    add(
        "categories",
        texts(&resource.categories),
        !resource.categories.is_empty(),
    );
    let hash = &resource.storage_version_hash;
    add("storageVersionHash", json!(**hash), !hash.is_empty());
    row
}

fn subresource_row(resource: &Resource, subresource: &Subresource) -> Value {
    let mut row = json!({
        "name": format!("{}/{}", resource.plural, subresource.name),
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": *subresource.kind.kind,
        "verbs": texts(&subresource.verbs),
    });
    if is_foreign(resource, subresource) {
        if !subresource.kind.group.is_empty() {
            row["group"] = json!(*subresource.kind.group);
        }
        row["version"] = json!(*subresource.kind.version);
    }
    row
}

/// Whether a subresource is of another group or version than its resource, as `scale` is.
fn is_foreign(resource: &Resource, subresource: &Subresource) -> bool {
    subresource.kind.group != resource.group || subresource.kind.version != resource.version
}

fn texts(words: &[std::sync::Arc<str>]) -> Value {
    words.iter().map(|word| Value::from(&**word)).collect()
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}
