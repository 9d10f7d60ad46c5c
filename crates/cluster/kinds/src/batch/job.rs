//! Job (`pkg/apis/batch/validation`, `pkg/registry/batch/job/strategy.go`).

use serde_json::{Value, json};

use super::{job_spec, job_status};
use crate::core::pod::{Options, defaults, warnings};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::{immutable_selector, validate_selector};
use crate::metadata::{self, immutable};
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::selector::{self, LabelSelector};
use crate::{columns, names, table, workload};

/// The row of Job.
pub const RULES: Rules = Rules {
    group: "batch",
    version: "v1",
    kind: "Job",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        generate_selector(object);
        workload::prepare_create(object, TEMPLATE, json!({}));
        labels_of_template(object);
    },
    prepare_update: |new, old| workload::prepare_update(new, old, TEMPLATE),
    validate_create: |object| validate(&Field::root(object), &Options::NEW_TEMPLATE, true),
    validate_update: |new, old| validate_update(&Field::root(new), &Field::root(old)),
    validate_status: |new, old| job_status::validate(&Field::root(new), &Field::root(old)),
    warnings: |object| {
        let root = Field::root(object);
        let mut out: Vec<String> = workload::name_warning(&root).into_iter().collect();
        out.extend(spec_warnings(&root.get("spec")));
        out
    },
    update_warnings: |new, old| {
        let generation = |object: &Value| Field::root(object).get("metadata").get("generation").int();
        if generation(new) == generation(old) {
            return Vec::new();
        }
        spec_warnings(&Field::root(new).get("spec"))
    },
    columns: columns::JOB,
    cells,
    selectable: &[Selectable {
        name: "status.successful",
        value: |object| {
            Field::root(object)
                .get("status")
                .get("succeeded")
                .int()
                .to_string()
        },
    }],
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "template"];

/// Labels of a Job's pods; the first of each pair is the old form.
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    let has = |spec: &Value, name: &'static str| Field::root(spec).get(name).exists();
    if !has(spec, "completions") && !has(spec, "parallelism") {
        spec.set("completions", 1);
    }
    spec.default_to("parallelism", 1);
    let retries = if has(spec, "backoffLimitPerIndex") {
        i32::MAX
    } else {
        6
    };
    spec.default_to("backoffLimit", retries);
    spec.default_to("completionMode", "NonIndexed");
    spec.default_to("suspend", false);
    let replacement = if has(spec, "podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    spec.default_to("podReplacementPolicy", replacement);
    spec.default_to("manualSelector", false);
    template_of(spec);
    object.ensure("status");
    // A new Job gets them once those of its own are generated: upstream's two maps are one. Who selects himself gets
    // them at once.
    let spec = Field::root(object).get("spec");
    let labels = spec.get("template").get("metadata").get("labels");
    if spec.get("manualSelector").bool() || labels.key(UID_LABELS[1]).exists() {
        labels_of_template(object);
    }
}

/// A Job without labels has those of its template.
fn labels_of_template(object: &mut Value) {
    let labels = Field::root(object)
        .get("spec")
        .get("template")
        .get("metadata")
        .get("labels");
    if let Some(labels) = labels.value().cloned() {
        object.ensure("metadata").default_zero("labels", labels);
    }
}

/// Fills in what the templates of Jobs have, in a Job and in a CronJob.
pub(super) fn template_of(spec: &mut Value) {
    if let Some(policy) = spec.child("podFailurePolicy") {
        for rule in policy.each("rules") {
            for pattern in rule.each("onPodConditions") {
                pattern.default_zero("status", "True");
            }
        }
    }
    defaults::template(spec.ensure("template"));
}

