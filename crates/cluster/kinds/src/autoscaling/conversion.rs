//! HorizontalPodAutoscaler as v1 and as v2, which is how it is stored (`pkg/apis/autoscaling/v1/conversion.go`): what
//! v1 has no fields for stands in its annotations as JSON.

use serde_json::{Map, Value, json};

use crate::cursor::Field;
use crate::edit::Edit;
use crate::field::go_json;
use crate::internal;
use crate::labels::shown_selector;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const ROUND_TRIP: [&str; 6] = [
    METRICS,
    CURRENT_METRICS,
    CONDITIONS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

/// What is used where a v1 object names no metric (`DefaultCPUUtilization`).
pub const DEFAULT_CPU_PERCENT: i64 = 80;

/// Where a field of v1 stands in v2: `[holder, field]`.
struct Mapped {
    v1: &'static str,
    v2: &'static [&'static str],
    /// It is written though it is empty: an amount of 0.
    required: bool,
}

const fn mapped(v1: &'static str, v2: &'static [&'static str]) -> Mapped {
    Mapped {
        v1,
        v2,
        required: false,
    }
}

const fn amount(v1: &'static str, v2: &'static [&'static str]) -> Mapped {
    Mapped {
        v1,
        v2,
        required: true,
    }
}

/// Sources of metrics in the order of v1's fields, each with the fields of a spec and of a status.
const SOURCES: [(&str, &str, &[Mapped], &[Mapped]); 5] = [
    (
        "object",
        "Object",
        &[
            mapped("target", &["describedObject"]),
            mapped("metricName", &["metric", "name"]),
            amount("targetValue", &["target", "value"]),
            mapped("selector", &["metric", "selector"]),
            mapped("averageValue", &["target", "averageValue"]),
        ],
        &[
            mapped("target", &["describedObject"]),
            mapped("metricName", &["metric", "name"]),
            amount("currentValue", &["current", "value"]),
            mapped("selector", &["metric", "selector"]),
            mapped("averageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "pods",
        "Pods",
        &[
            mapped("metricName", &["metric", "name"]),
            amount("targetAverageValue", &["target", "averageValue"]),
            mapped("selector", &["metric", "selector"]),
        ],
        &[
            mapped("metricName", &["metric", "name"]),
            amount("currentAverageValue", &["current", "averageValue"]),
            mapped("selector", &["metric", "selector"]),
        ],
    ),
    (
        "resource",
        "Resource",
        &[
            mapped("name", &["name"]),
            mapped("targetAverageUtilization", &["target", "averageUtilization"]),
            mapped("targetAverageValue", &["target", "averageValue"]),
        ],
        &[
            mapped("name", &["name"]),
            mapped("currentAverageUtilization", &["current", "averageUtilization"]),
            amount("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        "ContainerResource",
        &[
            mapped("name", &["name"]),
            mapped("targetAverageUtilization", &["target", "averageUtilization"]),
            mapped("targetAverageValue", &["target", "averageValue"]),
            mapped("container", &["container"]),
        ],
        &[
            mapped("name", &["name"]),
            mapped("currentAverageUtilization", &["current", "averageUtilization"]),
            amount("currentAverageValue", &["current", "averageValue"]),
            mapped("container", &["container"]),
        ],
    ),
    (
        "external",
        "External",
        &[
            mapped("metricName", &["metric", "name"]),
            mapped("metricSelector", &["metric", "selector"]),
            mapped("targetValue", &["target", "value"]),
            mapped("targetAverageValue", &["target", "averageValue"]),
        ],
        &[
            mapped("metricName", &["metric", "name"]),
            mapped("metricSelector", &["metric", "selector"]),
            amount("currentValue", &["current", "value"]),
            mapped("currentAverageValue", &["current", "averageValue"]),
        ],
    ),
];

/// The v1 view of a v2 object.
pub fn to_v1(object: &Value) -> Value {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let mut annotations = plain_annotations(&root);
    let mut note = |key: &str, text: String| {
        annotations.insert(key.to_owned(), text.into());
    };
    let others: Vec<String> = spec
        .items("metrics")
        .filter(|metric| !is_cpu_percent(metric))
        .map(|metric| encode(&metric, false))
        .collect();
    if !others.is_empty() {
        note(METRICS, format!("[{}]", others.join(",")));
    }
    let current: Vec<String> = status
        .items("currentMetrics")
        .map(|metric| encode(&metric, true))
        .collect();
    if !current.is_empty() {
        note(CURRENT_METRICS, format!("[{}]", current.join(",")));
    }
    if let Some(behavior) = spec.get("behavior").value() {
        note(
            BEHAVIOR,
            internal::shown("HorizontalPodAutoscalerBehavior", Some(behavior)),
        );
    }
    let conditions: Vec<String> = status
        .items("conditions")
        .map(|condition| encode_condition(&condition))
        .collect();
    if !conditions.is_empty() {
        note(CONDITIONS, format!("[{}]", conditions.join(",")));
    }

    let mut out = kept(object, "autoscaling/v1", annotations);
    let target = out.ensure("spec");
    for name in ["scaleTargetRef", "minReplicas", "maxReplicas"] {
        target.keep(name, spec.value().unwrap_or(&Value::Null));
    }
    if let Some(metric) = spec.items("metrics").find(is_cpu_percent) {
        let percent = metric
            .get("resource")
            .get("target")
            .get("averageUtilization")
            .int();
        target.set("targetCPUUtilizationPercentage", percent);
    }
    let target = out.ensure("status");
    for name in STATUS {
        target.keep(name, status.value().unwrap_or(&Value::Null));
    }
    for metric in status.items("currentMetrics") {
        let resource = metric.get("resource");
        let percent = resource.get("current").get("averageUtilization");
        if metric.get("type").str() == "Resource" && resource.get("name").str() == "cpu" && percent.exists() {
            target.set("currentCPUUtilizationPercentage", percent.int());
        }
    }
    out
}

const STATUS: [&str; 4] = [
    "observedGeneration",
    "lastScaleTime",
    "currentReplicas",
    "desiredReplicas",
];

/// The v2 view of a v1 object.
pub fn to_v2(object: &Value) -> Value {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let noted = |key: &str| -> Option<Value> {
        let text = root.get("metadata").get("annotations").key(key);
        serde_json::from_str(text.opt_str()?).ok()
    };
    let noted_list = |key: &str| noted(key).and_then(|value| value.as_array().cloned());
    let mut out = kept(object, "autoscaling/v2", plain_annotations(&root));

    let mut metrics: Vec<Value> = noted_list(METRICS)
        .unwrap_or_default()
        .iter()
        .map(|metric| decode(metric, false))
        .collect();
    let percent = spec.get("targetCPUUtilizationPercentage").opt_int();
    metrics.extend(percent.map(cpu_percent));
    if metrics.is_empty() {
        metrics.push(cpu_percent(DEFAULT_CPU_PERCENT));
    }
    let target = out.ensure("spec");
    for name in ["scaleTargetRef", "minReplicas", "maxReplicas"] {
        target.keep(name, spec.value().unwrap_or(&Value::Null));
    }
    target.set("metrics", metrics);
    let behavior = noted(BEHAVIOR)
        .map(lower_case)
        .filter(|value| value.as_object().is_some_and(|map| !map.is_empty()));
    if let Some(behavior) = behavior {
        target.set("behavior", behavior);
    }

    let target = out.ensure("status");
    for name in STATUS {
        target.keep(name, status.value().unwrap_or(&Value::Null));
    }
    if let Some(current) = noted_list(CURRENT_METRICS) {
        let current: Vec<Value> = current.iter().map(|metric| decode(metric, true)).collect();
        target.set("currentMetrics", current);
    } else if let Some(percent) = status.get("currentCPUUtilizationPercentage").opt_int() {
        let current = json!({"averageUtilization": percent});
        target.set(
            "currentMetrics",
            json!([{"type": "Resource", "resource": {"name": "cpu", "current": current}}]),
        );
    }
    if let Some(conditions) = noted_list(CONDITIONS) {
        target.set("conditions", conditions);
    }
    out
}

/// A metric for the share of the requested processor time that pods use.
pub fn cpu_percent(percent: i64) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

fn is_cpu_percent(metric: &Field<'_>) -> bool {
    let resource = metric.get("resource");
    metric.get("type").str() == "Resource"
        && resource.get("name").str() == "cpu"
        && resource.get("target").get("averageUtilization").exists()
}

fn plain_annotations(object: &Field<'_>) -> Map<String, Value> {
    let mut annotations = object
        .get("metadata")
        .get("annotations")
        .map()
        .cloned()
        .unwrap_or_default();
    annotations.retain(|key, _| !ROUND_TRIP.contains(&key.as_str()));
    annotations
}

/// The object without spec and status, in another version.
fn kept(object: &Value, version: &str, annotations: Map<String, Value>) -> Value {
    let mut out = json!({"apiVersion": version, "kind": "HorizontalPodAutoscaler"});
    out.keep("metadata", object);
    let meta = out.ensure("metadata");
    if annotations.is_empty() {
        meta.unset("annotations");
    } else {
        meta.set("annotations", annotations);
    }
    out
}

/// A metric of v2 as v1's JSON, its fields in the order of their declaration.
fn encode(metric: &Field<'_>, is_status: bool) -> String {
    let mut parts = vec![format!("\"type\":{}", go_json(&metric.get("type").str().into()))];
    for (name, _, spec, status) in &SOURCES {
        let source = metric.get(name);
        if source.exists() {
            let fields: Vec<String> = if is_status { *status } else { *spec }
                .iter()
                .filter_map(|field| encode_field(&source, field))
                .collect();
            parts.push(format!("\"{name}\":{{{}}}", fields.join(",")));
        }
    }
    format!("{{{}}}", parts.join(","))
}

fn encode_field(source: &Field<'_>, field: &Mapped) -> Option<String> {
    let place = field
        .v2
        .iter()
        .fold(source.clone(), |place, name| place.get(name));
    let text = match (field.v1, place.value()) {
        ("target", _) => reference(&place),
        ("selector" | "metricSelector", Some(_)) => shown_selector(&place),
        (_, Some(value)) => go_json(value),
        (_, None) if field.required => "\"0\"".to_owned(),
        ("metricName" | "name" | "container", None) => "\"\"".to_owned(),
        (_, None) => return None,
    };
    Some(format!("\"{}\":{text}", field.v1))
}

fn reference(object: &Field<'_>) -> String {
    let text = |name: &'static str| go_json(&object.get(name).str().into());
    let version = object.get("apiVersion");
    let version = if version.is_empty() {
        String::new()
    } else {
        format!(",\"apiVersion\":{}", text("apiVersion"))
    };
    format!("{{\"kind\":{},\"name\":{}{version}}}", text("kind"), text("name"))
}

fn encode_condition(condition: &Field<'_>) -> String {
    let fields = ["type", "status", "lastTransitionTime", "reason", "message"]
        .into_iter()
        .filter_map(|name| {
            let field = condition.get(name);
            let always = matches!(name, "type" | "status" | "lastTransitionTime");
            let text = match field.value() {
                Some(value) => go_json(value),
                None if name == "lastTransitionTime" => "null".to_owned(),
                None => "\"\"".to_owned(),
            };
            (always || !field.is_empty()).then(|| format!("\"{name}\":{text}"))
        });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// A metric of v1 as v2 has it.
fn decode(metric: &Value, is_status: bool) -> Value {
    let root = Field::root(metric);
    let mut out = json!({"type": root.get("type").str()});
    for (name, _, spec, status) in &SOURCES {
        let source = root.get(name);
        if !source.exists() {
            continue;
        }
        let place = out.ensure(name);
        for field in if is_status { *status } else { *spec } {
            let value = source.named(field.v1);
            let Some(value) = value.value() else { continue };
            let Some((last, holders)) = field.v2.split_last() else {
                continue;
            };
            holders
                .iter()
                .fold(&mut *place, |place, name| place.ensure(name))
                .set(last, value.clone());
        }
        if !is_status {
            let kind = target_type(name, &source);
            place.ensure("target").set("type", kind);
        }
    }
    out
}

fn target_type(source: &str, v1: &Field<'_>) -> &'static str {
    let has = |name: &'static str| v1.get(name).exists();
    match source {
        "object" if !has("averageValue") => "Value",
        "external" if has("targetValue") => "Value",
        "resource" | "containerResource" if has("targetAverageUtilization") => "Utilization",
        _ => "AverageValue",
    }
}

/// The JSON of an internal struct as that of the served version: fields begin in lower case, what is null is not there.
fn lower_case(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let mut letters = name.chars();
                    let first = letters.next().map(|c| c.to_ascii_lowercase());
                    (first.into_iter().chain(letters).collect(), lower_case(value))
                });
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.into_iter().map(lower_case).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_v1_has_no_fields_for_comes_back() {
        let object = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "a", "annotations": {"x": "y"}},
            "spec": {
                "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
                "metrics": [
                    {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
                    {"type": "Object", "object": {
                        "describedObject": {"kind": "K", "name": "n"}, "metric": {"name": "m"},
                        "target": {"type": "Value", "value": "2"}}},
                    cpu_percent(50),
                ],
                "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}], "selectPolicy": "Max"}},
            },
            "status": {"desiredReplicas": 0},
        });
        let v1 = to_v1(&object);
        assert_eq!(v1["spec"]["targetCPUUtilizationPercentage"], 50);
        assert_eq!(
            v1["metadata"]["annotations"][METRICS],
            r#"[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1"}},{"type":"Object","object":{"target":{"kind":"K","name":"n"},"metricName":"m","targetValue":"2"}}]"#
        );
        assert_eq!(to_v2(&v1), object);
    }
}
