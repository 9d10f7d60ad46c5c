//! Jobs end, or do not.

use serde_json::Value;

use super::{Health, Reason, Status, condition, holds, told};

pub(super) fn job(object: &Value) -> Health {
    if holds(object, "Failed") {
        let failure = condition(object, "Failed").map_or(Reason::Fine, told);
        return Health::of(Status::Degraded, failure);
    }
    if holds(object, "Complete") {
        let end = condition(object, "Complete").map_or(Reason::Fine, told);
        return Health::of(Status::Healthy, end);
    }
    if holds(object, "Suspended") {
        return Health::of(Status::Suspended, Reason::Suspended);
    }
    Health::of(Status::Progressing, Reason::Fine)
}

/// A CronJob promises to start jobs, not that they end well: those have a health of their own.
pub(super) fn cron_job(object: &Value) -> Health {
    if object["spec"]["suspend"] == true {
        return Health::of(Status::Suspended, Reason::Paused);
    }
    Health::healthy()
}
