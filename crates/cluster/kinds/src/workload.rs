//! What the kinds that make pods from a template have in common.

use serde_json::{Value, json};

use crate::core::pod::{self, Options, spec, warnings};
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::go_json;
use crate::labels::{shown_selector, validate_selector};
use crate::metadata::{self, non_negative};
use crate::selector::LabelSelector;
use crate::{names, table};

/// Before a create: status is what it is when nothing happened yet.
pub fn prepare_create(object: &mut Value, template: &[&str], status: Value) {
    metadata::first_generation(object);
    object.set("status", status);
    if let Some(spec) = object
        .descend(template)
        .and_then(|template| template.child("spec"))
    {
        pod::drop_disabled(spec, None);
    }
}

/// Before an update: status stays, fields that are off stay away, the generation counts changes of the spec.
pub fn prepare_update(new: &mut Value, old: &Value, template: &[&str]) {
    new.keep("status", old);
    drop_disabled(new, old, template);
    metadata::bump_generation(new, old);
}

/// Takes fields of features that are off out of the template.
pub fn drop_disabled(new: &mut Value, old: &Value, template: &[&str]) {
    let old = template
        .iter()
        .chain(&["spec"])
        .try_fold(old, |value, name| value.get(name));
    if let Some(spec) = new.descend(template).and_then(|template| template.child("spec")) {
        pod::drop_disabled(spec, old);
    }
}

/// How strict to be with a template that replaces another.
pub fn options(old_template: &Field<'_>) -> Options {
    Options::for_update(old_template, false)
}

/// Checks a selector that must be there and select something; `kind` is named in the text.
pub fn required_selector(selector: &Field<'_>, kind: &str, out: &mut Findings) {
    if !selector.exists() {
        out.push(selector.required(""));
        return;
    }
    validate_selector(selector, false, out);
    if selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty() {
        let detail = format!("empty selector is invalid for {kind}");
        out.push(selector.invalid_shown(shown_selector(selector), detail));
    }
}

/// The selector of a spec, `None` where it is none, which is a finding.
pub fn selector(field: &Field<'_>, detail: &str, out: &mut Findings) -> Option<LabelSelector> {
    let selector = LabelSelector::from_object(field.value());
    if selector.is_err() {
        out.push(field.invalid_shown(shown_selector(field), detail));
    }
    selector.ok()
}

/// The selector must select what the template makes.
pub fn selects_template(selector: &LabelSelector, template: &Field<'_>, out: &mut Findings) {
    let labels = template.get("metadata").get("labels");
    if !selector.matches(labels.value()) {
        let shown = labels.value().map_or("null".to_owned(), go_json);
        out.push(labels.invalid_shown(shown, "`selector` does not match template `labels`"));
    }
}

/// A template whose pods are kept running: always restarted, no deadline.
pub fn always_running(template: &Field<'_>, kind: &str, out: &mut Findings) {
    let spec = template.get("spec");
    let (policy, deadline) = (spec.get("restartPolicy"), spec.get("activeDeadlineSeconds"));
    if policy.str() != "Always" {
        out.push(policy.not_supported_value(policy.str(), &["Always"]));
    }
    if deadline.exists() {
        out.push(deadline.forbidden(format!("activeDeadlineSeconds in {kind} is not Supported")));
    }
}

/// Checks the template of Deployments and ReplicaSets.
pub fn replica_set_template(
    selector: &LabelSelector,
    template: &Field<'_>,
    options: &Options,
    out: &mut Findings,
) {
    if !selector.is_everything() {
        selects_template(selector, template, out);
    }
    spec::validate_template(template, options, out);
    always_running(template, "ReplicaSet", out);
}

/// A number or a percentage that is not negative.
pub fn int_or_percent(field: &Field<'_>, out: &mut Findings) {
    match field.opt_str() {
        Some(text) => out.extend(names::percent(text).into_iter().map(|text| field.invalid(text))),
        None => non_negative(field, out),
    }
}

