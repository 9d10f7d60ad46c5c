//! Custom resources: definitions that are stored become resources that are served, as
//! `apiextensions-apiserver` does it.
//!
//! [`definitions`] keeps the registry in step with the stored definitions, [`upkeep`] writes what upstream's controllers
//! write into their status ([`status`]) and clears away the objects of a definition that is deleted.

mod columns;
mod definition;
mod definitions;
mod objects;
mod paths;
mod rules;
mod status;
mod upkeep;

pub(crate) use columns::{Columns, deprecation, is_selectable, selected};
pub(crate) use definition::RULES;
pub(crate) use definitions::Definitions;
pub(crate) use objects::{check_type, coerce, fill, is_current, known, read, to_version};
pub(crate) use rules::{OBJECT_RULES, at, check_create, check_update, prepare_create, prepare_update};
pub(crate) use status::is_true;
pub(crate) use upkeep::{CLEANUP, keep};

/// Where definitions are stored.
pub(crate) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// A deletion has begun: the objects go first (`customresourcedefinition/etcd.go Delete`).
pub(crate) fn mark_deleted(definition: &mut serde_json::Value, now: &str) {
    crate::object::set(definition, "deletionTimestamp", now);
    let mut finalizers: Vec<String> = crate::object::finalizers(definition)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
        finalizers.push(CLEANUP.to_owned());
    }
    crate::object::set(definition, "finalizers", finalizers);
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    status::set(
        definition,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        message,
        now,
    );
}
