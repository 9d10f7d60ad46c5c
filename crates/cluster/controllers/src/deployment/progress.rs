//! The status, and whether a rollout moves, is done or is stuck (`progress.go`, `sync.go calculateStatus`).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rolling::{available, replicas};
use super::{Work, put};
use crate::condition;
use crate::effect::{Effect, Failure, Outcome};
use crate::kind::REPLICA_SET;
use crate::object;

/// A rollout without a deadline has the largest number there is.
const NO_DEADLINE: i64 = i32::MAX as i64;

impl Work {
    pub fn has_deadline(&self) -> bool {
        self.deadline_seconds().is_some()
    }

    fn deadline_seconds(&self) -> Option<i64> {
        let seconds = self.deployment["spec"]["progressDeadlineSeconds"].as_i64()?;
        (seconds != NO_DEADLINE).then_some(seconds)
    }

    /// A paused Deployment makes no progress, and that is no failure.
    pub fn check_paused(&mut self) {
        if !self.has_deadline() {
            return;
        }
        let reason = self
            .condition("Progressing")
            .map(|condition| condition["reason"].clone());
        if reason == Some(json!("ProgressDeadlineExceeded")) {
            return;
        }
        let was_paused = reason == Some(json!("DeploymentPaused"));
        let is_paused = self.deployment["spec"]["paused"] == true;
        if is_paused && !was_paused {
            let text = "Deployment is paused".to_owned();
            self.set_condition("Progressing", "Unknown", "DeploymentPaused", text);
        } else if !is_paused && was_paused {
            let text = "Deployment is resumed".to_owned();
            self.set_condition("Progressing", "Unknown", "DeploymentResumed", text);
        }
    }

    /// A ReplicaSet that cannot be made is told in the status at once.
    pub fn tell_failure(&mut self, failure: &Failure) {
        let set = match &failure.effect {
            Effect::Create { kind, object, .. } if *kind == REPLICA_SET => object,
            _ => return,
        };
        let text = format!(
            "Failed to create new replica set {:?}: {}",
            object::name(set),
            failure.message
        );
        if self.has_deadline() {
            self.set_condition("Progressing", "False", "ReplicaSetCreateError", text.clone());
        }
        self.events.push(("Warning", "ReplicaSetCreateError", text));
    }

