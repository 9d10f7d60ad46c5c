//! Deployment (`pkg/apis/apps/validation`, `pkg/registry/apps/deployment/strategy.go`).

use serde_json::{Value, json};

use crate::core::pod::{Options, defaults};
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::go_json;
use crate::labels::immutable_selector;
use crate::metadata::{self, non_negative};
use crate::rules::{GENERIC_RULES, Rules};
use crate::selector::LabelSelector;
use crate::{columns, names, table, workload};

/// The row of Deployment.
pub const RULES: Rules = Rules {
    group: "apps",
    version: "v1",
    kind: "Deployment",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| workload::prepare_create(object, TEMPLATE, json!({})),
    prepare_update,
    prepare_status,
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object).get("spec"), &Options::NEW_TEMPLATE, &mut out);
        out
    },
    validate_update,
    validate_status,
    warnings: workload::warnings,
    update_warnings: workload::update_warnings,
    columns: columns::DEPLOYMENT,
    cells,
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "template"];

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    spec.default_to("replicas", 1);
    let strategy = spec.ensure("strategy");
    strategy.default_zero("type", "RollingUpdate");
    if Field::root(strategy).get("type").str() == "RollingUpdate" {
        let rolling = strategy.ensure("rollingUpdate");
        rolling.default_to("maxUnavailable", "25%");
        rolling.default_to("maxSurge", "25%");
    }
    spec.default_to("revisionHistoryLimit", 10);
    spec.default_to("progressDeadlineSeconds", 600);
    defaults::template(spec.ensure("template"));
    object.ensure("status");
}

/// The generation counts changes of annotations too, which upstream's controller reads revisions from.
fn prepare_update(new: &mut Value, old: &Value) {
    new.keep("status", old);
    workload::drop_disabled(new, old, TEMPLATE);
    let changed = workload::changed(new, old, &["metadata", "annotations"]);
    if changed || !same(new.get("spec"), old.get("spec")) {
        metadata::next_generation(new, old);
    }
}

fn prepare_status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
    if let Some(old) = old.get("metadata") {
        new.ensure("metadata").keep("labels", old);
    }
    drop_terminating(new, old);
}

/// The count of terminating pods is a feature that is off.
pub(super) fn drop_terminating(new: &mut Value, old: &Value) {
    if !Field::root(old).get("status").get("terminatingReplicas").exists() {
        new.ensure("status").unset("terminatingReplicas");
    }
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
    workload::required_selector(&spec.get("selector"), "deployment", out);
    if let Some(selector) = workload::selector(&spec.get("selector"), "invalid label selector", out) {
        workload::replica_set_template(&selector, &spec.get("template"), options, out);
    }
    validate_strategy(&spec.get("strategy"), out);
    let (ready, deadline) = (spec.get("minReadySeconds"), spec.get("progressDeadlineSeconds"));
    non_negative(&ready, out);
    non_negative(&spec.get("revisionHistoryLimit"), out);
    non_negative(&deadline, out);
    if deadline.opt_int().is_some_and(|seconds| seconds <= ready.int()) {
        out.push(deadline.invalid("must be greater than minReadySeconds"));
    }
}

fn validate_strategy(strategy: &Field<'_>, out: &mut Findings) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").str() {
        "Recreate" => {
            if rolling.exists() {
                out.push(rolling.forbidden("may not be specified when strategy `type` is 'Recreate'"));
            }
        }
        "RollingUpdate" if !rolling.exists() => {
            out.push(rolling.required("this should be defaulted and never be nil"));
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            workload::int_or_percent(&unavailable, out);
            workload::int_or_percent(&surge, out);
            if workload::int_or_percent_value(&unavailable) == 0
                && workload::int_or_percent_value(&surge) == 0
            {
                out.push(unavailable.invalid("may not be 0 when `maxSurge` is 0"));
            }
            workload::at_most_100_percent(&unavailable, out);
        }
        _ => {
            let mut finding = strategy.not_supported(&["Recreate", "RollingUpdate"]);
            finding.shown = Some(shown_strategy(
                strategy,
                &[
                    ("MaxUnavailable", "maxUnavailable", "0"),
                    ("MaxSurge", "maxSurge", "0"),
                ],
            ));
            out.push(finding);
        }
    }
}

/// A strategy as upstream's internal struct; `fields` are those of its rolling update, each with what stands for none.
pub(super) fn shown_strategy(strategy: &Field<'_>, fields: &[(&str, &'static str, &str)]) -> String {
    let rolling = strategy.get("rollingUpdate");
    let parts: Vec<String> = fields
        .iter()
        .map(|(go, name, none)| {
            format!(
                "\"{go}\":{}",
                rolling.get(name).value().map_or((*none).to_owned(), go_json)
            )
        })
        .collect();
    let rolling = if rolling.exists() {
        format!("{{{}}}", parts.join(","))
    } else {
        "null".to_owned()
    };
    format!(
        "{{\"Type\":{},\"RollingUpdate\":{rolling}}}",
        go_json(&strategy.get("type").str().into())
    )
}

fn validate_status(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new).get("status"), Field::root(old).get("status"));
    let mut out = Vec::new();
    workload::counts(
        &new,
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ],
        &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "readyReplicas",
        &mut out,
    );
    workload::collisions(&new, &old, &mut out);
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let [names, images] = workload::container_cells(&spec.get("template"));
    let selector = LabelSelector::from_object(spec.get("selector").value());
    let selector = selector.map_or("<invalid>".to_owned(), |selector| selector.to_string());
    vec![
        table::name(object),
        format!(
            "{}/{}",
            status.get("readyReplicas").int(),
            spec.get("replicas").int()
        )
        .into(),
        status.get("updatedReplicas").int().into(),
        status.get("availableReplicas").int().into(),
        table::age(object, now),
        names,
        images,
        selector.into(),
    ]
}
