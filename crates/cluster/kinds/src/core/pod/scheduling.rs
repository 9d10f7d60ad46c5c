//! Where a pod may run: affinity, tolerations, topology spread, gates, and node selectors, which volumes have too
//! (`pkg/apis/core/validation/validation.go`).

use serde_json::Value;

use super::Options;
use crate::cursor::{Field, Findings};
use crate::labels::{validate_label_name, validate_selector};
use crate::names;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks `spec.affinity`.
pub fn affinity(affinity: &Field<'_>, options: &Options, out: &mut Findings) {
    let nodes = affinity.get("nodeAffinity");
    let required = nodes.get(REQUIRED);
    if required.exists() {
        node_selector(&required, options.allow_invalid_node_affinity_values, out);
    }
    for term in nodes.items(PREFERRED) {
        weight(&term.get("weight"), out);
        node_selector_term(&term.get("preference"), true, out);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.get(kind);
        for term in pods.items(REQUIRED) {
            pod_affinity_term(&term, options, out);
        }
        for term in pods.items(PREFERRED) {
            weight(&term.get("weight"), out);
            pod_affinity_term(&term.get("podAffinityTerm"), options, out);
        }
    }
}

fn weight(weight: &Field<'_>, out: &mut Findings) {
    if !(1..=100).contains(&weight.int()) {
        out.push(weight.invalid_value(weight.int(), "must be in the range 1-100"));
    }
}

fn pod_affinity_term(term: &Field<'_>, options: &Options, out: &mut Findings) {
    for name in ["labelSelector", "namespaceSelector"] {
        validate_selector(&term.get(name), options.allow_invalid_selector_values, out);
    }
    for namespace in term.get("namespaces").strings() {
        let texts = names::dns_label_name(namespace, false);
        let place = term.get("namespace");
        out.extend(texts.into_iter().map(|text| place.invalid_value(namespace, text)));
    }
    match_label_keys(term, out);
    let key = term.get("topologyKey");
    if key.is_empty() {
        out.push(key.required("can not be empty"));
    }
    validate_label_name(&key, out);
}

/// Checks a NodeSelector: of a pod's required affinity, or of a volume.
pub fn node_selector(selector: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    let terms = selector.get("nodeSelectorTerms");
    if terms.is_empty() {
        out.push(terms.required("must have at least one node selector term"));
        return;
    }
    for term in terms.list() {
        node_selector_term(&term, allow_invalid_values, out);
    }
}

fn node_selector_term(term: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    for requirement in term.items("matchExpressions") {
        node_requirement(&requirement, allow_invalid_values, out);
    }
    for requirement in term.items("matchFields") {
        node_field_requirement(&requirement, out);
    }
}

