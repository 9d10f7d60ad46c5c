//! Everything in one document (`apidiscovery.k8s.io/v2`).

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::{is_foreign, texts};
use crate::registry::{Group, GroupVersionKind, Registry, Resource};

/// The aggregated document of `/api` (`core`) or of `/apis`. `version` is that of the document: `v2`, or `v2beta1`, which
/// looks the same.
pub fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let items: Vec<Value> = registry
        .groups()
        .iter()
        .filter(|group| group.name.is_empty() == core)
        .map(|group| describe(registry, group))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

/// The entity tag of a document, without quotes: clients send it back to ask whether anything changed. Its form is
/// upstream's (a SHA-512 sum in upper case); its value is of our own text.
pub fn etag(document: &Value) -> String {
    let sum = Sha512::digest(document.to_string());
    sum.iter().fold(String::with_capacity(128), |mut text, byte| {
        write!(text, "{byte:02X}").expect("writing to a string cannot fail");
        text
    })
}

fn describe(registry: &Registry, group: &Group) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| {
            let resources: Vec<Value> = registry
                .of_version(&group.name, version)
                .map(|r| resource(r))
                .collect();
            json!({"version": **version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if group.name.is_empty() {
        json!({})
    } else {
        json!({"name": *group.name})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn resource(resource: &Resource) -> Value {
    let own = kind(resource, &resource.gvk(), false);
    let mut row = json!({
        "resource": *resource.plural,
        "responseKind": own,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": *resource.singular,
        "verbs": texts(&resource.verbs),
    });
    if !resource.short_names.is_empty() {
        row["shortNames"] = texts(&resource.short_names);
    }
    if !resource.categories.is_empty() {
        row["categories"] = texts(&resource.categories);
    }
    if !resource.subresources.is_empty() {
        row["subresources"] = resource
            .subresources
            .iter()
            .map(|subresource| {
                json!({
                    "subresource": *subresource.name,
                    "responseKind": kind(resource, &subresource.kind, is_foreign(resource, subresource)),
                    "verbs": texts(&subresource.verbs),
                })
            })
            .collect();
    }
    row
}

/// Resources of Kubernetes name the group and version of a kind only where they are not their own.
fn kind(resource: &Resource, kind: &GroupVersionKind, foreign: bool) -> Value {
    if foreign || resource.custom.is_some() {
        json!({"group": *kind.group, "version": *kind.version, "kind": *kind.kind})
    } else {
        json!({"group": "", "version": "", "kind": *kind.kind})
    }
}
