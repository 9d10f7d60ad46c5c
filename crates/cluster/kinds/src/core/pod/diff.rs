//! The difference between two pods in the text of a refusal: a unified diff of upstream's internal objects as
//! indented JSON (`apimachinery/pkg/util/diff`).

use serde_json::Value;

/// The difference between two specs.
pub fn of_specs(_old: &Value, _new: &Value) -> String {
    String::new()
}

/// The difference between two ephemeral containers.
pub fn of_ephemeral_containers(_old: Option<&Value>, _new: Option<&Value>) -> String {
    String::new()
}
