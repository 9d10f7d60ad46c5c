//! Who owns what after an object was applied or updated (structured-merge-diff `merge/update.go`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::conflict::Conflicts;
use super::filter::Filter;
use super::managers::{Manager, Managers, Owned};
use super::versions::Versions;
use crate::fields::{Set, equal};
use crate::merge::{Comparison, Shape, Violations};

/// Merges what is applied, and keeps the books of field ownership.
#[derive(Clone, Copy)]
pub struct Updater<'u> {
    /// The versions of the kind.
    pub versions: &'u dyn Versions,
    /// Which fields of a request count, by the version of the request.
    pub filters: &'u BTreeMap<String, Filter>,
}

/// Why an apply or update is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Others manage fields that the applier wants to change.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// Objects do not fit their type.
    #[error("failed to {doing}: {violations}")]
    Invalid {
        /// What was tried.
        doing: &'static str,
        /// What is wrong.
        violations: Violations,
    },
    /// The version of the request is not served.
    #[error("no corresponding type for {0}")]
    UnknownVersion(String),
    /// An object could not be converted.
    #[error("failed to convert object: {0}")]
    Convert(String),
}

/// An object in some version.
#[derive(Clone)]
pub(super) struct Versioned<'v> {
    pub(super) value: Cow<'v, Value>,
    pub(super) version: &'v str,
}

/// What an apply leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The new object.
    pub object: Value,
    /// Whether the object is the same as before.
    pub unchanged: bool,
    /// Who owns what.
    pub managers: Managers,
}

