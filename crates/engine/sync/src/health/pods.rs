//! Pods: what their phase means depends on whether their containers are to be restarted.

use serde_json::Value;

use super::{Health, Reason, Status, condition, holds, told};

pub(super) fn pod(object: &Value) -> Health {
    let status = &object["status"];
    let restarts = object["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    // A container that waits for something that will not come by itself is worse than its phase says.
    if restarts == "Always"
        && let Some(reason) = containers(status).find_map(hopeless)
    {
        return Health::of(Status::Degraded, reason);
    }
    match status["phase"].as_str() {
        Some("Succeeded") => Health::healthy(),
        Some("Failed") => Health::of(Status::Degraded, failure(status)),
        Some("Pending") => Health::of(Status::Progressing, waiting(object)),
        Some("Running") if restarts == "Always" => running(object),
        // One that is to end is on its way as long as it runs.
        Some("Running") => Health::of(Status::Progressing, Reason::Fine),
        _ => Health::of(Status::Unknown, waiting(object)),
    }
}

fn running(object: &Value) -> Health {
    if holds(object, "Ready") {
        return Health::healthy();
    }
    let ended =
        containers(&object["status"]).find(|container| !container["lastState"]["terminated"].is_null());
    match ended {
        // It runs again after an end; until it is ready that end is the news.
        Some(container) => Health::of(
            Status::Degraded,
            end(container, &container["lastState"]["terminated"]),
        ),
        None => Health::of(Status::Progressing, waiting(object)),
    }
}

fn containers(status: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| status[field].as_array())
        .flatten()
}

/// Reasons of waiting that end in `BackOff`, or begin with or end in an error, do not pass without a change.
fn hopeless(container: &Value) -> Option<Reason> {
    let waiting = &container["state"]["waiting"];
    let reason = waiting["reason"].as_str()?;
    let is_so = reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
    is_so.then(|| told(waiting))
}

fn failure(status: &Value) -> Reason {
    if let Some(message) = status["message"].as_str().filter(|text| !text.is_empty()) {
        return Reason::told(status["reason"].as_str().unwrap_or_default(), message);
    }
    containers(status)
        .map(|container| (container, &container["state"]["terminated"]))
        .find(|(_, ended)| ended["exitCode"].as_i64().is_some_and(|code| code != 0))
        .map_or(Reason::Fine, |(container, ended)| end(container, ended))
}

fn end(container: &Value, ended: &Value) -> Reason {
    let message = ended["message"].as_str().unwrap_or_default();
    let reason = ended["reason"].as_str().unwrap_or_default();
    if !message.is_empty() || reason == "OOMKilled" {
        return Reason::told(reason, message);
    }
    Reason::Exited {
        container: container["name"].as_str().unwrap_or_default().to_owned(),
        code: ended["exitCode"].as_i64().unwrap_or_default(),
    }
}

/// For what a pod waits, as its conditions say: the first that does not hold, in the order in which they come true.
fn waiting(object: &Value) -> Reason {
    ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .into_iter()
        .filter_map(|name| condition(object, name))
        .find(|condition| condition["status"] != "True")
        .map_or(Reason::Fine, told)
}
