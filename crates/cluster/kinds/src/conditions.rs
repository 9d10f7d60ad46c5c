//! Conditions of a status in their standard form (`apimachinery/pkg/apis/meta/v1/validation ValidateConditions`).

use crate::cursor::{Field, Findings};
use crate::labels::validate_label_name;
use crate::{check, names};

const REASON_MAX: usize = 1024;
const MESSAGE_MAX: usize = 32 * 1024;

/// Checks a list of conditions.
pub fn validate(conditions: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for condition in conditions.list() {
        let kind = condition.get("type");
        if seen.contains(&kind.str()) {
            out.push(kind.duplicate());
        } else {
            seen.push(kind.str());
        }
        validate_condition(&condition, out);
    }
}

fn validate_condition(condition: &Field<'_>, out: &mut Findings) {
    validate_label_name(&condition.get("type"), out);
    let (status, generation) = (condition.get("status"), condition.get("observedGeneration"));
    if !matches!(status.str(), "False" | "True" | "Unknown") {
        out.push(status.not_supported_value(status.str(), &["False", "True", "Unknown"]));
    }
    if generation.int() < 0 {
        out.push(generation.invalid("must be greater than or equal to zero"));
    }
    check::required(&condition.get("lastTransitionTime"), out);
    let (reason, message) = (condition.get("reason"), condition.get("message"));
    if reason.is_empty() {
        out.push(reason.required(""));
    } else {
        if !is_reason(reason.str()) {
            let text = "a condition reason must start with alphabetic character, optionally followed by a string of \
                        alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
            let form = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
            let examples = [
                "my_name",
                "MY_NAME",
                "MyName",
                "ReasonA,ReasonB",
                "ReasonA:ReasonB",
            ];
            out.push(reason.invalid(names::pattern(text, form, &examples)));
        }
        if reason.len() > REASON_MAX {
            out.push(reason.too_long(REASON_MAX));
        }
    }
    if message.len() > MESSAGE_MAX {
        out.push(message.too_long(MESSAGE_MAX));
    }
}

fn is_reason(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(word)
        && text.chars().all(|c| word(c) || matches!(c, ',' | ':'))
}
