//! ReplicaSet (`pkg/apis/apps/validation`, `pkg/registry/apps/replicaset/strategy.go`).

use serde_json::{Value, json};

use super::deployment::drop_terminating;
use crate::core::pod::{Options, defaults};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::immutable_selector;
use crate::metadata::non_negative;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{columns, names, selector, workload};

/// The row of ReplicaSet.
pub const RULES: Rules = Rules {
    group: "apps",
    version: "v1",
    kind: "ReplicaSet",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| workload::prepare_create(object, TEMPLATE, json!({"replicas": 0})),
    prepare_update: |new, old| workload::prepare_update(new, old, TEMPLATE),
    prepare_status: |new, old| {
        new.keep("spec", old);
        drop_terminating(new, old);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object).get("spec"), &Options::NEW_TEMPLATE, &mut out);
        out
    },
    validate_update,
    validate_status: |new, _| validate_status(&Field::root(new).get("status")),
    warnings: workload::warnings,
    update_warnings: workload::update_warnings,
    columns: columns::REPLICA_SET,
    cells: |object, now| {
        let selector = selector::shown(Field::root(object).get("spec").get("selector").value());
        workload::replica_cells(object, now, selector)
    },
    selectable: REPLICAS,
    ..GENERIC_RULES
};

/// ReplicaSets and ReplicationControllers can be selected by how many pods they have.
pub const REPLICAS: &[Selectable] = &[Selectable {
    name: "status.replicas",
    value: |object| {
        Field::root(object)
            .get("status")
            .get("replicas")
            .int()
            .to_string()
    },
}];

const TEMPLATE: &[&str] = &["spec", "template"];

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    spec.default_to("replicas", 1);
    defaults::template(spec.ensure("template"));
    object.ensure("status").default_to("replicas", 0);
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    let mut out = Vec::new();
    validate_spec(&new, &workload::options(&old.get("template")), &mut out);
    immutable_selector(&new.get("selector"), &old.get("selector"), &mut out);
    out
}

fn validate_spec(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    non_negative(&spec.get("replicas"), out);
    non_negative(&spec.get("minReadySeconds"), out);
    // Upstream says deployment here too.
    workload::required_selector(&spec.get("selector"), "deployment", out);
    if let Some(selector) = workload::selector(&spec.get("selector"), "invalid label selector", out) {
        workload::replica_set_template(&selector, &spec.get("template"), options, out);
    }
}

/// What is wrong with the status of a ReplicaSet.
fn validate_status(status: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    workload::counts(
        status,
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
            "terminatingReplicas",
        ],
        &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        "readyReplicas",
        &mut out,
    );
    out
}
