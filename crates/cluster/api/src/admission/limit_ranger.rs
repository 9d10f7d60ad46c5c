//! LimitRanges: defaults for containers, bounds for containers, pods and claims (`plugin/pkg/admission/limitranger`).

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::{Map, Value};

use super::objects::Objects;
use super::pod_resources::{Amounts, Side, amounts, of_container, of_pod};
use super::{AdmissionRequest, Operation, items, text, together};
use crate::status::StatusError;

/// Says on a pod what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Fills in what the containers of a pod leave open.
pub(super) fn admit(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) {
    let resized = request.operation == Operation::Update && request.subresource == "resize";
    if !(request.creates("pods") || resized && request.resource == "pods") {
        return;
    }
    for range in objects.list("/limitranges", request.namespace) {
        set_defaults(&range, request.object);
    }
}

/// Refuses what is out of bounds.
pub(super) fn validate(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    let resized = request.operation == Operation::Update && request.subresource == "resize";
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    let is_pod = request.creates("pods") || (resized && request.resource == "pods");
    let is_claim = writes && request.is("persistentvolumeclaims");
    let leaves = request
        .old_object
        .is_some_and(|old| !old["metadata"]["deletionTimestamp"].is_null());
    if (!is_pod && !is_claim) || leaves {
        return Ok(());
    }
    for range in objects.list("/limitranges", request.namespace) {
        let mut complaints = Vec::new();
        for limit in items(&range["spec"]["limits"]) {
            if is_pod {
                check_pod(limit, request.object, &mut complaints);
            } else {
                check_claim(limit, request.object, &mut complaints);
            }
        }
        if let Some(why) = together(complaints) {
            return Err(request.forbidden(&why));
        }
    }
    Ok(())
}

