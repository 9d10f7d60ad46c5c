//! Kinds of `flowcontrol.apiserver.k8s.io`: stored and served; this server does not queue by them.

pub mod flow_schema;
pub mod priority_level;

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;

/// Before a status update: metadata stays as it is, its managedFields aside.
fn prepare_status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
    let fields = new.get("metadata").cloned().unwrap_or_default();
    new.keep("metadata", old);
    new.ensure("metadata").keep("managedFields", &fields);
    new.ensure("metadata").keep("resourceVersion", &fields);
}

/// Conditions have a type each, no two the same.
fn validate_conditions(object: &Value) -> Findings {
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    for condition in Field::root(object).get("status").items("conditions") {
        let kind = condition.get("type");
        if seen.contains(&kind.str()) {
            out.push(kind.duplicate_value(kind.str()));
        }
        seen.push(kind.str());
        if kind.is_empty() {
            out.push(kind.required(""));
        }
    }
    out
}