fn node_requirement(requirement: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    let (operator, values) = (requirement.get("operator"), requirement.get("values"));
    match operator.str() {
        "In" | "NotIn" if values.is_empty() => {
            out.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            out.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            out.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
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

fn node_field_requirement(requirement: &Field<'_>, out: &mut Findings) {
    let (operator, values, key) = (
        requirement.get("operator"),
        requirement.get("values"),
        requirement.get("key"),
    );
    match operator.str() {
        "In" | "NotIn" => {
            if values.len() != 1 {
                let detail =
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                out.push(values.required(detail));
            }
        }
        _ => out.push(operator.invalid("not a valid selector operator")),
    }
    if key.str() != "metadata.name" {
        out.push(key.invalid("not a valid field selector key"));
        return;
    }
    for value in values.list() {
        out.extend(
            names::dns_subdomain_name(value.str(), false)
                .into_iter()
                .map(|text| value.invalid(text)),
        );
    }
}

/// `matchLabelKeys` and `mismatchLabelKeys` of an affinity term or a spread constraint.
pub fn match_label_keys(holder: &Field<'_>, out: &mut Findings) {
    let selector = holder.get("labelSelector");
    for name in ["matchLabelKeys", "mismatchLabelKeys"] {
        let keys = holder.get(name);
        if keys.is_empty() {
            continue;
        }
        if !selector.exists() {
            out.push(keys.forbidden("must not be specified when labelSelector is not set"));
            continue;
        }
        keys.list().for_each(|key| validate_label_name(&key, out));
    }
    let keys: Vec<Field<'_>> = holder.items("matchLabelKeys").collect();
    if selector.exists() {
        // The server itself adds one requirement for each key, so that only a second one is an error.
        let labels = selector.get("matchLabels");
        let mut seen: Vec<&str> = labels.entries().map(|(key, _)| key).collect();
        for expression in selector.items("matchExpressions") {
            let key = expression.get("key").str();
            let index = keys.iter().rposition(|wanted| wanted.str() == key);
            if let Some(index) = index.filter(|_| seen.contains(&key)) {
                let place = holder.index(index);
                out.push(place.invalid_value(key, "exists in both matchLabelKeys and labelSelector"));
            }
            seen.push(key);
        }
    }
    for key in keys {
        if holder
            .get("mismatchLabelKeys")
            .strings()
            .any(|other| other == key.str())
        {
            out.push(key.invalid("exists in both matchLabelKeys and mismatchLabelKeys"));
        }
    }
}

/// `matchLabelKeys` of a spread constraint by the older, stricter rule.
fn match_label_keys_strict(constraint: &Field<'_>, out: &mut Findings) {
    let (keys, selector) = (constraint.get("matchLabelKeys"), constraint.get("labelSelector"));
    if keys.is_empty() {
        return;
    }
    if !selector.exists() {
        out.push(keys.forbidden("must not be specified when labelSelector is not set"));
    }
    let selected = |key: &str| {
        selector.get("matchLabels").key(key).exists()
            || selector
                .items("matchExpressions")
                .any(|expression| expression.get("key").str() == key)
    };
    for key in keys.list() {
        validate_label_name(&key, out);
        if selected(key.str()) {
            out.push(key.invalid("exists in both matchLabelKeys and labelSelector"));
        }
    }
}

/// Checks `spec.topologySpreadConstraints`.
pub fn topology_spread(constraints: &Field<'_>, options: &Options, out: &mut Findings) {
    let all: Vec<Field<'_>> = constraints.list().collect();
    for (index, constraint) in all.iter().enumerate() {
        let skew = constraint.get("maxSkew");
        if skew.int() <= 0 {
            out.push(skew.invalid_value(skew.int(), "must be greater than zero"));
        }
        let (key, action) = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"));
        if key.is_empty() {
            out.push(key.required("can not be empty"));
        }
        if !matches!(action.str(), "DoNotSchedule" | "ScheduleAnyway") {
            out.push(action.not_supported(&["DoNotSchedule", "ScheduleAnyway"]));
        }
        let repeated = all[index + 1..].iter().any(|other| {
            other.get("topologyKey").str() == key.str()
                && other.get("whenUnsatisfiable").str() == action.str()
        });
        if repeated {
            let place = constraint.get("{topologyKey, whenUnsatisfiable}");
            out.push(place.duplicate_value(format!("{{{}, {}}}", key.str(), action.str())));
        }
        min_domains(&constraint.get("minDomains"), action.str(), out);
        for name in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let policy = constraint.get(name);
            if policy.exists() && !matches!(policy.str(), "Honor" | "Ignore") {
                out.push(policy.not_supported(&["Honor", "Ignore"]));
            }
        }
        if options.old_violates_match_label_keys {
            match_label_keys_strict(constraint, out);
        } else {
            match_label_keys(constraint, out);
        }
        if !options.allow_invalid_spread_selector {
            validate_selector(&constraint.get("labelSelector"), false, out);
        }
    }
}

fn min_domains(domains: &Field<'_>, action: &str, out: &mut Findings) {
    let Some(count) = domains.opt_int() else { return };
    if count <= 0 {
        out.push(domains.invalid("must be greater than zero"));
    }
    if action != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        out.push(domains.invalid(detail));
    }
}

/// Checks a list of tolerations.
pub fn tolerations(tolerations: &Field<'_>, out: &mut Findings) {
    for toleration in tolerations.list() {
        let (key, operator) = (toleration.get("key"), toleration.get("operator"));
        let (value, effect) = (toleration.get("value"), toleration.get("effect"));
        if !key.is_empty() {
            validate_label_name(&key, out);
        } else if operator.str() != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            out.push(operator.invalid(detail));
        }
        if toleration.get("tolerationSeconds").exists() && effect.str() != "NoExecute" {
            out.push(effect.invalid("effect must be 'NoExecute' when `tolerationSeconds` is set"));
        }
        match operator.str() {
            "Equal" | "" => {
                let texts = names::label_value(value.str());
                if !texts.is_empty() {
                    out.push(operator.invalid_value(value.str(), texts.join(";")));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    out.push(operator.invalid_value(value.str(), detail));
                }
            }
            _ => out.push(operator.not_supported(&["Equal", "Exists"])),
        }
        if !effect.is_empty() {
            taint_effect(&effect, out);
        }
    }
}

