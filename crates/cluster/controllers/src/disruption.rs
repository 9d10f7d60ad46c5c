//! PodDisruptionBudgets: how many pods may go on purpose right now (`pkg/controller/disruption`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{
    DEPLOYMENT, JOB, Kind, POD, POD_DISRUPTION_BUDGET, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET,
};
use crate::object;
use crate::selector::Selector;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "disruption-controller",
    watches: &[
        Watch {
            kind: POD_DISRUPTION_BUDGET,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: of_pod,
        },
    ],
    reconcile,
    workers: 2,
};

/// A pod whose eviction was granted is expected to be deleted within this time (`DeletionTimeout`).
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_secs(120);

/// Controllers whose `spec.replicas` is a scale.
const SCALED: &[Kind] = &[REPLICATION_CONTROLLER, DEPLOYMENT, REPLICA_SET, STATEFUL_SET];

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let budgets = view.list(&POD_DISRUPTION_BUDGET, Some(object::namespace(change.object)));
    budgets
        .iter()
        .filter(|budget| {
            Selector::of(&budget["spec"]["selector"]).is_some_and(|selector| {
                selector.matches(change.object) || change.previous.is_some_and(|pod| selector.matches(pod))
            })
        })
        .map(|budget| Key::of(budget))
        .collect()
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let key = look.key;
    let Some(budget) = look.view.get(&POD_DISRUPTION_BUDGET, &key.namespace, &key.name) else {
        return outcome;
    };
    let mut pods = look.view.list(&POD, Some(object::namespace(&budget)));
    let selector = Selector::of(&budget["spec"]["selector"]);
    pods.retain(|pod| selector.as_ref().is_some_and(|selector| selector.matches(pod)));
    if pods.is_empty() {
        outcome.event(&budget, "Normal", "NoPods", "No matching pods found".to_owned());
    }
    let status = match expected(look.view, &budget, &pods, &mut outcome) {
        Ok((expected, desired)) => {
            let disrupted = disrupted(&budget, &pods, look.now, &mut outcome);
            let healthy = pods
                .iter()
                .filter(|pod| {
                    !object::is_deleting(pod)
                        && !disrupted.contains_key(object::name(pod))
                        && object::is_true(pod, "Ready")
                })
                .count();
            let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
            status(&budget, expected, desired, healthy, &disrupted, look.now)
        }
        Err(why) => {
            let text = format!("Failed to calculate the number of expected pods: {why}");
            outcome.event(&budget, "Warning", "CalculateExpectedPodCountFailed", text);
            failed(&budget, &why, look.now)
        }
    };
    if status != budget["status"] {
        let mut changed = Value::clone(&budget);
        changed["status"] = status;
        outcome.push(Effect::UpdateStatus {
            kind: POD_DISRUPTION_BUDGET,
            object: changed,
        });
    }
    outcome
}

/// How many pods there should be, and how many of them must be healthy.
fn expected(
    view: &dyn View,
    budget: &Value,
    pods: &[Arc<Value>],
    outcome: &mut Outcome,
) -> Result<(i64, i64), String> {
    let spec = &budget["spec"];
    if let Some(number) = spec["minAvailable"].as_i64() {
        return Ok((i64::try_from(pods.len()).unwrap_or(i64::MAX), number));
    }
    let unavailable = &spec["maxUnavailable"];
    if unavailable.is_null() && spec["minAvailable"].is_null() {
        return Ok((0, 0));
    }
    let (expected, unmanaged) = scale(view, pods)?;
    if unmanaged {
        let text = format!(
            "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status \
             of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods \
             please set \".spec.minAvailable\" field of the PDB to an integer value.",
            as_go(&spec["selector"])
        );
        outcome.event(budget, "Warning", "UnmanagedPods", text);
    }
    let desired = if unavailable.is_null() {
        object::scaled(&spec["minAvailable"], expected, true)
    } else {
        (expected - object::scaled(unavailable, expected, true)).max(0)
    };
    Ok((expected, desired))
}

