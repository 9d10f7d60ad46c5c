//! The table of HorizontalPodAutoscalers (`pkg/printers/internalversion/printers.go`).

use serde_json::Value;

use crate::cursor::Field;
use crate::resources;
use crate::table;

/// Metrics that are shown; of more only how many there are.
const METRICS_MAX: usize = 2;

/// The cells of a v2 object.
pub fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let target = spec.get("scaleTargetRef");
    let min = spec.get("minReplicas").opt_int();
    vec![
        table::name(object),
        format!("{}/{}", target.get("kind").str(), target.get("name").str()).into(),
        metrics(&spec, &status).into(),
        min.map_or("<unset>".to_owned(), |min| min.to_string()).into(),
        spec.get("maxReplicas").int().into(),
        status.get("currentReplicas").int().into(),
        table::age(object, now),
    ]
}

fn metrics(spec: &Field<'_>, status: &Field<'_>) -> String {
    let shown: Vec<String> = spec
        .items("metrics")
        .enumerate()
        .map(|(index, metric)| shown(&metric, &status.get("currentMetrics").index(index)))
        .collect();
    match shown.len() {
        0 => "<none>".to_owned(),
        count if count > METRICS_MAX => {
            format!(
                "{} + {} more...",
                shown[..METRICS_MAX].join(", "),
                count - METRICS_MAX
            )
        }
        _ => shown.join(", "),
    }
}

const UNKNOWN: &str = "<unknown>";

fn shown(metric: &Field<'_>, current: &Field<'_>) -> String {
    let name = match metric.get("type").str() {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let (source, now) = (metric.get(name), current.get(name));
    let (target, value) = (source.get("target"), now.get("current"));
    let amount = |field: &Field<'_>| {
        resources::quantity(field).map_or(UNKNOWN.to_owned(), |amount| amount.to_string())
    };
    let by_average = target.get("averageValue").exists();
    let average = || {
        (
            amount(&value.get("averageValue")),
            amount(&target.get("averageValue")),
        )
    };
    match name {
        "pods" => {
            let (current, target) = average();
            format!("{current}/{target}")
        }
        "external" | "object" if by_average => {
            let (current, target) = average();
            format!("{current}/{target} (avg)")
        }
        "external" | "object" => format!("{}/{}", amount(&value.get("value")), amount(&target.get("value"))),
        _ => {
            let (current, target) = if by_average {
                average()
            } else {
                let percent = |field: Field<'_>, none: &str| {
                    field
                        .opt_int()
                        .map_or(none.to_owned(), |percent| format!("{percent}%"))
                };
                (
                    percent(value.get("averageUtilization"), UNKNOWN),
                    percent(target.get("averageUtilization"), "<auto>"),
                )
            };
            format!("{}: {current}/{target}", source.get("name").str())
        }
    }
}
