//! From client-side to server-side `kubectl apply`: what the annotation of the former proves to be the user's own is
//! no conflict, and the annotation is kept up to date while it exists (apimachinery
//! `managedfields/internal/lastappliedmanager.go`, `lastappliedupdater.go`).

use serde_json::Value;

use super::conflict::Conflicts;
use crate::fields::{Set, go_json};
use crate::limits::MAX_ANNOTATIONS_BYTES;
use crate::merge::{Duplicates, Shape};

/// The annotation that client-side apply writes.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The only manager that is treated so; whoever does not want it takes another name.
pub(super) const KUBECTL: &str = "kubectl";

/// The conflicts that the annotation of `live` does not excuse; none where all are excused.
pub(super) fn unexcused(
    conflicts: Conflicts,
    live: &Value,
    api_version: &str,
    shape: Shape<'_>,
) -> Conflicts {
    let Some(excused) = last_applied_fields(live, api_version, shape) else {
        return conflicts;
    };
    Conflicts(
        conflicts
            .0
            .into_iter()
            .filter(|conflict| !excused.has(&conflict.path))
            .collect(),
    )
}

/// The fields that client-side apply has set and that still have the value that it gave them.
fn last_applied_fields(live: &Value, api_version: &str, shape: Shape<'_>) -> Option<Set> {
    let last: Value = serde_json::from_str(last_applied(live)?).ok()?;
    if last["apiVersion"] != api_version {
        return None;
    }
    shape.validate(live, Duplicates::Refused).ok()?;
    shape.validate(&last, Duplicates::Refused).ok()?;
    let changes = shape.compare(&last, live).ok()?;
    let fields = shape.field_set(&last);
    Some(
        fields
            .difference(&changes.modified)
            .difference(&changes.added)
            .difference(&changes.removed),
    )
}

/// Writes what was applied into the annotation, if the object has it and it fits.
pub(super) fn refresh(object: &mut Value, config: &Value) {
    if last_applied(object).is_none() {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = config
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    let Some(annotations) = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    annotations.remove(LAST_APPLIED);
    // Go's encoder of unstructured objects ends the text with a line break.
    let text = format!("{}\n", go_json(&config));
    let size = |key: &str, value: &Value| key.len() + value.as_str().map_or(0, str::len);
    let others: usize = annotations.iter().map(|(key, value)| size(key, value)).sum();
    if others + LAST_APPLIED.len() + text.len() <= MAX_ANNOTATIONS_BYTES {
        annotations.insert(LAST_APPLIED.to_owned(), Value::from(text));
    }
}

fn last_applied(object: &Value) -> Option<&str> {
    let text = object
        .get("metadata")?
        .get("annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    (!text.is_empty()).then_some(text)
}