/// The sum of what the pods' controllers want, each counted once; and whether some pods have none.
fn scale(view: &dyn View, pods: &[Arc<Value>]) -> Result<(i64, bool), String> {
    let mut scales: BTreeMap<String, i64> = BTreeMap::new();
    let mut unmanaged = false;
    for pod in pods {
        let Some(reference) = object::controller(pod) else {
            unmanaged = true;
            continue;
        };
        let Some((uid, scale)) = scale_of(view, object::namespace(pod), reference)? else {
            return Err(format!("found no controllers for pod {:?}", object::name(pod)));
        };
        scales.insert(uid, scale);
    }
    Ok((scales.values().sum(), unmanaged))
}

fn scale_of(view: &dyn View, namespace: &str, reference: &Value) -> Result<Option<(String, i64)>, String> {
    let name = reference["name"].as_str().unwrap_or_default();
    let is = |kind: &Kind| reference["kind"] == *kind.kind && reference["apiVersion"] == kind.api_version();
    if is(&JOB) {
        return Err("jobs.batch does not implement the scale subresource".to_owned());
    }
    let Some(kind) = SCALED.iter().find(|kind| is(kind)) else {
        return Ok(None);
    };
    let Some(controller) = view.get(kind, namespace, name) else {
        return Ok(None);
    };
    if object::uid(&controller) != reference["uid"] {
        return Ok(None);
    }
    match object::controller(&controller) {
        Some(above) if *kind == REPLICA_SET && above["kind"] == "Deployment" => {
            scale_of(view, namespace, above)
        }
        _ => {
            let scale = object::integer(&controller, "/spec/replicas");
            Ok(Some((object::uid(&controller).to_owned(), scale)))
        }
    }
}

/// Pods whose eviction was granted and that are still there, with the time of that.
fn disrupted(
    budget: &Value,
    pods: &[Arc<Value>],
    now: Timestamp,
    outcome: &mut Outcome,
) -> Map<String, Value> {
    let mut still = Map::new();
    for pod in pods.iter().filter(|pod| !object::is_deleting(pod)) {
        let noted = &budget["status"]["disruptedPods"][object::name(pod)];
        let Some(since) = object::time(noted) else {
            continue;
        };
        let left = DELETION_TIMEOUT.saturating_sub(now.duration_since(since));
        if left.is_negative() {
            let namespace = object::namespace(budget);
            let text = format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't");
            outcome.event(pod, "Warning", "NotDeleted", text);
        } else {
            still.insert(object::name(pod).to_owned(), noted.clone());
            // A little later, so that the time has passed for sure.
            outcome.again_within(left.unsigned_abs() + Duration::from_secs(1));
        }
    }
    still
}

