//! PriorityClass (`pkg/registry/scheduling/priorityclass/strategy.go`, `pkg/apis/scheduling/validation`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, table};

/// The row of PriorityClass.
pub const RULES: Rules = Rules {
    group: "scheduling.k8s.io",
    version: "v1",
    kind: "PriorityClass",
    name: names::dns_subdomain_name,
    default: |object| {
        object.default_to("preemptionPolicy", "PreemptLowerPriority");
        object.default_to("value", 0);
    },
    prepare_create: metadata::first_generation,
    validate_create,
    validate_update: |new, old| {
        let (new, old) = (Field::root(new), Field::root(old));
        let mut out = Vec::new();
        let value = new.get("value");
        if value.int() != old.get("value").int() {
            out.push(value.forbidden("may not be changed in an update."));
        }
        let policy = "preemptionPolicy";
        metadata::immutable(&new.get(policy), &old.get(policy), &mut out);
        out
    },
    columns: columns::PRIORITY_CLASS,
    cells: |object, now| {
        let root = Field::root(object);
        vec![
            table::name(object),
            root.get("value").int().into(),
            root.get("globalDefault").bool().into(),
            table::age(object, now),
            root.get("preemptionPolicy").str().into(),
        ]
    },
    ..GENERIC_RULES
};

const RESERVED: &str = "system-";
const HIGHEST_FOR_USERS: i64 = 1_000_000_000;
/// The classes that every cluster has.
const SYSTEM: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

fn validate_create(object: &Value) -> Findings {
    let root = Field::root(object);
    let (name, value, policy) = (
        root.get("metadata").get("name"),
        root.get("value"),
        root.get("preemptionPolicy"),
    );
    let mut out = Vec::new();
    if name.str().starts_with(RESERVED) {
        if let Some(error) = unlike_system(name.str(), value.int(), root.get("globalDefault").bool()) {
            out.push(name.forbidden(format!(
                "priority class names with '{RESERVED}' prefix are reserved for system use only. error: {error}"
            )));
        }
    } else if value.int() > HIGHEST_FOR_USERS {
        out.push(value.forbidden(format!(
            "maximum allowed value of a user defined priority is {HIGHEST_FOR_USERS}"
        )));
    }
    if policy.exists() {
        check::required_one_of(&policy, &["PreemptLowerPriority", "Never"], &mut out);
    }
    out
}

/// How a class differs from the one of the system that has its name.
fn unlike_system(name: &str, value: i64, is_default: bool) -> Option<String> {
    let Some((_, expected)) = SYSTEM.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if *expected != value {
        return Some(format!("value of {name} PriorityClass must be {expected}"));
    }
    is_default.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}
