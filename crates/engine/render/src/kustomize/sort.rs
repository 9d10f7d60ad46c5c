//! The order of the output: as accumulated, or by kind.

use std::collections::HashMap;

use super::error::{Error, Result};
use super::kustomization::{LegacySortOptions, SortOptions};
use super::resid::{Gvk, ResId};
use super::resource::Resource;

/// What comes first, and in which order.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// What comes last.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The place of a kind in the built-in order; kinds that it does not name stand between.
pub(super) fn default_rank(kind: &str) -> isize {
    rank_in(&FIRST, &LAST, kind)
}

fn rank_in(first: &[&str], last: &[&str], kind: &str) -> isize {
    let place = |list: &[&str]| list.iter().rposition(|name| *name == kind);
    if let Some(at) = place(last) {
        return 1 + signed(at);
    }
    place(first).map_or(0, |at| signed(at) - signed(first.len()))
}

fn signed(size: usize) -> isize {
    isize::try_from(size).expect("lists are shorter than half the memory")
}

/// A type as the text that types are ordered by.
pub(super) fn type_key(group: &str, version: &str, kind: &str) -> String {
    fn or<'t>(part: &'t str, none: &'t str) -> &'t str {
        if part.is_empty() { none } else { part }
    }
    format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
}

fn id_key(id: &ResId) -> String {
    let namespace = if id.namespace.is_empty() {
        "~X"
    } else {
        &id.namespace
    };
    let name = if id.name.is_empty() { "~N" } else { &id.name };
    format!("{}|{namespace}|{name}", id.gvk)
}

/// Checks the options and brings the resources into their order.
pub(super) fn apply(resources: &mut Vec<Resource>, options: &SortOptions) -> Result<()> {
    match options.order.0.as_str() {
        "fifo" if options.legacy.is_some() => Err(Error::invalid(
            "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'",
        )),
        "fifo" => Ok(()),
        "legacy" => {
            legacy(resources, options.legacy.as_ref());
            Ok(())
        }
        _ => Err(Error::invalid(
            "the field 'sortOptions.order' must be one of [fifo, legacy]",
        )),
    }
}

/// By kind, then by type, then by namespace and name.
pub(super) fn legacy(resources: &mut Vec<Resource>, options: Option<&LegacySortOptions>) {
    let borrowed = |list: &'_ [String]| -> Vec<String> { list.to_vec() };
    let (first, last) = match options {
        Some(options) => (borrowed(&options.order_first), borrowed(&options.order_last)),
        None => (
            FIRST.map(str::to_owned).to_vec(),
            LAST.map(str::to_owned).to_vec(),
        ),
    };
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let last: Vec<&str> = last.iter().map(String::as_str).collect();
    let mut types: HashMap<Gvk, (isize, String)> = HashMap::new();
    let mut keyed: Vec<((isize, SortedType), String, Resource)> = resources
        .drain(..)
        .map(|resource| {
            let id = resource.id();
            let (rank, key) = types
                .entry(id.gvk.clone())
                .or_insert_with(|| {
                    (
                        rank_in(&first, &last, &id.gvk.kind),
                        type_key(&id.gvk.group, &id.gvk.version, &id.gvk.kind),
                    )
                })
                .clone();
            let sorted = SortedType {
                is_core_namespace: id.gvk.kind == "Namespace" && id.gvk.group.is_empty(),
                key,
            };
            ((rank, sorted), id_key(id), resource)
        })
        .collect();
    keyed.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    resources.extend(keyed.into_iter().map(|(_, _, resource)| resource));
}

#[derive(Clone, PartialEq, Eq)]
struct SortedType {
    /// Of several kinds of Namespace the core one comes first.
    is_core_namespace: bool,
    key: String,
}

impl PartialOrd for SortedType {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortedType {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let namespaces = self.key.ends_with("_Namespace") && other.key.ends_with("_Namespace");
        if namespaces && (self.is_core_namespace || other.is_core_namespace) {
            return other.key.cmp(&self.key);
        }
        self.key.cmp(&other.key)
    }
}