impl Updater<'_> {
    /// Lays `config` of version `version` over `live` and removes what the manager applied last time, does not apply
    /// now, and nobody else owns. Without `force`, a field that someone else owns and that would change is a conflict.
    pub fn apply(
        &self,
        live: &Value,
        config: &Value,
        version: &str,
        managers: Managers,
        manager: &Manager,
        force: bool,
    ) -> Result<Applied, UpdateError> {
        let shape = self.shape(version)?;
        let mut managers = self.reconcile(managers);
        let merged = shape
            .merge(live, config)
            .map_err(|violations| UpdateError::Invalid {
                doing: "merge config",
                violations,
            })?;
        let fields = self.filtered(version, shape.field_set(config));
        let owned = Owned {
            fields,
            api_version: version.to_owned(),
            applied: true,
        };
        let last = managers.insert(manager.clone(), owned);
        let object = self.prune(merged, version, &managers, manager, last)?;
        let (managers, _) = self.books(live, &object, version, managers, manager, force)?;
        let unchanged = equal(live, &object);
        Ok(Applied {
            object,
            unchanged,
            managers,
        })
    }

    /// Who owns what after someone has replaced `live` by `new`, both of version `version`: the manager gets all that
    /// changed, the others lose it.
    pub fn update(
        &self,
        live: &Value,
        new: &Value,
        version: &str,
        managers: Managers,
        manager: &Manager,
    ) -> Result<Managers, UpdateError> {
        let managers = self.reconcile(managers);
        let (mut managers, changes) = self.books(live, new, version, managers, manager, true)?;
        let before = managers
            .remove(manager)
            .map(|owned| owned.fields)
            .unwrap_or_default();
        let fields = before
            .difference(&changes.removed)
            .union(changes.modified)
            .union(changes.added);
        let fields = self.filtered(version, fields);
        if !fields.is_empty() {
            managers.insert(
                manager.clone(),
                Owned {
                    fields,
                    api_version: version.to_owned(),
                    applied: false,
                },
            );
        }
        Ok(managers)
    }

    /// Takes from all others what changed between two objects, or tells the conflicts; and what changed.
    fn books(
        &self,
        old: &Value,
        new: &Value,
        version: &str,
        mut managers: Managers,
        manager: &Manager,
        force: bool,
    ) -> Result<(Managers, Comparison), UpdateError> {
        let own = self.changes(version, old, new)?;
        let mut changes: BTreeMap<String, Option<(Set, Set)>> = BTreeMap::new();
        changes.insert(version.to_owned(), Some(losses(&own)));
        let (old, new) = (versioned(old, version), versioned(new, version));
        let mut conflicts = Managers::new();
        let others: Vec<Manager> = managers
            .keys()
            .filter(|other| *other != manager)
            .cloned()
            .collect();
        for other in others {
            let owned = &managers[&other];
            if !changes.contains_key(&owned.api_version) {
                let losses = self
                    .changes_in(&owned.api_version, &old, &new)?
                    .map(|changes| losses(&changes));
                changes.insert(owned.api_version.clone(), losses);
            }
            let Some((changed, removed)) = &changes[&owned.api_version] else {
                managers.remove(&other);
                continue;
            };
            let taken = owned.fields.intersection(changed);
            if !taken.is_empty() && !force {
                conflicts.insert(
                    other,
                    Owned {
                        fields: taken,
                        api_version: owned.api_version.clone(),
                        applied: false,
                    },
                );
            } else if !taken.is_empty() || !removed.is_empty() {
                managers.entry(other).and_modify(|owned| {
                    let fields = std::mem::take(&mut owned.fields);
                    owned.fields = fields.difference(&taken).difference(removed);
                });
            }
        }
        if !conflicts.is_empty() {
            return Err(UpdateError::Conflicts(Conflicts::of(&conflicts)));
        }
        managers.retain(|_, owned| !owned.fields.is_empty());
        Ok((managers, own))
    }

    fn changes(&self, version: &str, old: &Value, new: &Value) -> Result<Comparison, UpdateError> {
        let changes = self
            .shape(version)?
            .compare(old, new)
            .map_err(|violations| UpdateError::Invalid {
                doing: "compare objects",
                violations,
            })?;
        Ok(Comparison {
            removed: self.filtered(version, changes.removed),
            modified: self.filtered(version, changes.modified),
            added: self.filtered(version, changes.added),
        })
    }

    /// [`Updater::changes`] in another version, if that is still served.
    fn changes_in(
        &self,
        version: &str,
        old: &Versioned<'_>,
        new: &Versioned<'_>,
    ) -> Result<Option<Comparison>, UpdateError> {
        match (self.convert(old, version)?, self.convert(new, version)?) {
            (Some(old), Some(new)) => self.changes(version, &old.value, &new.value).map(Some),
            _ => Ok(None),
        }
    }

    /// Brings sets that were written under an older type up to date, and forgets managers in versions that are gone.
    fn reconcile(&self, managers: Managers) -> Managers {
        let mut kept = Managers::new();
        for (manager, mut owned) in managers {
            if let Some(shape) = self.versions.shape(&owned.api_version) {
                owned.fields = shape.reconcile(owned.fields);
                kept.insert(manager, owned);
            }
        }
        kept
    }

    fn filtered(&self, version: &str, fields: Set) -> Set {
        match self.filters.get(version) {
            Some(filter) => filter.apply(fields),
            None => fields,
        }
    }

    pub(super) fn shape(&self, version: &str) -> Result<Shape<'_>, UpdateError> {
        self.versions
            .shape(version)
            .ok_or_else(|| UpdateError::UnknownVersion(version.to_owned()))
    }

    /// The object in another version; nothing where that is not served.
    pub(super) fn convert<'v>(
        &self,
        object: &Versioned<'v>,
        version: &'v str,
    ) -> Result<Option<Versioned<'v>>, UpdateError> {
        if self.versions.shape(version).is_none() {
            return Ok(None);
        }
        if object.version == version {
            return Ok(Some(object.clone()));
        }
        let value = self
            .versions
            .convert(&object.value, object.version, version)
            .map_err(UpdateError::Convert)?;
        Ok(Some(Versioned {
            value: Cow::Owned(value),
            version,
        }))
    }
}

pub(super) fn versioned<'v>(value: &'v Value, version: &'v str) -> Versioned<'v> {
    Versioned {
        value: Cow::Borrowed(value),
        version,
    }
}

/// What others lose by changes: what is modified or added, and what is removed.
fn losses(changes: &Comparison) -> (Set, Set) {
    (
        changes.modified.clone().union(changes.added.clone()),
        changes.removed.clone(),
    )
}