/// A Job selects the pods that carry its uid, unless the client selects himself.
fn generate_selector(object: &mut Value) {
    let root = Field::root(object);
    if root.get("spec").get("manualSelector").bool() {
        return;
    }
    let meta = root.get("metadata");
    let (name, uid) = (
        meta.get("name").str().to_owned(),
        meta.get("uid").str().to_owned(),
    );
    let spec = object.ensure("spec");
    let labels = spec.ensure("template").ensure("metadata").ensure("labels");
    for (keys, value) in [(NAME_LABELS, &name), (UID_LABELS, &uid)] {
        keys.iter().for_each(|key| labels.default_to(key, value.as_str()));
    }
    spec.ensure("selector")
        .ensure("matchLabels")
        .default_to(UID_LABELS[1], uid);
}

fn validate(job: &Field<'_>, options: &Options, prefixed_labels: bool) -> Findings {
    let mut out = Vec::new();
    let (meta, spec) = (job.get("metadata"), job.get("spec"));
    generated_selector(job, prefixed_labels, &mut out);
    validate_spec(&spec, options, &mut out);
    let completions = spec.get("completions").int();
    if spec.get("completionMode").str() == "Indexed" && completions > 0 {
        let name = meta.get("name");
        let longest = format!("{}-{}", name.str(), completions - 1);
        if !names::dns_label(&longest).is_empty() {
            out.push(name.invalid(format!(
                "will not able to create pod with invalid DNS label: {longest}"
            )));
        }
    }
    out
}

fn validate_spec(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    job_spec::validate(spec, options, out);
    let selector = spec.get("selector");
    if selector.exists() {
        validate_selector(&selector, options.allow_invalid_selector_values, out);
    } else {
        out.push(selector.required(""));
    }
    if let Ok(selector) = LabelSelector::from_object(selector.value()) {
        workload::selects_template(&selector, &spec.get("template"), out);
    }
}

/// What the server generates must be there, and must not have been changed by the client.
fn generated_selector(job: &Field<'_>, prefixed_labels: bool, out: &mut Findings) {
    let (meta, spec) = (job.get("metadata"), job.get("spec"));
    if spec.get("manualSelector").bool() || !spec.get("selector").exists() {
        return;
    }
    let (name, uid) = (meta.get("name").str(), meta.get("uid"));
    if uid.is_empty() {
        out.push(uid.required(""));
    }
    let labels = spec.get("template").get("metadata").get("labels");
    let mut expected = Vec::new();
    for index in 0..=usize::from(prefixed_labels) {
        for (key, value) in [(UID_LABELS[index], uid.str()), (NAME_LABELS[index], name)] {
            let label = labels.key(key);
            if !label.exists() {
                out.push(label.required(format!("must be '{value}'")));
            } else if label.str() != value {
                let all = labels.value().cloned().unwrap_or_default();
                out.push(label.invalid_value(all, format!("must be '{value}'")));
            }
            expected.push((key.to_owned(), Value::from(value)));
        }
    }
    let expected = Value::Object(expected.into_iter().collect());
    let selector = spec.get("selector");
    if LabelSelector::from_object(selector.value()).is_ok_and(|selector| !selector.matches(Some(&expected))) {
        let shown = crate::labels::shown_selector(&selector);
        out.push(selector.invalid_shown(shown, "`selector` not auto-generated"));
    }
}

fn validate_update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let old_template = old_spec.get("template");
    let mut options = workload::options(&old_template);
    options.allow_invalid_selector_values |= old_spec.get("selector").items("matchExpressions").any(|e| {
        e.get("values")
            .strings()
            .any(|value| !names::label_value(value).is_empty())
    });
    let old_labels = old_template.get("metadata").get("labels");
    let prefixed = old_labels.key(NAME_LABELS[1]).exists() && old_labels.key(UID_LABELS[1]).exists();
    // Upstream checks the new object as on a create, and then as an update, which checks the spec again.
    let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
    out.extend(validate(new, &options, prefixed));
    validate_spec(&spec, &options, &mut out);
    completions(&spec, &old_spec, &mut out);
    immutable_selector(&spec.get("selector"), &old_spec.get("selector"), &mut out);
    let movable = old_spec.get("suspend").bool() && !old.get("status").get("startTime").exists();
    immutable_template(&spec.get("template"), &old_template, movable, &mut out);
    for (name, internal) in [
        ("completionMode", None),
        ("podFailurePolicy", Some("PodFailurePolicy")),
        ("backoffLimitPerIndex", None),
        ("managedBy", None),
        ("successPolicy", Some("SuccessPolicy")),
    ] {
        match internal {
            None => immutable(&spec.get(name), &old_spec.get(name), &mut out),
            Some(r#type) => {
                let old = old_spec.get(name).value().cloned().unwrap_or_default();
                immutable_internal(&spec.get(name), &old, r#type, &mut out);
            }
        }
    }
    out
}

