//! Labels and label selectors as they stand in objects (`apimachinery/pkg/apis/meta/v1/validation/validation.go`).

use crate::cursor::{Field, Findings};
use crate::field::go_json;
use crate::names;

/// Checks a map of labels. Upstream reports at the map, showing the key or the value.
pub fn validate_labels(labels: &Field<'_>, out: &mut Findings) {
    for (key, value) in labels.entries() {
        out.extend(
            names::qualified_name(key)
                .into_iter()
                .map(|text| labels.invalid_value(key, text)),
        );
        let texts = names::label_value(value.str());
        out.extend(
            texts
                .into_iter()
                .map(|text| labels.invalid_value(value.str(), text)),
        );
    }
}

/// Checks the key of a label or of a requirement.
pub fn validate_label_name(key: &Field<'_>, out: &mut Findings) {
    out.extend(
        names::qualified_name(key.str())
            .into_iter()
            .map(|text| key.invalid(text)),
    );
}

/// Checks a LabelSelector object. `allow_invalid_values` is for kinds whose stored objects may hold some already.
pub fn validate_selector(selector: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    if !selector.exists() {
        return;
    }
    validate_labels(&selector.get("matchLabels"), out);
    for requirement in selector.items("matchExpressions") {
        validate_requirement(&requirement, allow_invalid_values, out);
    }
}

fn validate_requirement(requirement: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    let (operator, values) = (requirement.get("operator"), requirement.get("values"));
    match operator.str() {
        "In" | "NotIn" if values.is_empty() => {
            out.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            out.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => out.push(operator.invalid("not a valid selector operator")),
    }
    validate_label_name(&requirement.get("key"), out);
    if !allow_invalid_values {
        for value in values.list() {
            out.extend(
                names::label_value(value.str())
                    .into_iter()
                    .map(|text| value.invalid(text)),
            );
        }
    }
}

/// A selector that an update may not change.
pub fn immutable_selector(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    if !new.same(old) {
        out.push(new.invalid_shown(shown_selector(new), crate::metadata::IMMUTABLE));
    }
}

/// A selector as Go's encoder writes it: in the order of its declaration.
pub fn shown_selector(selector: &Field<'_>) -> String {
    if !selector.exists() {
        return "null".to_owned();
    }
    let mut parts = Vec::new();
    let labels = selector.get("matchLabels");
    if let Some(value) = labels.value().filter(|_| !labels.is_empty()) {
        parts.push(format!("\"matchLabels\":{}", go_json(value)));
    }
    let expressions: Vec<String> = selector
        .items("matchExpressions")
        .map(|expression| {
            let text = |name: &'static str| go_json(&expression.get(name).str().into());
            let values = expression.get("values");
            let values = values.value().filter(|_| !values.is_empty());
            let values = values.map_or(String::new(), |values| format!(",\"values\":{}", go_json(values)));
            format!(
                "{{\"key\":{},\"operator\":{}{values}}}",
                text("key"),
                text("operator")
            )
        })
        .collect();
    if !expressions.is_empty() {
        parts.push(format!("\"matchExpressions\":[{}]", expressions.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}
