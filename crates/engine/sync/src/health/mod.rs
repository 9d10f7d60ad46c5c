//! How a live object does: what its kind promises against what its status says.
//!
//! The rules are those of Argo CD's users (gitops-engine/pkg/health), so that a team that moves sees the same colours; the
//! words are our own, in both languages.

mod autoscaling;
mod jobs;
mod pods;
mod reason;
mod serving;
mod workloads;

use serde_json::Value;

pub use reason::Reason;

/// The colour of an object, from the best to the worst where several are put together (see [`worst`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It does what its kind promises.
    Healthy,
    /// Stopped on purpose: a paused Deployment, a suspended Job.
    Suspended,
    /// On its way; it may still get there.
    Progressing,
    /// It is wanted and not there.
    Missing,
    /// It has failed, or will not get there by itself.
    Degraded,
    /// Nothing is known: never shown as healthy.
    Unknown,
}

impl Status {
    /// As Argo CD spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Healthy => "Healthy",
            Status::Suspended => "Suspended",
            Status::Progressing => "Progressing",
            Status::Missing => "Missing",
            Status::Degraded => "Degraded",
            Status::Unknown => "Unknown",
        }
    }
}

/// How an object does, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its colour.
    pub status: Status,
    /// Why, for people.
    pub reason: Reason,
}

impl Health {
    fn healthy() -> Health {
        Health::of(Status::Healthy, Reason::Fine)
    }

    fn of(status: Status, reason: Reason) -> Health {
        Health { status, reason }
    }
}

/// The health of a live object; `None` where its kind promises nothing beyond being there (a ConfigMap), or where
/// nobody has said what it promises (a custom resource).
pub fn assess(object: &Value) -> Option<Health> {
    let rule = rule(group_of(object), object["kind"].as_str().unwrap_or_default())?;
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Some(Health::of(Status::Progressing, Reason::Ending));
    }
    Some(rule(object))
}

/// The colour of several objects together: the worst of them; nothing at all is healthy.
pub fn worst(statuses: impl IntoIterator<Item = Status>) -> Status {
    statuses.into_iter().max().unwrap_or(Status::Healthy)
}

type Rule = fn(&Value) -> Health;

fn rule(group: &str, kind: &str) -> Option<Rule> {
    Some(match (group, kind) {
        ("apps", "Deployment") => workloads::deployment,
        ("apps", "ReplicaSet") => workloads::replica_set,
        ("apps", "StatefulSet") => workloads::stateful_set,
        ("apps", "DaemonSet") => workloads::daemon_set,
        ("", "Pod") => pods::pod,
        ("", "Service") => serving::service,
        ("", "PersistentVolumeClaim") => serving::claim,
        ("networking.k8s.io" | "extensions", "Ingress") => serving::ingress,
        ("apiregistration.k8s.io", "APIService") => serving::api_service,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => serving::definition,
        ("batch", "Job") => jobs::job,
        ("batch", "CronJob") => jobs::cron_job,
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::autoscaler,
        ("policy", "PodDisruptionBudget") => serving::budget,
        _ => return None,
    })
}

fn group_of(object: &Value) -> &str {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group)
}

/// Whether the controller of an object has not seen its newest spec.
fn is_stale(object: &Value) -> bool {
    let seen = object["status"]["observedGeneration"].as_i64().unwrap_or(0);
    seen < object["metadata"]["generation"].as_i64().unwrap_or(0)
}

fn count(object: &Value, field: &str) -> i64 {
    object["status"][field].as_i64().unwrap_or(0)
}

/// A condition of the object's status.
fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == name)
}

fn holds(object: &Value, name: &str) -> bool {
    condition(object, name).is_some_and(|condition| condition["status"] == "True")
}

/// What the cluster says in a condition.
fn told(condition: &Value) -> Reason {
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    Reason::told(text("reason"), text("message"))
}
