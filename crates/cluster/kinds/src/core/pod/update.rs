//! What may change about a pod (`pkg/apis/core/validation ValidatePodUpdate`, `ValidatePodResize`,
//! `ValidatePodEphemeralContainersUpdate`).

use serde_json::{Map, Value};

use super::{Options, annotations, containers, prepare, scheduling};
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::{internal, names};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                         `spec.tolerations` (only additions to existing tolerations),\
                         `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What is wrong with an update of a pod, its metadata's changes aside.
pub fn validate(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let options = Options::for_update(old, true);
    let mut out = common(new, old, &options);
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    for list in ["containers", "initContainers"] {
        if !container_images(&spec.get(list), &old_spec.get(list), &mut out) {
            return out;
        }
    }
    if !deadline(&spec, &old_spec, &mut out) {
        return out;
    }
    scheduling::only_added_tolerations(&spec.get("tolerations"), &old_spec.get("tolerations"), &mut out);
    scheduling::only_removed_gates(
        &spec.get("schedulingGates"),
        &old_spec.get("schedulingGates"),
        &mut out,
    );
    if spec.same(&old_spec) {
        return out;
    }
    let munged = with_allowed_changes_undone(&spec, &old_spec, &mut out);
    let old_value = old_spec.value().cloned().unwrap_or_default();
    if !same(Some(&munged), Some(&old_value)) {
        let diff = super::diff::of_specs(&old_value, &munged);
        out.push(spec.forbidden(format!(
            "pod updates may not change fields other than {UPDATABLE}\n{diff}"
        )));
    }
    out
}

/// What all updates of a pod have in common.
fn common(new: &Field<'_>, old: &Field<'_>, options: &Options) -> Findings {
    let mut out = super::check_metadata_and_spec(new, options);
    let (meta, old_meta) = (
        new.get("metadata").get("annotations"),
        old.get("metadata").get("annotations"),
    );
    annotations::validate_update(&meta, &old_meta, &new.get("spec"), options, &mut out);
    out
}

/// Images may change, the containers stay the same in number. Tells whether to go on.
fn container_images(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) -> bool {
    if new.len() != old.len() {
        out.push(new.forbidden("pod updates may not add or remove containers"));
        return false;
    }
    for container in new.list() {
        let image = container.get("image");
        if image.is_empty() {
            out.push(image.required(""));
        }
        containers::image_spaces(&container, out);
    }
    true
}

/// A deadline may come and move closer. Tells whether to go on.
fn deadline(spec: &Field<'_>, old: &Field<'_>, out: &mut Findings) -> bool {
    let (new, old) = (
        spec.get("activeDeadlineSeconds"),
        old.get("activeDeadlineSeconds"),
    );
    match (new.opt_int(), old.opt_int()) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            out.push(new.invalid(names::range_text(0, i64::from(i32::MAX))));
            false
        }
        (Some(seconds), Some(before)) if before < seconds => {
            out.push(new.invalid("must be less than or equal to previous value"));
            false
        }
        (None, Some(_)) => {
            out.push(new.invalid_value(
                Value::Null,
                "must not update from a positive integer to nil value",
            ));
            true
        }
        _ => true,
    }
}

/// The new spec with what may change set back, so that all that is left of a difference is forbidden.
fn with_allowed_changes_undone(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) -> Value {
    let mut munged = new.value().cloned().unwrap_or_default();
    let empty = Value::Object(Map::new());
    let old_value = old.value().unwrap_or(&empty);
    for list in ["containers", "initContainers"] {
        let images = old
            .items(list)
            .map(|container| container.get("image").str().to_owned());
        for (container, image) in munged.each(list).zip(images) {
            container.set("image", image);
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        munged.keep(field, old_value);
    }
    let grace = "terminationGracePeriodSeconds";
    if old.get(grace).int() < 0 && new.get(grace).int() == 1 {
        munged.keep(grace, old_value);
    }
    if !old.get("schedulingGates").is_empty() {
        gated_changes(&mut munged, new, old, out);
    }
    munged
}

/// As long as a pod is gated, it may be told more narrowly where to run.
fn gated_changes(munged: &mut Value, new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let (selector, old_selector) = (new.get("nodeSelector"), old.get("nodeSelector"));
    if old_selector
        .entries()
        .any(|(key, value)| selector.key(key).opt_str() != value.opt_str())
    {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        out.push(selector.invalid_value(selector.value().cloned().unwrap_or_default(), detail));
    }
    let empty = Value::Object(Map::new());
    munged.keep("nodeSelector", old.value().unwrap_or(&empty));
    let affinity = new.get("affinity").get("nodeAffinity");
    let old_affinity = old.get("affinity").get("nodeAffinity");
    if affinity.same(&old_affinity) {
        return;
    }
    node_affinity_additions(&affinity, &old_affinity, out);
    let others = ["podAffinity", "podAntiAffinity"]
        .iter()
        .any(|name| new.get("affinity").get(name).exists());
    match old_affinity.value() {
        Some(value) => munged.ensure("affinity").set("nodeAffinity", value.clone()),
        None if !others && !old.get("affinity").exists() => munged.unset("affinity"),
        None => munged.ensure("affinity").unset("nodeAffinity"),
    }
}

fn node_affinity_additions(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let new_terms = new.get(required).get("nodeSelectorTerms");
    let old_terms = old.get(required).get("nodeSelectorTerms");
    if old_terms.is_empty() {
        return;
    }
    if new_terms.len() != old_terms.len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        let shown = internal::shown("[]NodeSelectorTerm", new_terms.value());
        out.push(new_terms.invalid_shown(shown, detail));
        return;
    }
    for (new, old) in new_terms.list().zip(old_terms.list()) {
        let extends = |name: &'static str| {
            let (new, old) = (new.get(name), old.get(name));
            new.len() >= old.len() && new.list().zip(old.list()).all(|(new, old)| new.same(&old))
        };
        let was_empty = old.get("matchExpressions").is_empty() && old.get("matchFields").is_empty();
        let is_empty = new.get("matchExpressions").is_empty() && new.get("matchFields").is_empty();
        if (was_empty && !is_empty) || !extends("matchExpressions") || !extends("matchFields") {
            let shown = internal::shown("NodeSelectorTerm", new.value());
            out.push(new.invalid_shown(shown, "only additions are allowed (no mutations or deletions)"));
        }
    }
}

/// What is wrong with an update of `ephemeralcontainers`.
pub fn validate_ephemeral_containers(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let options = Options::for_update(&old, true);
    let mut out = common(&new, &old, &options);
    if old
        .get("metadata")
        .get("annotations")
        .key(annotations::MIRROR)
        .exists()
    {
        return vec![Field::at("", None).forbidden("static pods do not support ephemeral containers")];
    }
    let list = new.get("spec").get("ephemeralContainers");
    for container in old.get("spec").items("ephemeralContainers") {
        let name = container.get("name").str();
        let quoted = go_quote(name);
        match list.list().filter(|new| new.get("name").str() == name).last() {
            None => {
                out.push(list.forbidden(format!(
                    "existing ephemeral containers {quoted} may not be removed\n"
                )));
            }
            Some(new) if !new.same(&container) => {
                let diff = super::diff::of_ephemeral_containers(container.value(), new.value());
                let detail = format!("existing ephemeral containers {quoted} may not be changed\n{diff}");
                out.push(list.forbidden(detail));
            }
            Some(_) => {}
        }
    }
    out
}

/// What is wrong with an update of `resize`.
pub fn validate_resize(new: &Value, old: &Value) -> Findings {
    let (new_pod, old_pod) = (Field::root(new), Field::root(old));
    let options = Options::for_update(&old_pod, true);
    let mut out = super::check_metadata_and_spec(&new_pod, &options);
    let whole = |detail: &str| vec![Field::at("", None).forbidden(detail)];
    let (spec, old_spec) = (new_pod.get("spec"), old_pod.get("spec"));
    let pod_level = |spec: &Field<'_>| {
        let resources = spec.get("resources");
        !resources.get("requests").is_empty() || !resources.get("limits").is_empty()
    };
    if pod_level(&spec) || pod_level(&old_spec) {
        return whole("pods with pod-level resources cannot be resized");
    }
    if old_pod
        .get("metadata")
        .get("annotations")
        .key(annotations::MIRROR)
        .exists()
    {
        return whole("static pods cannot be resized");
    }
    if old_spec.get("os").get("name").str() == "windows" {
        return whole("windows pods cannot be resized");
    }
    let class = old_pod.get("status").get("qosClass").str();
    let class = if class.is_empty() {
        prepare::qos_class(&old_spec)
    } else {
        class
    };
    if class != prepare::qos_class(&spec) {
        let shown = new_pod.get("status").get("qosClass").str();
        out.push(spec.invalid_value(shown, "Pod QOS Class may not change as a result of resizing"));
    }
    let running = old_pod
        .get("status")
        .items("containerStatuses")
        .find(|c| c.get("state").get("running").exists());
    if running.is_some_and(|container| !container.get("resources").exists()) {
        out.push(spec.forbidden("Pod running on node without support for resize"));
    }
    if !same_containers(&spec, &old_spec, &mut out) {
        return out;
    }
    resized_containers(&spec, &old_spec, &mut out);
    out
}

fn same_containers(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) -> bool {
    let before = out.len();
    for list in ["containers", "initContainers"] {
        let (new, old) = (new.get(list), old.get(list));
        if new.len() != old.len() {
            out.push(new.forbidden(format!("{list} may not be added or removed on resize")));
            continue;
        }
        for (new, old) in new.list().zip(old.list()) {
            if new.get("name").str() != old.get("name").str() {
                let detail = format!("{list} may not be renamed or reordered on resize");
                out.push(new.get("name").forbidden(detail));
            }
        }
    }
    out.len() == before
}

fn resized_containers(spec: &Field<'_>, old_spec: &Field<'_>, out: &mut Findings) {
    let is_sidecar = |container: &Field<'_>| container.get("restartPolicy").str() == "Always";
    let lists = ["initContainers", "containers"];
    for list in lists {
        for (new, old) in spec.items(list).zip(old_spec.items(list)) {
            if list == "initContainers" && !is_sidecar(&old) {
                continue;
            }
            for kind in ["requests", "limits"] {
                let (amounts, before) = (new.get("resources").get(kind), old.get("resources").get(kind));
                if before.entries().any(|(name, _)| !amounts.key(name).exists()) {
                    out.push(amounts.forbidden(format!("resource {kind} cannot be removed")));
                }
            }
        }
    }
    let mut munged = spec.value().cloned().unwrap_or_default();
    for (list, sidecars_only) in [("containers", false), ("initContainers", true)] {
        for (container, old) in munged.each(list).zip(old_spec.items(list)) {
            let sidecar = is_sidecar(&Field::root(container));
            if !sidecars_only || sidecar {
                undo_cpu_and_memory(container, &old);
            }
            let detail = match (sidecars_only, sidecar) {
                (false, _) => "only cpu and memory resources are mutable",
                (true, true) => "only cpu and memory resources for sidecar containers are mutable",
                (true, false) => "resources for non-sidecar init containers are immutable",
            };
            if !Field::root(container).same(&old) {
                out.push(spec.forbidden(detail));
            }
        }
    }
    if out.is_empty() && !same(Some(&munged), old_spec.value()) {
        out.push(spec.forbidden("only cpu and memory resources are mutable"));
    }
}

fn undo_cpu_and_memory(container: &mut Value, old: &Field<'_>) {
    let empty = Value::Object(Map::new());
    let resources = container.ensure("resources");
    for kind in ["limits", "requests"] {
        match old.get("resources").get(kind).value() {
            None => resources.unset(kind),
            Some(old) => {
                let amounts = resources.ensure(kind);
                for name in ["cpu", "memory"] {
                    amounts.keep(name, old);
                }
            }
        }
    }
    resources.keep("claims", old.get("resources").value().unwrap_or(&empty));
}
