//! An object never lists more than ten managers that update: the oldest become one (apimachinery
//! `managedfields/internal/capmanagers.go`).

use std::collections::BTreeMap;

use super::entries::ManagedFields;
use super::managers::{Manager, Operation};
use crate::limits::MAX_UPDATE_MANAGERS;

/// The name of the manager that the oldest become.
const ANCIENT: &str = "ancient-changes";

/// Merges the oldest updates of each version until few enough are left.
pub(super) fn cap(managed: &mut ManagedFields) {
    let mut updaters: Vec<Manager> = managed
        .managers
        .iter()
        .filter(|(_, owned)| !owned.applied)
        .map(|(manager, _)| manager.clone())
        .collect();
    let mut left = updaters.len();
    if left <= MAX_UPDATE_MANAGERS {
        return;
    }
    updaters.sort_by(|a, b| (managed.times.get(a), a).cmp(&(managed.times.get(b), b)));
    let mut first_of_version: BTreeMap<String, Manager> = BTreeMap::new();
    for manager in updaters {
        if left <= MAX_UPDATE_MANAGERS {
            return;
        }
        let Some(version) = managed
            .managers
            .get(&manager)
            .map(|owned| owned.api_version.clone())
        else {
            continue;
        };
        let Some(first) = first_of_version.get(&version) else {
            first_of_version.insert(version, manager);
            continue;
        };
        let bucket = Manager {
            name: ANCIENT.to_owned(),
            operation: Operation::Update,
            api_version: version,
            subresource: String::new(),
        };
        if !managed.managers.contains_key(&bucket)
            && let Some(owned) = managed.managers.remove(first)
        {
            managed.managers.insert(bucket.clone(), owned);
        }
        // The bucket itself may be the oldest of its version: then it takes in the next one.
        let Some(newer) = managed.managers.remove(&manager) else {
            continue;
        };
        managed
            .managers
            .entry(bucket.clone())
            .and_modify(|owned| owned.fields = std::mem::take(&mut owned.fields).union(newer.fields.clone()))
            .or_insert(newer);
        left -= 1;
        // The time of what was merged last is the newest of the bucket.
        match managed.times.remove(&manager) {
            Some(time) => managed.times.insert(bucket, time),
            None => managed.times.remove(&bucket),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::managers::Owned;
    use super::*;
    use crate::fields::Set;

    #[test]
    fn the_oldest_of_a_version_become_one() {
        let mut managed = ManagedFields::default();
        for place in 0..13 {
            let api_version = if place == 1 { "v2" } else { "v1" };
            let manager = Manager {
                name: format!("m{place:02}"),
                operation: Operation::Update,
                api_version: api_version.to_owned(),
                subresource: String::new(),
            };
            let fields = Set::of_fields(&[&[&format!("f{place}")]]);
            managed
                .times
                .insert(manager.clone(), format!("2024-01-01T00:00:{place:02}Z"));
            managed.managers.insert(
                manager,
                Owned {
                    fields,
                    api_version: api_version.to_owned(),
                    applied: false,
                },
            );
        }
        cap(&mut managed);
        let names: Vec<&str> = managed
            .managers
            .keys()
            .map(|manager| manager.name.as_str())
            .collect();
        let kept: Vec<String> = (5..13).map(|place| format!("m{place:02}")).collect();
        let mut want = vec!["ancient-changes", "m01"];
        want.extend(kept.iter().map(String::as_str));
        assert_eq!(names, want);
        let (ancient, owned) = managed.managers.iter().next().expect("ten managers");
        assert_eq!(
            owned.fields,
            Set::of_fields(&[&["f0"], &["f2"], &["f3"], &["f4"]])
        );
        assert_eq!(managed.times[ancient], "2024-01-01T00:00:04Z");
    }
}