/// How many must succeed changes only together with how many run at once, and only where each has an index.
fn completions(spec: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let (new, old) = (spec.get("completions"), old.get("completions"));
    if spec.get("completionMode").str() != "Indexed" {
        immutable(&new, &old, out);
    } else if new.exists() && !new.same(&old) && new.int() != spec.get("parallelism").int() {
        out.push(new.invalid("can only be modified in tandem with spec.parallelism"));
    }
}

/// The template stays as it is; of a Job that never ran, where its pods may run may change.
fn immutable_template(new: &Field<'_>, old: &Field<'_>, movable: bool, out: &mut Findings) {
    let mut expected = old.value().cloned().unwrap_or_default();
    if movable {
        let new_value = new.value().cloned().unwrap_or_default();
        let (spec, new_spec) = (
            expected.ensure("spec"),
            new_value.get("spec").cloned().unwrap_or_default(),
        );
        for name in ["nodeSelector", "tolerations", "schedulingGates"] {
            spec.keep(name, &new_spec);
        }
        let affinity = new_spec.get("affinity").cloned().unwrap_or_default();
        if affinity.is_null() {
            if let Some(affinity) = spec.child("affinity") {
                affinity.unset("nodeAffinity");
            }
            if Field::root(spec).get("affinity").is_empty() {
                spec.unset("affinity");
            }
        } else {
            spec.ensure("affinity").keep("nodeAffinity", &affinity);
        }
        let meta = new_value.get("metadata").cloned().unwrap_or_default();
        for name in ["annotations", "labels"] {
            expected.ensure("metadata").keep(name, &meta);
        }
    }
    immutable_internal(new, &expected, "PodTemplateSpec", out);
}

/// A field that is shown as upstream's struct of this name.
fn immutable_internal(new: &Field<'_>, expected: &Value, r#type: &str, out: &mut Findings) {
    if !new.same(&new.with(Some(expected))) {
        let shown = crate::internal::shown(r#type, new.value());
        out.push(new.invalid_shown(shown, metadata::IMMUTABLE));
    }
}

/// Warnings about the spec of a Job.
pub(super) fn spec_warnings(spec: &Field<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let indexed = spec.get("completionMode").str() == "Indexed";
    if indexed && spec.get("completions").int() > 100_000 && spec.get("parallelism").int() > 10_000 {
        out.push(format!(
            "{}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, \
             Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
            spec.path()
        ));
    }
    out.extend(warnings::of_template(&spec.get("template")));
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let succeeded = status.get("succeeded").int();
    let completions = match (spec.get("completions").opt_int(), spec.get("parallelism").int()) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let start = table::seconds(status.get("startTime").str());
    let end = table::seconds(status.get("completionTime").str()).unwrap_or(now);
    let duration = start.map_or(String::new(), |start| {
        table::human_duration(end.saturating_sub(start))
    });
    let [names, images] = workload::container_cells(&spec.get("template"));
    vec![
        table::name(object),
        state(&root).into(),
        completions.into(),
        duration.into(),
        table::age(object, now),
        names,
        images,
        selector::shown(spec.get("selector").value()).into(),
    ]
}

fn state(job: &Field<'_>) -> &'static str {
    let status = job.get("status");
    let is = |condition| job_status::is_true(&status, condition);
    match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if job.get("metadata").get("deletionTimestamp").exists() => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}
