//! The difference between two pods in the text of a refusal: a unified diff of upstream's internal objects as
//! indented JSON (`apimachinery/pkg/util/diff`).

use serde_json::Value;

use crate::internal::pretty;
use crate::unified_diff::unified_diff;

/// The difference between two specs.
pub fn of_specs(old: &Value, new: &Value) -> String {
    unified_diff(&pretty("PodSpec", old), &pretty("PodSpec", new))
}

/// The difference between two ephemeral containers.
pub fn of_ephemeral_containers(old: Option<&Value>, new: Option<&Value>) -> String {
    let text = |value: Option<&Value>| pretty("EphemeralContainer", value.unwrap_or(&Value::Null));
    unified_diff(&text(old), &text(new))
}