/// A percentage of at most 100.
pub fn at_most_100_percent(field: &Field<'_>, out: &mut Findings) {
    if percent(field).is_some_and(|percent| percent > 100) {
        out.push(field.invalid("must not be greater than 100%"));
    }
}

/// The number of either form.
pub fn int_or_percent_value(field: &Field<'_>) -> i64 {
    percent(field).unwrap_or_else(|| match field.opt_str() {
        Some(text) => text.parse().unwrap_or_default(),
        None => field.int(),
    })
}

fn percent(field: &Field<'_>) -> Option<i64> {
    let digits = field.opt_str()?.strip_suffix('%')?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().unwrap_or(i64::MAX))
}

/// Counts of a status: none is negative, those of `at_most` are not above `replicas`, and what is available is ready.
pub fn counts(
    status: &Field<'_>,
    all: &[&'static str],
    at_most: &[&'static str],
    ready: &str,
    out: &mut Findings,
) {
    all.iter().for_each(|name| non_negative(&status.get(name), out));
    let replicas = status.get("replicas").int();
    for count in at_most
        .iter()
        .map(|name| status.get(name))
        .filter(|count| count.int() > replicas)
    {
        out.push(count.invalid_value(count.int(), "cannot be greater than status.replicas"));
    }
    let available = status.get("availableReplicas");
    if available.int() > status.get("readyReplicas").int() {
        out.push(available.invalid_value(available.int(), format!("cannot be greater than {ready}")));
    }
}

/// The count of collisions of generated names only grows.
pub fn collisions(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let (new, old) = (new.get("collisionCount"), old.get("collisionCount"));
    if old.exists() && new.int() < old.int() {
        out.push(new.invalid_value(new.int(), "cannot be decremented"));
    }
}

/// The warning about a name that is part of the names of pods.
pub fn name_warning(object: &Field<'_>) -> Option<String> {
    let texts = names::dns_label(object.get("metadata").get("name").str());
    (!texts.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label \
             is recommended: [{}]",
            texts.join(" ")
        )
    })
}

/// Warnings of a new object whose template is at `spec.template`.
pub fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    let mut out: Vec<String> = name_warning(&root).into_iter().collect();
    out.extend(warnings::of_template(&root.get("spec").get("template")));
    out
}

/// Warnings of an update: about the template, if anything changed.
pub fn update_warnings(new: &Value, old: &Value) -> Vec<String> {
    let generation = |object: &Value| Field::root(object).get("metadata").get("generation").int();
    if generation(new) == generation(old) {
        return Vec::new();
    }
    warnings::of_template(&Field::root(new).get("spec").get("template"))
}

/// The names and the images of the containers of a template.
pub fn container_cells(template: &Field<'_>) -> [Value; 2] {
    let joined = |name: &'static str| {
        let texts: Vec<&str> = template
            .get("spec")
            .items("containers")
            .map(|c| c.get(name).str())
            .collect();
        json!(texts.join(","))
    };
    [joined("name"), joined("image")]
}

/// Name, wanted, there, ready, age, containers, images: the cells of what keeps a number of pods.
pub fn replica_cells(object: &Value, now: i64, selector: String) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let [names, images] = container_cells(&spec.get("template"));
    vec![
        table::name(object),
        spec.get("replicas").int().into(),
        status.get("replicas").int().into(),
        status.get("readyReplicas").int().into(),
        table::age(object, now),
        names,
        images,
        selector.into(),
    ]
}

/// A map of labels as tables show it.
pub fn label_cell(labels: &Field<'_>) -> String {
    let pairs: Vec<String> = labels
        .entries()
        .map(|(key, value)| format!("{key}={}", value.str()))
        .collect();
    if pairs.is_empty() {
        "<none>".to_owned()
    } else {
        pairs.join(",")
    }
}

/// Whether a part of the spec changed.
pub fn changed(new: &Value, old: &Value, path: &[&'static str]) -> bool {
    let at = |object| {
        path.iter()
            .fold(Field::root(object), |field, name| field.get(name))
    };
    !same(at(new).value(), at(old).value())
}
