//! Node selectors (`component-helpers/scheduling/corev1/nodeaffinity`).

use serde_json::Value;

use crate::object;

/// The pod's node selector and the required part of its node affinity.
pub fn matches_node(spec: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let selector = spec["nodeSelector"].as_object();
    let selected = selector.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value));
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    selected && (required.is_null() || matches_terms(required, node))
}

/// A NodeSelector: one of its terms must match; a term without requirements matches nothing.
pub fn matches_terms(selector: &Value, node: &Value) -> bool {
    selector["nodeSelectorTerms"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|term| {
            let expressions = requirements(term, "matchExpressions");
            let fields = requirements(term, "matchFields");
            !(expressions.is_empty() && fields.is_empty())
                && expressions
                    .iter()
                    .all(|r| holds(r, node["metadata"]["labels"][key(r)].as_str()))
                && fields
                    .iter()
                    .all(|r| key(r) == "metadata.name" && holds(r, Some(object::name(node))))
        })
}

fn requirements<'a>(term: &'a Value, list: &str) -> Vec<&'a Value> {
    term[list].as_array().into_iter().flatten().collect()
}

fn key(requirement: &Value) -> &str {
    requirement["key"].as_str().unwrap_or_default()
}

fn holds(requirement: &Value, value: Option<&str>) -> bool {
    let values = || {
        requirement["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = |greater: bool| {
        let (Some(have), Some(than)) = (value.and_then(number), values().next().and_then(number)) else {
            return false;
        };
        if greater { have > than } else { have < than }
    };
    match requirement["operator"].as_str() {
        Some("In") => value.is_some_and(|value| values().any(|wanted| wanted == value)),
        Some("NotIn") => !value.is_some_and(|value| values().any(|wanted| wanted == value)),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        Some("Gt") => compared(true),
        Some("Lt") => compared(false),
        _ => false,
    }
}
