//! ResourceQuota (`pkg/registry/core/resourcequota/strategy.go`, `pkg/apis/core/validation ValidateResourceQuota`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::core::pod::defaults::round;
use crate::core::pod::resource_requirements::{amount, resource_name};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, internal, metadata, names, resources, table};

/// The row of ResourceQuota.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "ResourceQuota",
    name: names::dns_subdomain_name,
    default: |object| {
        round(object.ensure("spec").child("hard"));
        let status = object.ensure("status");
        round(status.child("hard"));
        round(status.child("used"));
    },
    prepare_create: |object| object.set("status", json!({})),
    prepare_update: |new, old| new.keep("status", old),
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object).get("spec"), &mut out);
        out
    },
    validate_update,
    validate_status: |new, _| {
        let status = Field::root(new).get("status");
        let mut out = Vec::new();
        amounts(&status.get("hard"), &mut out);
        amounts(&status.get("used"), &mut out);
        out
    },
    columns: columns::RESOURCE_QUOTA,
    cells,
    ..GENERIC_RULES
};

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "VolumeAttributesClass",
    "CrossNamespacePodAffinity",
];

/// Scopes that exclude each other.
const CONFLICTS: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

const POD_COMPUTE: [&str; 6] = [
    "cpu",
    "memory",
    "limits.cpu",
    "limits.memory",
    "requests.cpu",
    "requests.memory",
];

fn validate_update(new: &Value, old: &Value) -> Findings {
    let root = Field::root(new);
    let spec = root.get("spec");
    let mut out = Vec::new();
    validate(&spec, &mut out);
    let set =
        |spec: &Field<'_>| -> BTreeSet<String> { spec.get("scopes").strings().map(str::to_owned).collect() };
    if set(&spec) != set(&Field::root(old).get("spec")) {
        out.push(shown(&spec.get("scopes"), metadata::IMMUTABLE));
    }
    out
}

/// A finding that shows a list, `null` where there is none.
fn shown(list: &Field<'_>, detail: &str) -> crate::field::Finding {
    if list.exists() {
        list.invalid(detail)
    } else {
        list.invalid_shown("null".to_owned(), detail)
    }
}

fn validate(spec: &Field<'_>, out: &mut Findings) {
    let hard = spec.get("hard");
    amounts(&hard, out);
    let scopes = spec.get("scopes");
    for scope in scopes.strings() {
        if !SCOPES.contains(&scope) {
            out.push(scopes.invalid("unsupported scope"));
        }
        let misplaced = misplaced(scope, &hard);
        out.extend(
            std::iter::repeat_with(|| scopes.invalid("unsupported scope applied to resource"))
                .take(misplaced),
        );
    }
    conflicts(&scopes, scopes.strings().collect(), out);
    selector(spec, out);
}

/// How many resources a scope cannot hold for.
fn misplaced(scope: &str, hard: &Field<'_>) -> usize {
    hard.entries()
        .filter(|(name, _)| is_standard(name) && !fits(scope, name))
        .count()
}

fn is_standard(name: &str) -> bool {
    resources::is_standard(name) && name != "storage"
}

fn fits(scope: &str, name: &str) -> bool {
    let pods = name == "pods";
    match scope {
        "BestEffort" => pods,
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => pods || POD_COMPUTE.contains(&name),
        "VolumeAttributesClass" => matches!(name, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

fn conflicts(scopes: &Field<'_>, set: BTreeSet<&str>, out: &mut Findings) {
    for pair in CONFLICTS {
        if pair.iter().all(|scope| set.contains(scope)) {
            out.push(shown(scopes, "conflicting scopes"));
        }
    }
}

/// Upstream reports at the list, not at its items.
fn selector(spec: &Field<'_>, out: &mut Findings) {
    let selector = spec.get("scopeSelector");
    let place = selector.get("matchExpressions");
    for requirement in place.list() {
        let (scope, operator) = (
            requirement.get("scopeName").str(),
            requirement.get("operator").str(),
        );
        let values = requirement.get("values");
        if !SCOPES.contains(&scope) {
            out.push(place.get("scopeName").invalid_value(scope, "unsupported scope"));
        }
        for _ in 0..misplaced(scope, &spec.get("hard")) {
            let shown = internal::shown("ScopeSelector", selector.value());
            out.push(place.invalid_shown(shown, "unsupported scope applied to resource"));
        }
        let only_exists =
            SCOPES.contains(&scope) && !matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        if only_exists && operator != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                          ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                          ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            out.push(place.get("operator").invalid_value(operator, detail));
        }
        let place = place.get("values").with(values.value());
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let detail =
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                out.push(place.required(detail));
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail =
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                out.push(place.invalid(detail));
            }
            "Exists" | "DoesNotExist" => {}
            _ => {
                let place = selector.get("matchExpressions").get("operator");
                out.push(place.invalid_value(operator, "not a valid selector operator"));
            }
        }
    }
    let set = place
        .list()
        .map(|requirement| requirement.get("scopeName").str())
        .collect();
    conflicts(&place.with(spec.get("scopes").value()), set, out);
}

fn amounts(list: &Field<'_>, out: &mut Findings) {
    for (name, value) in list.entries() {
        resource_name(&value, name, out);
        if !name.contains('/') && !is_standard(name) {
            out.push(value.invalid_value(name, "must be a standard resource for quota"));
        }
        amount(&value, name, out);
    }
}

/// What is used of what there is; limits have a column of their own.
fn cells(object: &Value, now: i64) -> Vec<Value> {
    let status = Field::root(object).get("status");
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in status.get("hard").entries() {
        let text = |value: &Field<'_>| {
            resources::quantity(value).map_or("0".to_owned(), |amount| amount.to_string())
        };
        let used = text(&status.get("used").key(name));
        let column = if name.starts_with("limits.") {
            &mut limits
        } else {
            &mut requests
        };
        column.push(format!("{name}: {used}/{}", text(&hard)));
    }
    vec![
        table::name(object),
        requests.join(", ").into(),
        limits.join(", ").into(),
        table::age(object, now),
    ]
}
