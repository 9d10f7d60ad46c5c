//! Workloads: pods of the newest version, as many as wanted, available.

use serde_json::Value;

use super::{Health, Reason, Status, condition, count, holds, is_stale, told};

pub(super) fn deployment(object: &Value) -> Health {
    if object["spec"]["paused"] == true {
        return Health::of(Status::Suspended, Reason::Paused);
    }
    if is_stale(object) {
        return progressing(Reason::Stale);
    }
    if condition(object, "Progressing").is_some_and(|found| found["reason"] == "ProgressDeadlineExceeded") {
        return Health::of(Status::Degraded, Reason::DeadlineExceeded);
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (all, updated) = (count(object, "replicas"), count(object, "updatedReplicas"));
    let available = count(object, "availableReplicas");
    if updated < wanted {
        return progressing(Reason::Updated {
            count: updated,
            wanted,
        });
    }
    if all > updated {
        return progressing(Reason::Old { count: all - updated });
    }
    if available < updated {
        return progressing(Reason::Available {
            count: available,
            wanted: updated,
        });
    }
    Health::healthy()
}

pub(super) fn replica_set(object: &Value) -> Health {
    if is_stale(object) {
        return progressing(Reason::Stale);
    }
    if holds(object, "ReplicaFailure") {
        let failure = condition(object, "ReplicaFailure").map_or(Reason::Fine, told);
        return Health::of(Status::Degraded, failure);
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let available = count(object, "availableReplicas");
    if available < wanted {
        return progressing(Reason::Available {
            count: available,
            wanted,
        });
    }
    Health::healthy()
}

pub(super) fn stateful_set(object: &Value) -> Health {
    if object["status"]["observedGeneration"].as_i64().unwrap_or(0) == 0 || is_stale(object) {
        return progressing(Reason::Stale);
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let ready = count(object, "readyReplicas");
    if ready < wanted {
        return progressing(Reason::Available { count: ready, wanted });
    }
    let strategy = &object["spec"]["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return Health::healthy();
    }
    let updated = count(object, "updatedReplicas");
    if let Some(partition) = strategy["rollingUpdate"]["partition"].as_i64()
        && partition > 0
    {
        let wanted = wanted - partition;
        if updated < wanted {
            return progressing(Reason::Partitioned {
                count: updated,
                wanted,
            });
        }
        return Health::healthy();
    }
    let status = &object["status"];
    if status["updateRevision"] != status["currentRevision"] {
        return progressing(Reason::Updated {
            count: updated,
            wanted,
        });
    }
    Health::healthy()
}

pub(super) fn daemon_set(object: &Value) -> Health {
    if is_stale(object) {
        return progressing(Reason::Stale);
    }
    if object["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return Health::healthy();
    }
    let wanted = count(object, "desiredNumberScheduled");
    let updated = count(object, "updatedNumberScheduled");
    let available = count(object, "numberAvailable");
    if updated < wanted {
        return progressing(Reason::Updated {
            count: updated,
            wanted,
        });
    }
    if available < wanted {
        return progressing(Reason::Available {
            count: available,
            wanted,
        });
    }
    Health::healthy()
}

fn progressing(reason: Reason) -> Health {
    Health::of(Status::Progressing, reason)
}
