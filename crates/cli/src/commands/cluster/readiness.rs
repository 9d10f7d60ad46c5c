//! When an applied object works, as `kubectl rollout status` and `kubectl wait` see it.

use serde_json::Value;

/// How far an object is.
#[derive(Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// For what it waits, in the words of Kubernetes' users.
    Waiting(String),
}

/// What tells the readiness of a kind; `None` for kinds that work once they exist.
pub fn of(kind: &str) -> Option<fn(&Value) -> Readiness> {
    Some(match kind {
        "Deployment" => deployment,
        "StatefulSet" => stateful_set,
        "DaemonSet" => daemon_set,
        "Job" => |job| condition(job, "Complete"),
        "Pod" => |pod| condition(pod, "Ready"),
        "CustomResourceDefinition" => |definition| condition(definition, "Established"),
        "Ingress" => ingress,
        _ => return None,
    })
}

fn deployment(object: &Value) -> Readiness {
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    counted(
        object,
        wanted,
        &[("updatedReplicas", "updated"), ("availableReplicas", "available")],
    )
}

fn stateful_set(object: &Value) -> Readiness {
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    counted(
        object,
        wanted,
        &[("updatedReplicas", "updated"), ("readyReplicas", "ready")],
    )
}

fn daemon_set(object: &Value) -> Readiness {
    let wanted = object["status"]["desiredNumberScheduled"].as_i64().unwrap_or(0);
    counted(
        object,
        wanted,
        &[
            ("updatedNumberScheduled", "updated"),
            ("numberAvailable", "available"),
        ],
    )
}

/// A workload whose controller has seen the newest spec and counts as many pods as are wanted, and no old ones.
fn counted(object: &Value, wanted: i64, fields: &[(&str, &str)]) -> Readiness {
    let status = &object["status"];
    let seen = status["observedGeneration"].as_i64().unwrap_or(0);
    if seen < object["metadata"]["generation"].as_i64().unwrap_or(0) {
        return Readiness::Waiting("waiting for its controller".to_owned());
    }
    for (field, word) in fields {
        let count = status[*field].as_i64().unwrap_or(0);
        if count < wanted {
            return Readiness::Waiting(format!("{count} of {wanted} {word}"));
        }
    }
    let all = status["replicas"].as_i64().unwrap_or(wanted);
    if all > wanted {
        return Readiness::Waiting(format!("{} old ones are ending", all - wanted));
    }
    Readiness::Ready
}

fn condition(object: &Value, name: &str) -> Readiness {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|c| c["type"] == name);
    match found {
        Some(condition) if condition["status"] == "True" => Readiness::Ready,
        Some(condition) => Readiness::Waiting(
            [&condition["reason"], &condition["message"]]
                .iter()
                .filter_map(|text| text.as_str())
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(": "),
        ),
        None => Readiness::Waiting(format!("waiting for the condition {name}")),
    }
}

fn ingress(object: &Value) -> Readiness {
    match object["status"]["loadBalancer"]["ingress"].as_array() {
        Some(addresses) if !addresses.is_empty() => Readiness::Ready,
        _ => Readiness::Waiting("waiting for an address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting(text: &str) -> Readiness {
        Readiness::Waiting(text.to_owned())
    }

    #[test]
    fn a_deployment_is_ready_when_only_new_pods_are_there_and_available() {
        let ready = of("Deployment").expect("it is waited for");
        let at = |generation: i64, observed: i64, updated: i64, available: i64, all: i64| {
            ready(&json!({
                "metadata": { "generation": generation },
                "spec": { "replicas": 2 },
                "status": { "observedGeneration": observed, "updatedReplicas": updated,
                    "availableReplicas": available, "replicas": all },
            }))
        };
        assert_eq!(at(2, 1, 2, 2, 2), waiting("waiting for its controller"));
        assert_eq!(at(2, 2, 1, 2, 3), waiting("1 of 2 updated"));
        assert_eq!(at(2, 2, 2, 1, 2), waiting("1 of 2 available"));
        assert_eq!(at(2, 2, 2, 2, 3), waiting("1 old ones are ending"));
        assert_eq!(at(2, 2, 2, 2, 2), Readiness::Ready);
    }

    #[test]
    fn a_condition_tells_why_it_does_not_hold() {
        let ready = of("Pod").expect("it is waited for");
        let pod = |status: &str| {
            ready(
                &json!({ "status": { "conditions": [{ "type": "Ready", "status": status,
                "reason": "ContainersNotReady", "message": "containers with unready status: [web]" }] } }),
            )
        };
        assert_eq!(
            pod("False"),
            waiting("ContainersNotReady: containers with unready status: [web]")
        );
        assert_eq!(pod("True"), Readiness::Ready);
        assert_eq!(ready(&json!({})), waiting("waiting for the condition Ready"));
    }

    #[test]
    fn what_works_once_it_exists_is_not_waited_for() {
        assert!(of("ConfigMap").is_none());
        let ingress = of("Ingress").expect("it is waited for");
        assert_eq!(ingress(&json!({})), waiting("waiting for an address"));
    }
}
