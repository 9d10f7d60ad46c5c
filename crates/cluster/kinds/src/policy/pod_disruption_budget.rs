//! PodDisruptionBudget (`pkg/registry/policy/poddisruptionbudget/strategy.go`, `pkg/apis/policy/validation`).

use serde_json::json;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::metadata::non_negative;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{cell, check, columns, conditions, internal, metadata, names, table, workload};

/// The row of PodDisruptionBudget.
pub const RULES: Rules = Rules {
    group: "policy",
    version: "v1",
    kind: "PodDisruptionBudget",
    // Upstream has no rule of its own for its name.
    name: names::path_segment_name,
    default: |object| {
        object.ensure("spec");
        let status = object.ensure("status");
        COUNTS.iter().for_each(|name| status.default_to(name, 0));
    },
    prepare_create: |object| {
        metadata::first_generation(object);
        object.set(
            "status",
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
        );
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object).get("spec"), false, &mut out);
        out
    },
    validate_update: |new, old| {
        let (mut found, mut out) = (Vec::new(), Vec::new());
        validate_selector(&Field::root(old).get("spec").get("selector"), false, &mut found);
        validate(&Field::root(new).get("spec"), !found.is_empty(), &mut out);
        out
    },
    validate_status: |new, _| {
        let status = Field::root(new).get("status");
        let mut out = Vec::new();
        conditions::validate(&status.get("conditions"), &mut out);
        COUNTS
            .iter()
            .for_each(|name| non_negative(&status.get(name), &mut out));
        out
    },
    columns: columns::POD_DISRUPTION_BUDGET,
    cells: |object, now| {
        let root = Field::root(object);
        let spec = root.get("spec");
        vec![
            table::name(object),
            cell::int_or_text(&spec.get("minAvailable"), "N/A"),
            cell::int_or_text(&spec.get("maxUnavailable"), "N/A"),
            root.get("status").get("disruptionsAllowed").int().into(),
            table::age(object, now),
        ]
    },
    unconditional_update: false,
    ..GENERIC_RULES
};

const COUNTS: [&str; 4] = [
    "disruptionsAllowed",
    "currentHealthy",
    "desiredHealthy",
    "expectedPods",
];

fn validate(spec: &Field<'_>, allow_invalid_values: bool, out: &mut Findings) {
    let (min, max) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if min.exists() && max.exists() {
        let shown = internal::shown("PodDisruptionBudgetSpec", spec.value());
        out.push(spec.invalid_shown(shown, "minAvailable and maxUnavailable cannot be both set"));
    }
    for amount in [min, max].iter().filter(|amount| amount.exists()) {
        workload::int_or_percent(amount, out);
        workload::at_most_100_percent(amount, out);
    }
    validate_selector(&spec.get("selector"), allow_invalid_values, out);
    check::one_of(
        &spec.get("unhealthyPodEvictionPolicy"),
        &["AlwaysAllow", "IfHealthyBudget"],
        out,
    );
}