fn status(
    budget: &Value,
    expected: i64,
    desired: i64,
    healthy: i64,
    disrupted: &Map<String, Value>,
    now: Timestamp,
) -> Value {
    // Without expected pods nothing is allowed: the first pods may come before this controller sees them.
    let allowed = if expected <= 0 {
        0
    } else {
        (healthy - desired).max(0)
    };
    let generation = object::generation(budget);
    let (holds, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let mut status = json!({
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation,
        "conditions": conditions(budget, holds, reason, "", generation, now),
    });
    if generation == 0 {
        status
            .as_object_mut()
            .and_then(|fields| fields.remove("observedGeneration"));
    }
    if !disrupted.is_empty() {
        status["disruptedPods"] = Value::Object(disrupted.clone());
    }
    status
}

/// At least nothing is allowed where it is not known how much may be.
fn failed(budget: &Value, why: &str, now: Timestamp) -> Value {
    let mut status = match &budget["status"] {
        Value::Object(_) => budget["status"].clone(),
        _ => json!({"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
    };
    let observed = object::integer(&status, "/observedGeneration");
    status["disruptionsAllowed"] = json!(0);
    status["conditions"] = conditions(budget, "False", "SyncFailed", why, observed, now);
    status
}

/// The conditions with `DisruptionAllowed` as it is now; the time of transition stays where the status does.
fn conditions(
    budget: &Value,
    status: &str,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Value {
    const TYPE: &str = "DisruptionAllowed";
    let mut conditions = crate::condition::list(budget);
    let mut condition = json!({
        "type": TYPE, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": object::shown(now),
    });
    if generation > 0 {
        condition["observedGeneration"] = json!(generation);
    }
    match conditions.iter_mut().find(|known| known["type"] == TYPE) {
        Some(known) => {
            if known["status"] == status {
                condition["lastTransitionTime"] = known["lastTransitionTime"].clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
    Value::Array(conditions)
}

/// A selector as Go prints it, which the event shows.
fn as_go(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object();
    let labels: String = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    let expressions = selector["matchExpressions"].as_array();
    let expressions: String = expressions
        .into_iter()
        .flatten()
        .map(|expression| {
            let values = expression["values"].as_array().into_iter().flatten();
            let values: Vec<&str> = values.filter_map(Value::as_str).collect();
            let text = |field: &str| expression[field].as_str().unwrap_or_default().to_owned();
            let (key, operator, values) = (text("key"), text("operator"), values.join(" "));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;

    fn budget(spec: &Value, status: &Value) -> Value {
        let mut spec = spec.clone();
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        json!({
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "b", "namespace": "shop", "generation": 1},
            "spec": spec, "status": status,
        })
    }

    fn pod(name: &str, ready: bool, owned: bool) -> Value {
        let mut pod = json!({
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        });
        if owned {
            let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": true});
            pod["metadata"]["ownerReferences"] = json!([owner]);
        }
        pod
    }

    fn world(budget: Value, owned: bool) -> Memory {
        Memory::of([
            budget,
            json!({
                "kind": "ReplicaSet",
                "metadata": {"name": "rs", "namespace": "shop", "uid": "rs", "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true},
                ]},
                "spec": {"replicas": 3},
            }),
            json!({
                "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "d"},
                "spec": {"replicas": 10},
            }),
            pod("a", true, owned),
            pod("b", true, owned),
            pod("c", false, owned),
        ])
    }

    fn look_at(memory: &Memory) -> (Value, Vec<&'static str>) {
        let key = Key {
            namespace: "shop".into(),
            name: "b".into(),
        };
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let look = Look {
            view: memory,
            key: &key,
            now,
            failure: None,
        };
        let mut status = Value::Null;
        let mut reasons = Vec::new();
        for effect in reconcile(&look).effects {
            match effect {
                Effect::UpdateStatus { object, .. } => status = object["status"].clone(),
                Effect::Event { reason, .. } => reasons.push(reason),
                _ => {}
            }
        }
        (status, reasons)
    }

    #[test]
    fn budgets_are_calculated() {
        // The spec; expected, desired and allowed.
        let cases = [
            (json!({"minAvailable": 1}), [3, 1, 1]),
            (json!({"minAvailable": 3}), [3, 3, 0]),
            (json!({"minAvailable": "15%"}), [10, 2, 0]),
            (json!({"maxUnavailable": 9}), [10, 1, 1]),
            (json!({"maxUnavailable": "100%"}), [10, 0, 2]),
        ];
        for (spec, expected) in cases {
            let (status, _) = look_at(&world(budget(&spec, &json!(null)), true));
            let found = ["expectedPods", "desiredHealthy", "disruptionsAllowed"].map(|name| &status[name]);
            assert_eq!(found, expected.each_ref().map(|n| n), "{spec}");
            assert_eq!(status["currentHealthy"], 2);
            let holds = if expected[2] > 0 { "True" } else { "False" };
            assert_eq!(status["conditions"][0]["status"], holds);
        }
    }

    #[test]
    fn pods_without_a_controller_are_told() {
        let (status, reasons) = look_at(&world(budget(&json!({"maxUnavailable": 1}), &json!(null)), false));
        assert_eq!(reasons, ["UnmanagedPods"]);
        assert_eq!(status["disruptionsAllowed"], 0);
    }

    #[test]
    fn a_granted_eviction_counts_for_two_minutes() {
        for (since, healthy) in [("2025-12-31T23:59:00Z", 1), ("2025-12-31T23:57:00Z", 2)] {
            let noted = json!({"disruptedPods": {"a": since, "gone": since}});
            let (status, _) = look_at(&world(budget(&json!({"minAvailable": 1}), &noted), true));
            assert_eq!(status["currentHealthy"], healthy);
            assert_eq!(status["disruptedPods"]["gone"], Value::Null);
        }
    }
}
