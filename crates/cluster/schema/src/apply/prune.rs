//! What an applier has stopped to apply goes away, unless someone else owns it (structured-merge-diff
//! `merge/update.go` prune).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::managers::{Manager, Managers, Owned};
use super::updater::{UpdateError, Updater, Versioned};
use crate::fields::Set;

impl Updater<'_> {
    /// `merged` without what the applier `manager` had in `last`, has not in `managers`, and no other manager has.
    pub(super) fn prune(
        &self,
        merged: Value,
        version: &str,
        managers: &Managers,
        manager: &Manager,
        last: Option<Owned>,
    ) -> Result<Value, UpdateError> {
        let Some(last) = last.filter(|last| !last.fields.is_empty()) else {
            return Ok(merged);
        };
        // Who still applies all that he applied before has nothing to lose.
        let still_applied =
            |owned: &Owned| owned.api_version == last.api_version && last.fields.is_subset(&owned.fields);
        if managers.get(manager).is_some_and(still_applied) {
            return Ok(merged);
        }
        let merged = Versioned {
            value: Cow::Owned(merged),
            version,
        };
        let Some(before) = self.convert(&merged, &last.api_version)? else {
            return Ok(merged.value.into_owned());
        };
        let shape = self.shape(&last.api_version)?;
        let last_fields = shape.with_named_parents(last.fields.clone());
        let pruned = Versioned {
            value: Cow::Owned(shape.remove(before.value.clone().into_owned(), &last_fields)),
            version: before.version,
        };
        let pruned = self.add_back_owned(&before, pruned, managers)?;
        let pruned = self.add_back_dangling(&before, pruned, &last_fields)?;
        Ok(match self.convert(&pruned, version)? {
            Some(pruned) => pruned.value.into_owned(),
            None => pruned.value.into_owned(),
        })
    }

    /// Puts back what the managers own, the applier's new configuration included: first in the version of `pruned`,
    /// because converting may need fields that are gone.
    fn add_back_owned<'v>(
        &self,
        merged: &Versioned<'v>,
        pruned: Versioned<'v>,
        managers: &'v Managers,
    ) -> Result<Versioned<'v>, UpdateError> {
        let mut by_version: BTreeMap<&'v str, Set> = BTreeMap::new();
        for owned in managers.values() {
            let fields = by_version.entry(&owned.api_version).or_default();
            *fields = std::mem::take(fields).union(owned.fields.clone());
        }
        let (mut merged, mut pruned) = (merged.clone(), pruned);
        let first = by_version.remove_entry(pruned.version);
        for (version, owned) in first.into_iter().chain(by_version) {
            let (Some(all), Some(some)) = (self.convert(&merged, version)?, self.convert(&pruned, version)?)
            else {
                continue;
            };
            let shape = self.shape(version)?;
            let kept = shape
                .with_named_parents(shape.field_set(&some.value))
                .union(shape.with_named_parents(owned));
            let gone = shape
                .with_named_parents(shape.field_set(&all.value))
                .difference(&kept);
            let value = shape.remove(all.value.clone().into_owned(), &gone);
            merged = all;
            pruned = Versioned {
                value: Cow::Owned(value),
                version,
            };
        }
        Ok(pruned)
    }

    /// Puts back what the applier never owned: what nobody owns, and what was removed only with its parent.
    fn add_back_dangling<'v>(
        &self,
        merged: &Versioned<'v>,
        pruned: Versioned<'v>,
        last: &Set,
    ) -> Result<Versioned<'v>, UpdateError> {
        let Some(pruned) = self.convert(&pruned, merged.version)? else {
            return Ok(merged.clone());
        };
        let shape = self.shape(merged.version)?;
        let kept = shape.with_named_parents(shape.field_set(&pruned.value));
        let all = shape.with_named_parents(shape.field_set(&merged.value));
        let gone = all.difference(&kept).intersection(last);
        let value = shape.remove(merged.value.clone().into_owned(), &gone);
        Ok(Versioned {
            value: Cow::Owned(value),
            version: merged.version,
        })
    }
}
