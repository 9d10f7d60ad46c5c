//! HorizontalPodAutoscaler, v2 and v1 (`pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go`,
//! `pkg/apis/autoscaling/validation`). v1 is judged as the v2 that it stands for.

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::metadata::non_negative;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, names, resources};

use super::conversion::{DEFAULT_CPU_PERCENT, cpu_percent, to_v1, to_v2};
use super::{metrics, table};

/// The row of v2.
pub const RULES: Rules = Rules {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        object.set("status", json!({"currentMetrics": null, "desiredReplicas": 0}));
        drop_tolerance(object, None);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        drop_tolerance(new, Some(old));
    },
    validate_create: |object| validate(object, None),
    validate_update: |new, old| validate(new, Some(old)),
    validate_status,
    columns: columns::HORIZONTAL_POD_AUTOSCALER,
    cells: table::cells,
    ..GENERIC_RULES
};

/// The row of v1.
pub const V1_RULES: Rules = Rules {
    version: "v1",
    default: |object| {
        object.ensure("spec").default_to("minReplicas", 1);
        let mut stored = to_v2(object);
        default(&mut stored);
        *object = to_v1(&stored);
    },
    prepare_create: |object| object.set("status", json!({"currentReplicas": 0, "desiredReplicas": 0})),
    prepare_update: |new, old| keep_as_v2(new, old, "status"),
    prepare_status: |new, old| keep_as_v2(new, old, "spec"),
    validate_create: |object| validate(&to_v2(object), None),
    validate_update: |new, old| validate(&to_v2(new), Some(&to_v2(old))),
    cells: |object, now| table::cells(&to_v2(object), now),
    ..RULES
};

/// Parts of spec and status stand in the annotations of v1.
fn keep_as_v2(new: &mut Value, old: &Value, part: &str) {
    let mut stored = to_v2(new);
    stored.keep(part, &to_v2(old));
    *new = to_v1(&stored);
}

const WINDOW_MAX: i64 = 3600;
const PERIOD_MAX: i64 = 1800;

fn default(object: &mut Value) {
    object.ensure("status").default_to("desiredReplicas", 0);
    let spec = object.ensure("spec");
    spec.default_to("minReplicas", 1);
    if Field::root(spec).get("metrics").is_empty() {
        spec.set("metrics", json!([cpu_percent(DEFAULT_CPU_PERCENT)]));
    }
    if let Some(behavior) = spec.child("behavior") {
        let policy = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
        let up = behavior.ensure("scaleUp");
        up.default_to("stabilizationWindowSeconds", 0);
        up.default_to("selectPolicy", "Max");
        up.default_to("policies", json!([policy("Pods", 4), policy("Percent", 100)]));
        let down = behavior.ensure("scaleDown");
        down.default_to("selectPolicy", "Max");
        down.default_to("policies", json!([policy("Percent", 100)]));
    }
}

const DIRECTIONS: [&str; 2] = ["scaleDown", "scaleUp"];

/// A tolerance of one's own is a feature that is off.
fn drop_tolerance(new: &mut Value, old: Option<&Value>) {
    let behavior = old.map(|old| Field::root(old).get("spec").get("behavior"));
    let in_use = DIRECTIONS.iter().any(|direction| {
        behavior
            .as_ref()
            .is_some_and(|behavior| behavior.get(direction).get("tolerance").exists())
    });
    if in_use {
        return;
    }
    for direction in DIRECTIONS {
        if let Some(rules) = new.descend(&["spec", "behavior", direction]) {
            rules.unset("tolerance");
        }
    }
}

fn validate(new: &Value, old: Option<&Value>) -> Findings {
    let spec = Field::root(new).get("spec");
    let old = old.map(|old| Field::root(old).get("spec"));
    let mut out = Vec::new();
    let (min, max, target) = (
        spec.get("minReplicas"),
        spec.get("maxReplicas"),
        spec.get("scaleTargetRef"),
    );
    let could_be_zero = |old: &Field<'_>| old.get("minReplicas").opt_int() == Some(0);
    let lowest = i64::from(!old.as_ref().is_some_and(could_be_zero));
    if min.opt_int().is_some_and(|min| min < lowest) {
        out.push(min.invalid(format!("must be greater than or equal to {lowest}")));
    }
    if max.int() < 1 {
        out.push(max.invalid_value(max.int(), "must be greater than 0"));
    }
    if min.opt_int().is_some_and(|min| max.int() < min) {
        out.push(max.invalid_value(max.int(), "must be greater than or equal to `minReplicas`"));
    }
    let same = |old: &Field<'_>| {
        let old = old.get("scaleTargetRef");
        ["apiVersion", "kind"]
            .iter()
            .all(|name| old.get(name).str() == target.get(name).str())
    };
    let version = match &old {
        Some(old) if same(old) => metrics::Version::Any,
        _ if target.get("kind").str() == "ReplicationController" => metrics::Version::CoreToo,
        _ => metrics::Version::WithGroup,
    };
    metrics::reference(&target, version, &mut out);
    metrics::validate(&spec, old.as_ref(), &mut out);
    behavior(&spec.get("behavior"), &mut out);
    out
}

fn behavior(behavior: &Field<'_>, out: &mut Findings) {
    for direction in ["scaleUp", "scaleDown"] {
        let rules = behavior.get(direction);
        if rules.exists() {
            scaling_rules(&rules, out);
        }
    }
}

fn scaling_rules(rules: &Field<'_>, out: &mut Findings) {
    let (window, policies) = (rules.get("stabilizationWindowSeconds"), rules.get("policies"));
    if window.int() < 0 {
        out.push(window.invalid("must be greater than or equal to zero"));
    }
    if window.int() > WINDOW_MAX {
        out.push(window.invalid(format!("must be less than or equal to {WINDOW_MAX}")));
    }
    check::one_of(&rules.get("selectPolicy"), &["Disabled", "Max", "Min"], out);
    if policies.is_empty() {
        out.push(policies.required("must specify at least one Policy"));
    }
    for policy in policies.list() {
        let kind = policy.get("type");
        if !matches!(kind.str(), "Pods" | "Percent") {
            out.push(kind.not_supported_value(kind.str(), &["Percent", "Pods"]));
        }
        for name in ["value", "periodSeconds"] {
            let number = policy.get(name);
            if number.int() <= 0 {
                out.push(number.invalid_value(number.int(), "must be greater than zero"));
            }
        }
        let period = policy.get("periodSeconds");
        if period.int() > PERIOD_MAX {
            out.push(period.invalid(format!("must be less than or equal to {PERIOD_MAX}")));
        }
    }
    let tolerance = rules.get("tolerance");
    if let Some(amount) = resources::quantity(&tolerance).filter(|amount| amount.sign() < 0) {
        out.push(tolerance.invalid_value(amount.to_string(), "must be greater than or equal to 0"));
    }
}

fn validate_status(new: &Value, _: &Value) -> Findings {
    let status = Field::root(new).get("status");
    let mut out = Vec::new();
    non_negative(&status.get("currentReplicas"), &mut out);
    non_negative(&status.get("desiredReplicas"), &mut out);
    out
}