/// Checks the effect of a taint or of a toleration.
pub fn taint_effect(effect: &Field<'_>, out: &mut Findings) {
    if !matches!(effect.str(), "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
        out.push(effect.not_supported(&["NoSchedule", "PreferNoSchedule", "NoExecute"]));
    }
}

/// An update may add tolerations and change how long one lasts.
pub fn only_added_tolerations(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let without_seconds = |toleration: &Field<'_>| {
        let mut toleration = toleration.value().cloned().unwrap_or_default();
        if let Some(map) = toleration.as_object_mut() {
            map.remove("tolerationSeconds");
        }
        toleration
    };
    let kept: Vec<Value> = new
        .list()
        .map(|toleration| without_seconds(&toleration))
        .collect();
    if old
        .list()
        .any(|toleration| !kept.contains(&without_seconds(&toleration)))
    {
        out.push(new.forbidden("existing toleration can not be modified except its tolerationSeconds"));
        return;
    }
    tolerations(new, out);
}

/// Checks `spec.schedulingGates`.
pub fn gates(gates: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for gate in gates.list() {
        let name = gate.get("name").str();
        out.extend(
            names::qualified_name(name)
                .into_iter()
                .map(|text| gate.invalid_value(name, text)),
        );
        if seen.contains(&name) {
            out.push(gate.duplicate_value(name));
        }
        seen.push(name);
    }
}

/// An update may only take gates away.
pub fn only_removed_gates(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    for gate in new.list() {
        let name = gate.get("name");
        if !old.list().any(|old| old.get("name").str() == name.str()) {
            let detail = format!(
                "only deletion is allowed, but found new scheduling gate '{}'",
                name.str()
            );
            out.push(name.forbidden(detail));
        }
    }
}

/// Whether some selector of the pod affinities has a value that is none.
pub fn has_invalid_selector_value(spec: &Field<'_>) -> bool {
    let affinity = spec.get("affinity");
    ["podAffinity", "podAntiAffinity"].into_iter().any(|kind| {
        let pods = affinity.get(kind);
        let preferred = pods.items(PREFERRED).map(|term| term.get("podAffinityTerm"));
        pods.items(REQUIRED).chain(preferred).any(|term| {
            ["labelSelector", "namespaceSelector"]
                .into_iter()
                .any(|name| has_invalid_value(&term.get(name)))
        })
    })
}

/// Whether the required node affinity has a value that is none.
pub fn has_invalid_node_affinity_value(spec: &Field<'_>) -> bool {
    let terms = spec
        .get("affinity")
        .get("nodeAffinity")
        .get(REQUIRED)
        .get("nodeSelectorTerms");
    terms.list().any(|term| has_invalid_value(&term))
}

fn has_invalid_value(selector: &Field<'_>) -> bool {
    selector.items("matchExpressions").any(|requirement| {
        requirement
            .get("values")
            .strings()
            .any(|value| !names::label_value(value).is_empty())
    })
}
