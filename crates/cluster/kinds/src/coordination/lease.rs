//! Lease (`pkg/registry/coordination/lease/strategy.go`, `pkg/apis/coordination/validation ValidateLease`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, table};

/// The row of Lease.
pub const RULES: Rules = Rules {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    name: names::dns_subdomain_name,
    default: |object| {
        object.ensure("spec");
    },
    prepare_create: |object| drop_disabled(object, &Value::Null),
    prepare_update: drop_disabled,
    validate_create: |object| validate(&Field::root(object).get("spec")),
    validate_update: |new, _| validate(&Field::root(new).get("spec")),
    columns: columns::LEASE,
    cells: |object, now| {
        let holder = Field::root(object).get("spec").get("holderIdentity").str();
        vec![table::name(object), holder.into(), table::age(object, now)]
    },
    create_on_update: true,
    unconditional_update: false,
    ..GENERIC_RULES
};

/// Coordinated leader election is a feature that is off.
fn drop_disabled(new: &mut Value, old: &Value) {
    for name in ["strategy", "preferredHolder"] {
        if !Field::root(old).get("spec").named(name).exists() {
            new.ensure("spec").unset(name);
        }
    }
}

fn validate(spec: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    let (seconds, transitions) = (spec.get("leaseDurationSeconds"), spec.get("leaseTransitions"));
    if seconds.opt_int().is_some_and(|seconds| seconds <= 0) {
        out.push(seconds.invalid("must be greater than 0"));
    }
    if transitions.int() < 0 {
        out.push(transitions.invalid("must be greater than or equal to 0"));
    }
    let (strategy, holder) = (spec.get("strategy"), spec.get("preferredHolder"));
    let place = strategy.get("strategy").with(strategy.value());
    if strategy.exists() && strategy.str().contains('/') {
        let texts = names::qualified_name(strategy.str());
        out.extend(texts.into_iter().map(|text| place.invalid(text)));
    } else if strategy.exists() && strategy.str() != "OldestEmulationVersion" {
        out.push(place.not_supported(&["OldestEmulationVersion"]));
    }
    if !holder.is_empty() && strategy.is_empty() {
        out.push(holder.forbidden("may only be specified if `strategy` is defined"));
    }
    out
}
