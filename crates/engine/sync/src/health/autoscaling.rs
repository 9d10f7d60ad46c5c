//! Autoscalers: version 1 keeps its conditions in an annotation, as JSON.

use serde_json::Value;

use super::{Health, Reason, Status, told};

/// Where autoscaling/v1 keeps what v2 has in its status (k8s.io/api/autoscaling/v1).
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Reasons for which a scale cannot be reckoned or set, as the controller names them.
const FAILURES: &[(&str, &[&str])] = &[
    ("AbleToScale", &["FailedGetScale", "FailedUpdateScale"]),
    (
        "ScalingActive",
        &[
            "FailedGetResourceMetric",
            "FailedGetContainerResourceMetric",
            "FailedGetPodsMetric",
            "FailedGetObjectMetric",
            "FailedGetExternalMetric",
            "InvalidMetricSourceType",
            "InvalidSelector",
        ],
    ),
];

/// Conditions that hold when it works; `ScalingLimited` holds when it has reached a bound, which is work done too.
const PROOFS: &[&str] = &["AbleToScale", "ScalingActive", "ScalingLimited"];

pub(super) fn autoscaler(object: &Value) -> Health {
    let conditions = conditions(object);
    if let Some(failed) = conditions.iter().find(|condition| is_failure(condition)) {
        return Health::of(Status::Degraded, told(failed));
    }
    let proof = conditions.iter().find(|condition| {
        condition["status"] == "True" && PROOFS.iter().any(|name| condition["type"] == *name)
    });
    match proof {
        Some(condition) => Health::of(Status::Healthy, told(condition)),
        None => Health::of(Status::Progressing, Reason::Fine),
    }
}

fn conditions(object: &Value) -> Vec<Value> {
    if let Some(conditions) = object["status"]["conditions"].as_array() {
        return conditions.clone();
    }
    let text = object["metadata"]["annotations"][CONDITIONS]
        .as_str()
        .unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

fn is_failure(condition: &Value) -> bool {
    condition["status"] != "True"
        && FAILURES.iter().any(|(name, reasons)| {
            condition["type"] == *name && reasons.iter().any(|reason| condition["reason"] == *reason)
        })
}