fn set_defaults(range: &Value, pod: &mut Value) {
    let mut defaults = [Map::new(), Map::new()];
    for limit in items(&range["spec"]["limits"]).filter(|limit| limit["type"] == "Container") {
        for (into, field) in defaults.iter_mut().zip(["defaultRequest", "default"]) {
            into.extend(limit[field].as_object().cloned().unwrap_or_default());
        }
    }
    let mut notes = Vec::new();
    for (field, title) in [("containers", "container"), ("initContainers", "init container")] {
        for container in pod["spec"][field].as_array_mut().into_iter().flatten() {
            for (defaults, (side, word)) in defaults
                .iter()
                .zip([("requests", "request"), ("limits", "limit")])
            {
                let set = fill(container, side, defaults);
                if !set.is_empty() {
                    let name = text(&container["name"]);
                    notes.push(format!("{} {word} for {title} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let annotations = &mut pod["metadata"]["annotations"];
        if !annotations.is_object() {
            *annotations = Value::Object(Map::new());
        }
        annotations[ANNOTATION] = format!("LimitRanger plugin set: {}", notes.join("; ")).into();
    }
}

/// Fills in one side of a container's resources; the names of what was missing, sorted.
fn fill(container: &mut Value, side: &str, defaults: &Map<String, Value>) -> Vec<String> {
    let own = &container["resources"][side];
    let missing: Vec<(String, Value)> = defaults
        .iter()
        .filter(|(name, _)| own.get(name.as_str()).is_none())
        .map(|(name, amount)| (name.clone(), amount.clone()))
        .collect();
    if !missing.is_empty() && !container["resources"].is_object() {
        container["resources"] = Value::Object(Map::new());
    }
    let mut names = Vec::new();
    for (name, amount) in missing {
        let own = &mut container["resources"][side];
        if !own.is_object() {
            *own = Value::Object(Map::new());
        }
        own[name.as_str()] = amount;
        names.push(name);
    }
    names
}

fn check_pod(limit: &Value, pod: &Value, complaints: &mut Vec<String>) {
    match text(&limit["type"]) {
        "Container" => {
            let containers = items(&pod["spec"]["containers"]).chain(items(&pod["spec"]["initContainers"]));
            for container in containers {
                let sides = [Side::Requests, Side::Limits].map(|side| of_container(container, side));
                check_bounds(limit, &sides, complaints);
            }
        }
        "Pod" => check_bounds(
            limit,
            &[Side::Requests, Side::Limits].map(|side| of_pod(pod, side)),
            complaints,
        ),
        _ => {}
    }
}

/// Minimum, maximum and ratio of requests and limits.
fn check_bounds(limit: &Value, [requests, limits]: &[Amounts; 2], complaints: &mut Vec<String>) {
    let r#type = text(&limit["type"]);
    for (name, bound) in amounts(&limit["min"]) {
        let found = (requests.get(&name), limits.get(&name));
        complaints.extend(below(r#type, &name, &bound, found));
    }
    for (name, bound) in amounts(&limit["max"]) {
        let complaint = match (requests.get(&name), limits.get(&name)) {
            (_, None) => Some("No limit is specified".to_owned()),
            (_, Some(limit)) if *limit > bound => Some(format!("but limit is {limit}")),
            (Some(request), _) if *request > bound => Some(format!("but request is {request}")),
            _ => None,
        };
        complaints.extend(complaint.map(|complaint| sentence("maximum", r#type, &name, &bound, &complaint)));
    }
    for (name, bound) in amounts(&limit["maxLimitRequestRatio"]) {
        let found = (requests.get(&name), limits.get(&name));
        complaints.extend(ratio(r#type, &name, &bound, found));
    }
}

fn check_claim(limit: &Value, claim: &Value, complaints: &mut Vec<String>) {
    if limit["type"] != "PersistentVolumeClaim" {
        return;
    }
    let requests = amounts(&claim["spec"]["resources"]["requests"]);
    for (name, bound) in amounts(&limit["min"]) {
        complaints.extend(below(
            "PersistentVolumeClaim",
            &name,
            &bound,
            (requests.get(&name), None),
        ));
    }
    for (name, bound) in amounts(&limit["max"]) {
        let complaint = match requests.get(&name) {
            None => Some("No request is specified".to_owned()),
            Some(request) if *request > bound => Some(format!("but request is {request}")),
            Some(_) => None,
        };
        let tell =
            |complaint: String| sentence("maximum", "PersistentVolumeClaim", &name, &bound, &complaint);
        complaints.extend(complaint.map(tell));
    }
}

/// What was found: a request, and a limit.
type Found<'a> = (Option<&'a Quantity>, Option<&'a Quantity>);

fn below(r#type: &str, name: &str, bound: &Quantity, found: Found<'_>) -> Option<String> {
    let complaint = match found {
        (None, _) => "No request is specified".to_owned(),
        (Some(request), _) if request < bound => format!("but request is {request}"),
        (_, Some(limit)) if limit < bound => format!("but limit is {limit}"),
        _ => return None,
    };
    Some(sentence("minimum", r#type, name, bound, &complaint))
}

fn ratio(r#type: &str, name: &str, bound: &Quantity, found: Found<'_>) -> Option<String> {
    let there = |amount: Option<&Quantity>| amount.filter(|amount| !amount.is_zero()).cloned();
    let start = format!("{name} max limit to request ratio per {type} is {bound}");
    let Some(request) = there(found.0) else {
        return Some(format!("{start}, but no request is specified or request is 0"));
    };
    let Some(limit) = there(found.1) else {
        return Some(format!("{start}, but no limit is specified or limit is 0"));
    };
    #[expect(clippy::cast_precision_loss, reason = "upstream compares as floats too")]
    let (ratio, most) = (
        limit.milli_value() as f64 / request.milli_value() as f64,
        bound.milli_value() as f64,
    );
    (ratio * 1000.0 > most).then(|| format!("{start}, but provided ratio is {ratio:.6}"))
}

fn sentence(word: &str, r#type: &str, name: &str, bound: &Quantity, complaint: &str) -> String {
    // Upstream ends the sentence where nothing is specified, with two blanks.
    let mark = if complaint.starts_with("No") { ".  " } else { ", " };
    format!("{word} {name} usage per {type} is {bound}{mark}{complaint}")
}
