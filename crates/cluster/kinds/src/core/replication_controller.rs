//! ReplicationController (`pkg/apis/core/validation`, `pkg/registry/core/replicationcontroller/strategy.go`).

use serde_json::{Value, json};

use crate::apps::replica_set::REPLICAS;
use crate::core::pod::{Options, defaults, spec as pod_spec};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::metadata::{self, non_negative};
use crate::rules::{GENERIC_RULES, Rules};
use crate::selector::LabelSelector;
use crate::{columns, names, workload};

/// The row of ReplicationController.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "ReplicationController",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| workload::prepare_create(object, TEMPLATE, json!({"replicas": 0})),
    prepare_update: |new, old| workload::prepare_update(new, old, TEMPLATE),
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object).get("spec"), &Options::NEW_TEMPLATE, &mut out);
        out
    },
    validate_update,
    validate_status: |new, _| {
        let mut out = Vec::new();
        workload::counts(
            &Field::root(new).get("status"),
            &[
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "observedGeneration",
            ],
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
            "readyReplicas",
            &mut out,
        );
        out
    },
    warnings: workload::warnings,
    update_warnings: workload::update_warnings,
    columns: columns::REPLICATION_CONTROLLER,
    cells: |object, now| {
        let selector = workload::label_cell(&Field::root(object).get("spec").get("selector"));
        workload::replica_cells(object, now, selector)
    },
    selectable: REPLICAS,
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "template"];

fn default(object: &mut Value) {
    let labels = Field::root(object)
        .get("spec")
        .get("template")
        .get("metadata")
        .get("labels");
    let labels = labels.value().cloned();
    let spec = object.ensure("spec");
    spec.default_to("replicas", 1);
    if let Some(labels) = &labels {
        spec.default_zero("selector", labels.clone());
    }
    if let Some(template) = spec.child("template") {
        defaults::template(template);
    }
    if let Some(labels) = labels {
        object.ensure("metadata").default_zero("labels", labels);
    }
    object.ensure("status").default_to("replicas", 0);
}

/// Upstream checks the new object as on a create, and then as an update, which checks the spec again.
fn validate_update(new: &Value, old: &Value) -> Findings {
    let root = Field::root(new);
    let (spec, old_spec) = (root.get("spec"), Field::root(old).get("spec"));
    let options = workload::options(&old_spec.get("template"));
    let mut out = metadata::create_of_kubernetes(&root.get("metadata"), true, names::dns_subdomain_name);
    validate_spec(&spec, &options, &mut out);
    validate_spec(&spec, &options, &mut out);
    out
}

fn validate_spec(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    non_negative(&spec.get("minReadySeconds"), out);
    let selector = spec.get("selector");
    if selector.is_empty() {
        out.push(selector.required(""));
    }
    let replicas = spec.get("replicas");
    if replicas.exists() {
        non_negative(&replicas, out);
    } else {
        out.push(replicas.required(""));
    }
    let template = spec.get("template");
    if !template.exists() {
        out.push(template.required(""));
        return;
    }
    let selector = LabelSelector::from_map(selector.value());
    if !selector.is_everything() {
        workload::selects_template(&selector, &template, out);
    }
    pod_spec::validate_template(&template, options, out);
    workload::always_running(&template, "ReplicationController", out);
}