    /// The status by the current numbers, with the condition `Available`.
    pub fn counted_status(&self) -> Value {
        let sum = |count: fn(&Value) -> i64| self.all().map(count).sum::<i64>();
        let actual: fn(&Value) -> i64 = |set| object::integer(set, "/status/replicas");
        let available = sum(available);
        let mut status = Map::new();
        let mut count = |name: &str, number: i64| {
            if number != 0 {
                status.insert(name.to_owned(), json!(number));
            }
        };
        count("observedGeneration", object::generation(&self.deployment));
        count("replicas", sum(actual));
        count("updatedReplicas", self.new.as_ref().map_or(0, actual));
        count(
            "readyReplicas",
            sum(|set| object::integer(set, "/status/readyReplicas")),
        );
        count("availableReplicas", available);
        count("unavailableReplicas", (sum(replicas) - available).max(0));
        if let Some(collisions) = self.deployment["status"].get("collisionCount") {
            status.insert("collisionCount".to_owned(), collisions.clone());
        }
        let (holds, reason, text) = if available >= self.replicas() - self.max_unavailable() {
            (
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        let mut conditions = condition::list(&self.deployment);
        put(
            &mut conditions,
            self.new_condition("Available", holds, reason, text.to_owned()),
        );
        let mut status = Value::Object(status);
        condition::store(&mut status, conditions);
        status
    }

    pub fn store_status(&mut self, status: Value) {
        self.deployment["status"] = status;
    }

    /// The status of a rollout: the counts, and how it gets on.
    pub fn store_rollout_status(&mut self, outcome: &mut Outcome) {
        let mut status = self.counted_status();
        let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        if self.has_deadline() {
            self.judge(&status, &mut conditions, outcome);
        } else {
            condition::remove(&mut conditions, "Progressing");
        }
        match self.replica_failure() {
            Some(failure) => put(&mut conditions, failure),
            None => condition::remove(&mut conditions, "ReplicaFailure"),
        }
        condition::store(&mut status, conditions);
        self.store_status(status);
    }

    fn judge(&self, status: &Value, conditions: &mut Vec<Value>, outcome: &mut Outcome) {
        let current = self.condition("Progressing");
        let was_done = current.is_some_and(|condition| condition["reason"] == "NewReplicaSetAvailable");
        if was_done && status["replicas"] == status["updatedReplicas"] {
            return;
        }
        let subject = match &self.new {
            Some(set) => format!("ReplicaSet {:?}", object::name(set)),
            None => format!("Deployment {:?}", object::name(&self.deployment)),
        };
        let progressing = |holds: &str, reason: &str, text: &str| {
            self.new_condition("Progressing", holds, reason, format!("{subject} {text}"))
        };
        if self.is_complete(status) {
            let text = "has successfully progressed.";
            put(conditions, progressing("True", "NewReplicaSetAvailable", text));
        } else if self.moves(status) {
            let mut condition = progressing("True", "ReplicaSetUpdated", "is progressing.");
            if let Some(current) = current.filter(|current| current["status"] == "True") {
                condition["lastTransitionTime"] = current["lastTransitionTime"].clone();
            }
            // Also with the same reason: the time of the last update says that it moves.
            condition::remove(conditions, "Progressing");
            conditions.push(condition);
        } else if let (Some(current), Some(deadline)) = (current, self.deadline_seconds()) {
            self.judge_deadline(current, deadline, conditions, outcome, progressing);
        }
    }

    fn judge_deadline(
        &self,
        current: &Value,
        deadline: i64,
        conditions: &mut Vec<Value>,
        outcome: &mut Outcome,
        progressing: impl Fn(&str, &str, &str) -> Value,
    ) {
        if matches!(
            current["reason"].as_str(),
            Some("NewReplicaSetAvailable" | "ProgressDeadlineExceeded")
        ) {
            return;
        }
        let Some(since) = object::time(&current["lastUpdateTime"]) else {
            return;
        };
        let left = since.as_second().saturating_add(deadline) - self.now.as_second();
        if left < 0 {
            let text = "has timed out progressing.";
            put(conditions, progressing("False", "ProgressDeadlineExceeded", text));
        } else {
            // A second more: the deadline must have passed, not just come.
            outcome.again_within(Duration::from_secs(u64::try_from(left).unwrap_or_default() + 1));
        }
    }

    /// All pods are of the new template and available (`DeploymentComplete`).
    pub fn is_complete(&self, status: &Value) -> bool {
        let wanted = self.replicas();
        let count = |name: &str| status[name].as_i64().unwrap_or_default();
        count("updatedReplicas") == wanted
            && count("replicas") == wanted
            && count("availableReplicas") == wanted
            && count("observedGeneration") >= object::generation(&self.deployment)
    }

    /// More pods of the new template, fewer of the old, more ready or available than before (`DeploymentProgressing`).
    fn moves(&self, status: &Value) -> bool {
        let before = &self.deployment["status"];
        let count = |status: &Value, name: &str| status[name].as_i64().unwrap_or_default();
        let grew = |name: &str| count(status, name) > count(before, name);
        let old = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
        grew("updatedReplicas")
            || old(status) < old(before)
            || grew("readyReplicas")
            || grew("availableReplicas")
    }

    /// The failure that a ReplicaSet reports, the new one's first.
    fn replica_failure(&self) -> Option<Value> {
        let mut sets = self.new.iter().chain(&self.old);
        let found = sets.find_map(|set| object::condition(set, "ReplicaFailure"))?;
        Some(json!({
            "type": "ReplicaFailure",
            "status": found["status"],
            "lastUpdateTime": found["lastTransitionTime"],
            "lastTransitionTime": found["lastTransitionTime"],
            "reason": found["reason"],
            "message": found["message"],
        }))
    }
}
