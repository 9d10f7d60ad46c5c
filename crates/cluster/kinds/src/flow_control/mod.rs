//! Kinds of `flowcontrol.apiserver.k8s.io`: stored and served; this server does not queue by them.

pub mod flow_schema;
pub mod priority_level;

use serde_json::Value;

use crate::edit::Edit;

/// Before a status update: metadata stays as it is, its managedFields aside.
fn prepare_status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
    let fields = new.get("metadata").cloned().unwrap_or_default();
    new.keep("metadata", old);
    new.ensure("metadata").keep("managedFields", &fields);
    new.ensure("metadata").keep("resourceVersion", &fields);
}
