//! Which objects a quota counts (`pkg/quota/v1/evaluator/core`).

use serde_json::Value;

use super::super::pod_resources::{Side, of_container};
use super::super::{items, text};

/// Whether an object of this resource (`pods`, `persistentvolumeclaims`) is within all scopes of a quota. Other
/// resources know no scopes: a quota with scopes does not count them.
pub fn within(quota: &Value, resource: &str, object: &Value) -> bool {
    let plain =
        items(&quota["spec"]["scopes"]).all(|scope| matches(resource, text(scope), "Exists", &[], object));
    plain
        && items(&quota["spec"]["scopeSelector"]["matchExpressions"]).all(|expression| {
            let values: Vec<&str> = items(&expression["values"]).map(text).collect();
            matches(
                resource,
                text(&expression["scopeName"]),
                text(&expression["operator"]),
                &values,
                object,
            )
        })
}

fn matches(resource: &str, scope: &str, operator: &str, values: &[&str], object: &Value) -> bool {
    let spec = &object["spec"];
    match (resource, scope) {
        ("pods", "Terminating") => is_terminating(object),
        ("pods", "NotTerminating") => !is_terminating(object),
        ("pods", "BestEffort") => is_best_effort(object),
        ("pods", "NotBestEffort") => !is_best_effort(object),
        ("pods", "PriorityClass") => selects(operator, values, &[text(&spec["priorityClassName"])]),
        ("pods", "CrossNamespacePodAffinity") => crosses_namespaces(spec),
        ("persistentvolumeclaims", "VolumeAttributesClass") => {
            let status = &object["status"];
            let places = [
                &spec["volumeAttributesClassName"],
                &status["currentVolumeAttributesClassName"],
                &status["modifyVolumeStatus"]["targetVolumeAttributesClassName"],
            ];
            selects(operator, values, &places.map(text))
        }
        _ => false,
    }
}

/// Whether one of the names that an object has (empty texts are none) is selected.
fn selects(operator: &str, values: &[&str], names: &[&str]) -> bool {
    let mut names = names.iter().filter(|name| !name.is_empty()).peekable();
    match operator {
        "Exists" => names.peek().is_some(),
        "DoesNotExist" => names.peek().is_none(),
        "In" => names.any(|name| values.contains(name)),
        "NotIn" => names.peek().is_none() || names.any(|name| !values.contains(name)),
        _ => false,
    }
}

/// Whether a pod ends by itself.
pub(super) fn is_terminating(pod: &Value) -> bool {
    pod["spec"]["activeDeadlineSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds >= 0)
}

/// Whether a pod asks for no CPU and no memory (`component-helpers ... qos.ComputePodQOS`).
fn is_best_effort(pod: &Value) -> bool {
    let spec = &pod["spec"];
    let asks = |container: &Value| {
        [Side::Requests, Side::Limits].iter().any(|side| {
            let amounts = of_container(container, *side);
            ["cpu", "memory"]
                .iter()
                .any(|name| amounts.get(*name).is_some_and(|amount| amount.sign() > 0))
        })
    };
    let containers = items(&spec["containers"]).chain(items(&spec["initContainers"]));
    !asks(spec) && !containers.into_iter().any(asks)
}

fn crosses_namespaces(spec: &Value) -> bool {
    let crosses =
        |term: &Value| items(&term["namespaces"]).next().is_some() || !term["namespaceSelector"].is_null();
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = &spec["affinity"][kind];
        items(&affinity["requiredDuringSchedulingIgnoredDuringExecution"]).any(crosses)
            || items(&affinity["preferredDuringSchedulingIgnoredDuringExecution"])
                .any(|weighted| crosses(&weighted["podAffinityTerm"]))
    })
}
