//! Server-side apply and the tracking of all other writes as the API server does both (apimachinery
//! `managedfields/internal`): objects with `metadata.managedFields` in, the same out.

use std::sync::OnceLock;

use serde_json::Value;

use super::cap::cap;
use super::conflict::Conflicts;
use super::entries::{EntryError, ManagedFields};
use super::last_applied::{self, KUBECTL};
use super::managers::{Manager, Operation, Owned};
use super::updater::{UpdateError, Updater};
use crate::fields::Set;
use crate::merge::{Duplicates, Violations};

/// Keeps `metadata.managedFields` for one kind and one of its subresources.
#[derive(Clone, Copy)]
pub struct FieldManager<'f> {
    /// The algorithm, with the versions of the kind and what requests cannot set.
    pub updater: Updater<'f>,
    /// The version of the requests, which all objects here have.
    pub api_version: &'f str,
    /// The kind of the requests.
    pub kind: &'f str,
    /// The subresource that requests go to; empty for the object itself.
    pub subresource: &'f str,
    /// What the kind looks like before anything is set: [`empty_object`](super::empty_object), or for custom
    /// resources only `apiVersion` and `kind`.
    pub empty: &'f Value,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others manage fields that would change (409, reason Conflict).
    #[error("{0}")]
    Conflicts(Conflicts),
    /// The patch cannot be applied in principle (400, reason BadRequest).
    #[error("{0}")]
    BadRequest(String),
    /// The patch or the object does not fit the schema (500 without a reason, as upstream answers).
    #[error("failed to create typed {which} object ({object}): {violations}")]
    Invalid {
        /// `patch` or `live`.
        which: &'static str,
        /// `namespace/name; group/version, Kind=Kind`.
        object: String,
        /// What is wrong.
        violations: Violations,
    },
    /// The managers of the object cannot be read (500).
    #[error("failed to decode managed fields: {0}")]
    ManagedFields(EntryError),
    /// Merging failed (500).
    #[error("{0}")]
    Update(UpdateError),
}

