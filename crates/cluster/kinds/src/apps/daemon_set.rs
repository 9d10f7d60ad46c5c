//! DaemonSet (`pkg/apis/apps/validation`, `pkg/registry/apps/daemonset/strategy.go`). Its template's generation, a field
//! inside, is an annotation outside (`pkg/apis/apps/v1/conversion.go`).

use serde_json::{Value, json};

use super::deployment::shown_strategy;
use crate::core::pod::{Options, defaults, spec as pod_spec, warnings};
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::labels::{immutable_selector, shown_selector, validate_selector};
use crate::metadata::{self, non_negative};
use crate::rules::{GENERIC_RULES, Rules};
use crate::selector::{self, LabelSelector};
use crate::{columns, names, table, workload};

/// The row of DaemonSet.
pub const RULES: Rules = Rules {
    group: "apps",
    version: "v1",
    kind: "DaemonSet",
    name: names::dns_subdomain_name,
    default,
    prepare_create,
    prepare_update,
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object), &Options::NEW_TEMPLATE, &mut out);
        out
    },
    validate_update,
    validate_status,
    warnings: |object| warnings::of_template(&Field::root(object).get("spec").get("template")),
    update_warnings: |new, old| {
        if template_generation(new) == template_generation(old) {
            return Vec::new();
        }
        warnings::of_template(&Field::root(new).get("spec").get("template"))
    },
    columns: columns::DAEMON_SET,
    cells,
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "template"];
const GENERATION: &str = "deprecated.daemonset.template.generation";
const REQUIRED_COUNTS: [&str; 4] = [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
];

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    let strategy = spec.ensure("updateStrategy");
    strategy.default_zero("type", "RollingUpdate");
    if Field::root(strategy).get("type").str() == "RollingUpdate" {
        let rolling = strategy.ensure("rollingUpdate");
        rolling.default_to("maxUnavailable", 1);
        rolling.default_to("maxSurge", 0);
    } else if let Some(rolling) = strategy.child("rollingUpdate") {
        // Inside they are numbers, which are there even where they do not count.
        rolling.default_to("maxUnavailable", 0);
        rolling.default_to("maxSurge", 0);
    }
    spec.default_to("revisionHistoryLimit", 10);
    defaults::template(spec.ensure("template"));
    // As the conversion from the internal form, which has a number there.
    let generation = template_generation(object);
    set_template_generation(object, generation);
    let status = object.ensure("status");
    REQUIRED_COUNTS.iter().for_each(|name| status.default_to(name, 0));
}

fn template_generation(object: &Value) -> i64 {
    let annotation = Field::root(object)
        .get("metadata")
        .get("annotations")
        .key(GENERATION);
    annotation.str().parse().unwrap_or_default()
}

fn set_template_generation(object: &mut Value, generation: i64) {
    object
        .ensure("metadata")
        .ensure("annotations")
        .set(GENERATION, generation.to_string());
}

fn prepare_create(object: &mut Value) {
    let counts = REQUIRED_COUNTS.iter().map(|name| ((*name).to_owned(), json!(0)));
    workload::prepare_create(object, TEMPLATE, Value::Object(counts.collect()));
    let generation = template_generation(object).max(1);
    set_template_generation(object, generation);
}

fn prepare_update(new: &mut Value, old: &Value) {
    new.keep("status", old);
    workload::drop_disabled(new, old, TEMPLATE);
    let generation = template_generation(old);
    if workload::changed(new, old, &["spec", "template"]) {
        set_template_generation(new, generation.saturating_add(1));
        metadata::next_generation(new, old);
    } else {
        set_template_generation(new, generation);
        if !same(new.get("spec"), old.get("spec")) {
            metadata::next_generation(new, old);
        }
    }
}

fn validate_update(new: &Value, old: &Value) -> Findings {
    let (root, old_root) = (Field::root(new), Field::root(old));
    let (spec, old_spec) = (root.get("spec"), old_root.get("spec"));
    let mut out = Vec::new();
    // What preparing counts cannot be wrong; the generation is not looked at again.
    immutable_selector(&spec.get("selector"), &old_spec.get("selector"), &mut out);
    let mut options = workload::options(&old_spec.get("template"));
    options.allow_invalid_selector_values |= old_spec.get("selector").items("matchExpressions").any(|e| {
        e.get("values")
            .strings()
            .any(|value| !names::label_value(value).is_empty())
    });
    validate_spec(&root, &options, &mut out);
    out
}

fn validate_spec(object: &Field<'_>, options: &Options, out: &mut Findings) {
    let spec = object.get("spec");
    let (selector, template) = (spec.get("selector"), spec.get("template"));
    validate_selector(&selector, options.allow_invalid_selector_values, out);
    if let Ok(selector) = LabelSelector::from_object(selector.value()) {
        workload::selects_template(&selector, &template, out);
    }
    let empty = selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty();
    if selector.exists() && empty {
        let detail = "empty selector is invalid for daemonset";
        out.push(selector.invalid_shown(shown_selector(&selector), detail));
    }
    pod_spec::validate_template(&template, options, out);
    workload::always_running(&template, "DaemonSet", out);
    non_negative(&spec.get("minReadySeconds"), out);
    validate_strategy(&spec.get("updateStrategy"), out);
    non_negative(&spec.get("revisionHistoryLimit"), out);
}

fn validate_strategy(strategy: &Field<'_>, out: &mut Findings) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").str() {
        "OnDelete" => {}
        "RollingUpdate" if !rolling.exists() => out.push(rolling.required("")),
        "RollingUpdate" => {
            let places = [rolling.get("maxUnavailable"), rolling.get("maxSurge")];
            places
                .iter()
                .for_each(|place| workload::int_or_percent(place, out));
            places
                .iter()
                .for_each(|place| workload::at_most_100_percent(place, out));
            let [unavailable, surge] = &places;
            let is_set = |place: &Field<'_>| workload::int_or_percent_value(place) != 0;
            match (is_set(unavailable), is_set(surge)) {
                (true, true) => out.push(surge.invalid("may not be set when maxUnavailable is non-zero")),
                (false, false) => out.push(unavailable.required("cannot be 0 when maxSurge is 0")),
                _ => {}
            }
        }
        _ => {
            let mut finding = strategy.not_supported(&["RollingUpdate", "OnDelete"]);
            let fields = [
                ("MaxUnavailable", "maxUnavailable", "0"),
                ("MaxSurge", "maxSurge", "0"),
            ];
            finding.shown = Some(shown_strategy(strategy, &fields));
            out.push(finding);
        }
    }
}

fn validate_status(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new).get("status"), Field::root(old).get("status"));
    let mut out = Vec::new();
    for name in [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ] {
        non_negative(&new.get(name), &mut out);
    }
    workload::collisions(&new, &old, &mut out);
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let template = spec.get("template");
    let [names, images] = workload::container_cells(&template);
    let count = |name: &'static str| Value::from(status.get(name).int());
    vec![
        table::name(object),
        count("desiredNumberScheduled"),
        count("currentNumberScheduled"),
        count("numberReady"),
        count("updatedNumberScheduled"),
        count("numberAvailable"),
        workload::label_cell(&template.get("spec").get("nodeSelector")).into(),
        table::age(object, now),
        names,
        images,
        selector::shown(spec.get("selector").value()).into(),
    ]
}
