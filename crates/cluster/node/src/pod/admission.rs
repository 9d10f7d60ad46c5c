//! Whether the node has room for a pod that somebody else has put there: the scheduler looks before it binds, others do
//! not (`pkg/kubelet/lifecycle/predicate.go`).

use deploy_cluster_kinds::cursor::Field;
use deploy_cluster_kinds::resources::{self, Amounts};
use jiff::Timestamp;
use serde_json::Value;

use super::Engine;
use super::ending::Failure;

/// What a node can give to pods, or what pods ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// 1/1000 cores.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Bytes.
    pub storage_bytes: i64,
    /// Pods.
    pub pods: i64,
}

/// Why a pod is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of the status and of the event.
    pub reason: &'static str,
    /// Of the event; in the status it follows "Pod was rejected: ".
    pub message: String,
}

impl Room {
    /// What a node says that it has for pods (`status.allocatable`).
    pub fn of_node(node: &Value) -> Room {
        let amount = |name: &str| resources::from_json(&node["status"]["allocatable"][name]);
        Room {
            cpu_milli: amount("cpu").map_or(0, |amount| amount.milli_value()),
            memory_bytes: amount("memory").map_or(0, |amount| amount.value()),
            storage_bytes: amount("ephemeral-storage").map_or(0, |amount| amount.value()),
            pods: amount("pods").map_or(0, |amount| amount.value()),
        }
    }

    /// What a pod asks for.
    pub fn of_pod(pod: &Value) -> Room {
        let requests: Amounts = resources::of_pod(&Field::root(&pod["spec"]), "requests");
        let value = |name: &str| requests.get(name).map_or(0, |amount| amount.value());
        Room {
            cpu_milli: requests.get("cpu").map_or(0, |amount| amount.milli_value()),
            memory_bytes: value("memory"),
            storage_bytes: value("ephemeral-storage"),
            pods: 1,
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Room) -> Room {
        Room {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            storage_bytes: self.storage_bytes.saturating_add(other.storage_bytes),
            pods: self.pods.saturating_add(other.pods),
        }
    }
}

/// Whether a pod that asks for `wanted` has to be refused, where the other pods have `used`: the first thing that is
/// short, in upstream's order.
pub fn refusal(wanted: Room, used: Room, allocatable: Room) -> Option<Refusal> {
    let rows = [
        ("OutOfpods", "pods", wanted.pods, used.pods, allocatable.pods),
        (
            "OutOfcpu",
            "cpu",
            wanted.cpu_milli,
            used.cpu_milli,
            allocatable.cpu_milli,
        ),
        (
            "OutOfmemory",
            "memory",
            wanted.memory_bytes,
            used.memory_bytes,
            allocatable.memory_bytes,
        ),
        (
            "OutOfephemeral-storage",
            "ephemeral-storage",
            wanted.storage_bytes,
            used.storage_bytes,
            allocatable.storage_bytes,
        ),
    ];
    let short = |(.., wanted, used, all): &(&str, &str, i64, i64, i64)| {
        *wanted > 0 && *wanted > all.saturating_sub(*used)
    };
    let (reason, name, requested, used, capacity) = rows.into_iter().find(short)?;
    Some(Refusal {
        reason,
        message: format!(
            "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
        ),
    })
}

/// Whether the node has not begun with a pod: what runs is never refused.
pub fn is_new(pod: &Value) -> bool {
    pod["status"]["startTime"].is_null() && pod["metadata"]["deletionTimestamp"].is_null() && !has_ended(pod)
}

/// Whether this is the reason of a refusal.
pub fn is_refusal(reason: &str) -> bool {
    reason.starts_with("OutOf")
}

/// Whether it uses nothing any more.
pub fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

impl Engine {
    /// The pod is not taken: it has failed before anything was made of it. Before the first step.
    pub fn refuse(&mut self, refusal: &Refusal, now: Timestamp) {
        let failure = Failure {
            reason: refusal.reason,
            message: format!("Pod was rejected: {}", refusal.message),
            grace_seconds: None,
        };
        self.end(Some(failure), now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::pod::{Input, Pod};

    fn pod(name: &str, cpu: &str, memory: &str) -> Value {
        json!({
            "metadata": {"name": name, "uid": name, "namespace": "n"},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]},
        })
    }

    fn node() -> Room {
        Room::of_node(&json!({"status": {"allocatable": {
            "cpu": "2", "memory": "1Gi", "pods": "3", "ephemeral-storage": "10Gi",
        }}}))
    }

    #[test]
    fn what_does_not_fit_is_refused_in_upstreams_words() {
        let used = Room::of_pod(&pod("a", "1500m", "512Mi")).and(Room::of_pod(&pod("b", "0", "0")));
        let ask = |cpu: &str, memory: &str| refusal(Room::of_pod(&pod("new", cpu, memory)), used, node());
        assert_eq!(ask("500m", "512Mi"), None, "exactly what is left");
        let cpu = ask("501m", "1Gi").expect("it is short");
        assert_eq!(
            (cpu.reason, cpu.message.as_str()),
            (
                "OutOfcpu",
                "Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000"
            )
        );
        assert_eq!(ask("0", "513Mi").map(|found| found.reason), Some("OutOfmemory"));
        let alone = Room::of_pod(&pod("new", "2", "1Gi"));
        assert_eq!(refusal(alone, Room::default(), node()), None);
        let many = Room {
            pods: 3,
            ..Room::default()
        };
        let full = refusal(Room::of_pod(&pod("new", "0", "0")), many, node());
        assert_eq!(full.map(|found| found.reason), Some("OutOfpods"));
    }

    #[test]
    fn a_refused_pod_has_failed_and_nothing_is_made_of_it() {
        let object = pod("new", "3", "0");
        assert!(is_new(&object));
        let now = Timestamp::UNIX_EPOCH;
        let mut engine = Engine::new(Pod::read(&Arc::new(object.clone())), "10.0.0.1", now);
        let refusal = refusal(Room::of_pod(&object), Room::default(), node()).expect("it is short");
        engine.refuse(&refusal, now);
        let effects = engine.step(Input::Tick, now);
        assert_eq!(
            effects,
            [crate::pod::Effect::Clean],
            "nothing but to look that nothing is there"
        );
        let status = engine.status();
        assert_eq!(
            (&status["phase"], &status["reason"]),
            (&json!("Failed"), &json!("OutOfcpu"))
        );
        assert_eq!(
            status["message"],
            "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000"
        );
        assert!(status["containerStatuses"].is_null(), "{status}");
        let mut known = object;
        known["status"] = status.clone();
        assert!(!is_new(&known), "it is not refused twice");
    }
}