impl FieldManager<'_> {
    /// The object to store after any write but apply: `new` with the managers that follow from it. `live` is what it
    /// replaces, nothing for a create; both in the version of the request. `now` is RFC 3339, UTC, whole seconds.
    ///
    /// A client may send managers along, which then count, and may reset them with an empty list.
    #[must_use]
    pub fn update(&self, live: Option<&Value>, mut new: Value, manager: &str, now: &str) -> Value {
        let sent = take_entries(&mut new);
        let stored = live.and_then(entries);
        let managed = self.managers_of_write(sent.as_ref(), stored);
        let exists = live.is_some_and(has_uid);
        if managed.managers.is_empty() && exists {
            // Who does not know managers has taken them away, or never had them: they start with the first apply.
            return new;
        }
        if let Ok(managed) = self.track(live.unwrap_or(self.empty), &new, managed, manager, now) {
            put_entries(&mut new, &managed);
        }
        new
    }

    /// The object after `config` was applied by `manager`, before defaulting; `live` is nothing where it is created.
    /// With `force` the applier takes over what others own.
    pub fn apply(
        &self,
        live: Option<&Value>,
        config: &Value,
        manager: &str,
        force: bool,
        now: &str,
    ) -> Result<Value, ApplyError> {
        self.check(config)?;
        let managed = ManagedFields::decode(live.and_then(entries)).map_err(ApplyError::ManagedFields)?;
        let live = live.unwrap_or(self.empty);
        let (mut object, managed) = match self.merge(live, config, managed.clone(), manager, force, now) {
            Err(ApplyError::Conflicts(conflicts)) if manager == KUBECTL => {
                let shape = self.updater.shape(self.api_version).map_err(ApplyError::Update)?;
                let conflicts = last_applied::unexcused(conflicts, live, self.api_version, shape);
                if !conflicts.0.is_empty() {
                    return Err(ApplyError::Conflicts(conflicts));
                }
                self.merge(live, config, managed, manager, true, now)?
            }
            outcome => outcome?,
        };
        if manager == KUBECTL {
            last_applied::refresh(&mut object, config);
        }
        put_entries(&mut object, &managed);
        Ok(object)
    }

    /// The managers that count for a write: those that the client sent, if they can be read, else the stored ones.
    fn managers_of_write(&self, sent: Option<&Value>, stored: Option<&Value>) -> ManagedFields {
        let stored = || ManagedFields::decode(stored).unwrap_or_default();
        if !self.subresource.is_empty() {
            return stored();
        }
        if sent.is_some_and(is_reset) {
            return ManagedFields::default();
        }
        match ManagedFields::decode(sent) {
            Ok(managed) if !managed.managers.is_empty() => managed,
            _ => stored(),
        }
    }

    /// The managers after a write. What the writer changed becomes his beside what he had; his time moves only if he
    /// changed something.
    fn track(
        &self,
        live: &Value,
        new: &Value,
        managed: ManagedFields,
        manager: &str,
        now: &str,
    ) -> Result<ManagedFields, UpdateError> {
        let ManagedFields { managers, mut times } = managed;
        // The write itself is a manager of its own at first, so that it is seen whether it took anything.
        let write = self.manager("", Operation::Update);
        let mut managers = self
            .updater
            .update(live, new, self.api_version, managers, &write)?;
        if let Some(taken) = managers.remove(&write) {
            let taken = taken.fields.difference(system_fields());
            if !taken.is_empty() {
                let manager = self.manager(named(manager), Operation::Update);
                let before = managers
                    .remove(&manager)
                    .map(|owned| owned.fields)
                    .unwrap_or_default();
                let fields = taken.union(before);
                times.insert(manager.clone(), now.to_owned());
                let api_version = self.api_version.to_owned();
                managers.insert(
                    manager,
                    Owned {
                        fields,
                        api_version,
                        applied: false,
                    },
                );
            }
        }
        let mut managed = ManagedFields { managers, times };
        cap(&mut managed);
        Ok(managed)
    }

    fn merge(
        &self,
        live: &Value,
        config: &Value,
        mut managed: ManagedFields,
        manager: &str,
        force: bool,
        now: &str,
    ) -> Result<(Value, ManagedFields), ApplyError> {
        if managed.managers.is_empty() {
            // What was there before the first apply belongs to someone, or the applier would remove it.
            managed = self
                .track(self.empty, live, managed, BEFORE_FIRST_APPLY, now)
                .map_err(ApplyError::Update)?;
        }
        if config
            .pointer("/metadata/managedFields")
            .is_some_and(Value::is_array)
        {
            return Err(ApplyError::BadRequest(
                "metadata.managedFields must be nil".to_owned(),
            ));
        }
        let shape = self.updater.shape(self.api_version).map_err(ApplyError::Update)?;
        let invalid = |which, object: &Value| {
            let object = self.describe(object);
            move |violations| ApplyError::Invalid {
                which,
                object,
                violations,
            }
        };
        shape
            .validate(config, Duplicates::Refused)
            .map_err(invalid("patch", config))?;
        shape
            .validate(live, Duplicates::Allowed)
            .map_err(invalid("live", live))?;
        let manager = self.manager(named(manager), Operation::Apply);
        let applied = self
            .updater
            .apply(live, config, self.api_version, managed.managers, &manager, force)
            .map_err(|error| match error {
                UpdateError::Conflicts(conflicts) => ApplyError::Conflicts(conflicts),
                other => ApplyError::Update(other),
            })?;
        let (mut managers, mut times) = (applied.managers, managed.times);
        if let Some(owned) = managers.remove(&manager) {
            let fields = owned.fields.difference(system_fields());
            if !fields.is_empty() {
                managers.insert(manager.clone(), Owned { fields, ..owned });
            }
        }
        if !applied.unchanged {
            times.insert(manager, now.to_owned());
        }
        let mut object = applied.object;
        take_entries(&mut object);
        Ok((object, ManagedFields { managers, times }))
    }

    fn check(&self, config: &Value) -> Result<(), ApplyError> {
        if config["apiVersion"] == self.api_version && config["kind"] == self.kind {
            return Ok(());
        }
        Err(ApplyError::BadRequest(format!(
            "invalid object type: {}",
            type_text(config)
        )))
    }

    fn manager(&self, name: &str, operation: Operation) -> Manager {
        let api_version = match operation {
            Operation::Apply => String::new(),
            Operation::Update => self.api_version.to_owned(),
        };
        Manager {
            name: name.to_owned(),
            operation,
            api_version,
            subresource: self.subresource.to_owned(),
        }
    }

    fn describe(&self, object: &Value) -> String {
        let meta = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        format!("{}/{}; {}", meta("namespace"), meta("name"), type_text(object))
    }
}

const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields that the system owns and no manager does (`stripmeta.go`).
fn system_fields() -> &'static Set {
    static FIELDS: OnceLock<Set> = OnceLock::new();
    FIELDS.get_or_init(|| {
        Set::of_fields(&[
            &["apiVersion"],
            &["kind"],
            &["metadata"],
            &["metadata", "name"],
            &["metadata", "namespace"],
            &["metadata", "creationTimestamp"],
            &["metadata", "selfLink"],
            &["metadata", "uid"],
            &["metadata", "clusterName"],
            &["metadata", "generation"],
            &["metadata", "managedFields"],
            &["metadata", "resourceVersion"],
        ])
    })
}

fn named(manager: &str) -> &str {
    if manager.is_empty() { "unknown" } else { manager }
}

/// `apps/v1, Kind=Deployment`, as Go prints it; the core group leaves its slash.
fn type_text(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let slash = if text("apiVersion").contains('/') { "" } else { "/" };
    format!("{slash}{}, Kind={}", text("apiVersion"), text("kind"))
}

fn entries(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

fn take_entries(object: &mut Value) -> Option<Value> {
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
}

fn put_entries(object: &mut Value, managed: &ManagedFields) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let (Some(metadata), Some(entries)) = (metadata, managed.encode()) {
        metadata.insert("managedFields".to_owned(), entries);
    }
}

fn has_uid(object: &Value) -> bool {
    object
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .is_some_and(|uid| !uid.is_empty())
}

/// Whether a client asks that all managers be forgotten: an empty list, or one empty entry.
fn is_reset(entries: &Value) -> bool {
    match entries.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(|entry| entry.is_empty()),
        _ => false,
    }
}
