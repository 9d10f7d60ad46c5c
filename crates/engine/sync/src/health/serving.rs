//! What serves others: addresses, volumes, interfaces.

use serde_json::Value;

use super::{Health, Reason, Status, condition, holds, told};

pub(super) fn service(object: &Value) -> Health {
    if object["spec"]["type"] == "LoadBalancer" {
        return addressed(object);
    }
    Health::healthy()
}

pub(super) fn ingress(object: &Value) -> Health {
    addressed(object)
}

fn addressed(object: &Value) -> Health {
    match object["status"]["loadBalancer"]["ingress"].as_array() {
        Some(addresses) if !addresses.is_empty() => Health::healthy(),
        _ => Health::of(Status::Progressing, Reason::NoAddress),
    }
}

pub(super) fn claim(object: &Value) -> Health {
    match object["status"]["phase"].as_str() {
        Some("Bound") => Health::healthy(),
        Some("Lost") => Health::of(Status::Degraded, Reason::told("Lost", "")),
        Some(phase) => Health::of(Status::Progressing, Reason::told(phase, "")),
        None => Health::of(Status::Unknown, Reason::Fine),
    }
}

pub(super) fn api_service(object: &Value) -> Health {
    by_condition(object, "Available")
}

pub(super) fn definition(object: &Value) -> Health {
    if condition(object, "NamesAccepted").is_some_and(|found| found["status"] == "False") {
        let refusal = condition(object, "NamesAccepted").map_or(Reason::Fine, told);
        return Health::of(Status::Degraded, refusal);
    }
    by_condition(object, "Established")
}

/// A budget that allows less than it should is a fact about its pods, which have a health of their own; one that cannot
/// be reckoned is broken.
pub(super) fn budget(object: &Value) -> Health {
    match condition(object, "DisruptionAllowed") {
        Some(found) if found["reason"] == "SyncFailed" => Health::of(Status::Degraded, told(found)),
        _ => Health::healthy(),
    }
}

fn by_condition(object: &Value, name: &str) -> Health {
    if holds(object, name) {
        return Health::healthy();
    }
    let reason = condition(object, name).map_or(Reason::Fine, told);
    Health::of(Status::Progressing, reason)
}
