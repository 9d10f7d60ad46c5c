//! CronJob (`pkg/apis/batch/validation`, `pkg/registry/batch/cronjob/strategy.go`).

use serde_json::{Value, json};

use super::schedule::Schedule;
use super::{job, job_spec};
use crate::core::pod::Options;
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::shown_selector;
use crate::metadata::non_negative;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, names, selector, table, workload};

/// The row of CronJob.
pub const RULES: Rules = Rules {
    group: "batch",
    version: "v1",
    kind: "CronJob",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| workload::prepare_create(object, TEMPLATE, json!({})),
    prepare_update: |new, old| workload::prepare_update(new, old, TEMPLATE),
    validate_create: |object| validate_create(&Field::root(object)),
    validate_update: |new, old| validate_update(&Field::root(new), &Field::root(old)),
    warnings: |object| {
        let root = Field::root(object);
        let mut out: Vec<String> = workload::name_warning(&root).into_iter().collect();
        out.extend(job::spec_warnings(
            &root.get("spec").get("jobTemplate").get("spec"),
        ));
        out
    },
    update_warnings,
    columns: columns::CRON_JOB,
    cells,
    ..GENERIC_RULES
};

const TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template"];

/// The longest name that leaves room for the time that the names of Jobs end with.
const NAME_MAX: usize = 52;

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    spec.default_zero("concurrencyPolicy", "Allow");
    spec.default_to("suspend", false);
    spec.default_to("successfulJobsHistoryLimit", 3);
    spec.default_to("failedJobsHistoryLimit", 1);
    let template = spec.ensure("jobTemplate");
    template.ensure("metadata");
    job::template_of(template.ensure("spec"));
    object.ensure("status");
}

fn validate_create(object: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    validate_spec(&object.get("spec"), None, &Options::NEW_TEMPLATE, &mut out);
    let name = object.get("metadata").get("name");
    if name.len() > NAME_MAX {
        out.push(name.invalid(format!("must be no more than {NAME_MAX} characters")));
    }
    out
}

fn validate_update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let old = old.get("spec");
    let options = workload::options(&old.get("jobTemplate").get("spec").get("template"));
    let mut out = Vec::new();
    validate_spec(&new.get("spec"), Some(&old), &options, &mut out);
    out
}

fn validate_spec(spec: &Field<'_>, old: Option<&Field<'_>>, options: &Options, out: &mut Findings) {
    let (when, zone) = (spec.get("schedule"), spec.get("timeZone"));
    if when.is_empty() {
        out.push(when.required(""));
    } else {
        let zone_before = old.is_some_and(|old| old.get("schedule").str().contains("TZ"));
        schedule(&when, zone_before, &zone, out);
    }
    non_negative(&spec.get("startingDeadlineSeconds"), out);
    if old.is_none_or(|old| !old.get("timeZone").same(&zone)) {
        time_zone(&zone, out);
    }
    let policy = spec.get("concurrencyPolicy");
    match policy.str() {
        "Allow" | "Forbid" | "Replace" => {}
        "" => out.push(policy.required("")),
        _ => out.push(policy.not_supported(&["Allow", "Forbid", "Replace"])),
    }
    let job = spec.get("jobTemplate").get("spec");
    job_spec::validate(&job, options, out);
    let (selector, manual) = (job.get("selector"), job.get("manualSelector"));
    if selector.exists() {
        out.push(selector.invalid_shown(shown_selector(&selector), "`selector` will be auto-generated"));
    }
    if manual.bool() {
        out.push(manual.not_supported(&["nil", "false"]));
    }
    non_negative(&spec.get("successfulJobsHistoryLimit"), out);
    non_negative(&spec.get("failedJobsHistoryLimit"), out);
}

fn schedule(when: &Field<'_>, zone_allowed: bool, zone: &Field<'_>, out: &mut Findings) {
    if let Err(error) = Schedule::parse(when.str()) {
        out.push(when.invalid(error.to_string()));
    }
    if !when.str().contains("TZ") {
        return;
    }
    if !zone_allowed {
        out.push(when.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
    } else if zone.exists() {
        out.push(when.invalid("cannot use both timeZone field and TZ or CRON_TZ in schedule"));
    }
}

fn time_zone(zone: &Field<'_>, out: &mut Findings) {
    let Some(name) = zone.opt_str() else { return };
    if name.is_empty() {
        out.push(zone.invalid("timeZone must be nil or non-empty string"));
        return;
    }
    let is_part = |part: &str| {
        (1..=14).contains(&part.len())
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
    };
    if !name.split('/').all(is_part) {
        out.push(zone.invalid(format!("unknown time zone {name}")));
        return;
    }
    if name.eq_ignore_ascii_case("Local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        out.push(zone.invalid(detail));
    }
    // Go finds zones by the names of files, in which case matters; `Local` is known to it too.
    let known = name == "UTC"
        || name == "Local"
        || jiff::tz::db()
            .get(name)
            .is_ok_and(|zone| zone.iana_name() == Some(name));
    if !known {
        out.push(zone.invalid(format!("unknown time zone {name}")));
    }
}

fn update_warnings(new: &Value, old: &Value) -> Vec<String> {
    let (new, old) = (Field::root(new), Field::root(old));
    let generation = |object: &Field<'_>| object.get("metadata").get("generation").int();
    let mut out = Vec::new();
    if generation(&new) != generation(&old) {
        out.extend(job::spec_warnings(
            &new.get("spec").get("jobTemplate").get("spec"),
        ));
    }
    if new.get("spec").get("schedule").str().contains("TZ") {
        out.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                .to_owned(),
        );
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let job = spec.get("jobTemplate").get("spec");
    let [names, images] = workload::container_cells(&job.get("template"));
    let last = status.get("lastScheduleTime");
    let last = if last.exists() {
        table::since(last.str(), now)
    } else {
        "<none>".to_owned()
    };
    let suspended = match spec.get("suspend").opt_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    vec![
        table::name(object),
        spec.get("schedule").str().into(),
        spec.get("timeZone").opt_str().unwrap_or("<none>").into(),
        suspended.into(),
        status.get("active").len().into(),
        last.into(),
        table::age(object, now),
        names,
        images,
        selector::shown(job.get("selector").value()).into(),
    ]
}
