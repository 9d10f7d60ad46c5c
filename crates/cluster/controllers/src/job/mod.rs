//! Jobs: pods until enough of them have succeeded, or too many failed (`pkg/controller/job`).
//!
//! A pod carries a finalizer until it is counted: first its uid goes into `status.uncountedTerminatedPods`, then the
//! finalizer goes, then the uid becomes a number. So no pod is counted twice or never, whatever is interrupted.

mod indexes;
mod place;
mod policy;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::tally::Tally;
use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{JOB, POD};
use crate::pods;
use crate::selector::Selector;
use crate::view::View;
use crate::{condition, object};

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "job-controller",
    watches: &[
        Watch {
            kind: JOB,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: of_pod,
        },
    ],
    reconcile,
    workers: 5,
};

/// What a pod carries until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

const MANAGER: &str = "kubernetes.io/job-controller";

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &JOB)
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(job) = look.view.get(&JOB, &look.key.namespace, &look.key.name) else {
        release_orphans(look, &mut outcome);
        return outcome;
    };
    if job["spec"]["managedBy"]
        .as_str()
        .is_some_and(|manager| manager != MANAGER)
    {
        return outcome;
    }
    let Some(selector) = Selector::of(&job["spec"]["selector"]) else {
        return outcome;
    };
    let candidates = look.view.list(&POD, Some(object::namespace(&job)));
    let pods = pods::claim(&JOB, &job, &selector, candidates, &mut outcome);
    if has_finished(&job) || object::is_deleting(&job) {
        outcome
            .effects
            .extend(pods.iter().filter(|pod| is_tracked(pod)).map(|pod| untrack(pod)));
        expire(&job, look.now, &mut outcome);
        return outcome;
    }
    if look.failure.is_none() {
        Work::of(&job, pods, look.now, outcome).run()
    } else {
        outcome
    }
}

/// One look at a Job that has not finished.
struct Work {
    job: Arc<Value>,
    status: Value,
    conditions: Vec<Value>,
    pods: Vec<Arc<Value>>,
    tally: Tally,
    now: Timestamp,
    /// Before the status is written.
    before: Vec<Effect>,
    /// After it.
    after: Vec<Effect>,
    outcome: Outcome,
}

impl Work {
    fn of(job: &Arc<Value>, pods: Vec<Arc<Value>>, now: Timestamp, outcome: Outcome) -> Work {
        let tally = Tally::of(job, &pods);
        Work {
            job: job.clone(),
            status: job["status"].clone(),
            conditions: condition::list(job),
            pods,
            tally,
            now,
            before: Vec::new(),
            after: Vec::new(),
            outcome,
        }
    }

    fn run(mut self) -> Outcome {
        let suspended = self.job["spec"]["suspend"] == true;
        if self.status["startTime"].is_null() && !suspended {
            self.set("startTime", object::shown(self.now));
        }
        if !self.is_ending() {
            self.judge();
        }
        if self.is_ending() || suspended {
            self.remove_active();
        }
        if !self.is_ending() {
            self.note_suspension(suspended);
            if !suspended {
                self.balance();
            }
        }
        self.write_counts();
        self.finish();
        self.into_outcome()
    }

    /// The end is decided; pods may still have to go.
    fn is_ending(&self) -> bool {
        self.holds("FailureTarget") || self.holds("SuccessCriteriaMet")
    }

    fn holds(&self, r#type: &str) -> bool {
        self.conditions
            .iter()
            .any(|c| c["type"] == r#type && c["status"] == "True")
    }

    /// Decides on the end, if it has come.
    fn judge(&mut self) {
        if let Some((reason, message)) = policy::failure(&self.job, &self.pods, &self.tally, self.now) {
            self.add_condition("FailureTarget", "True", reason, &message);
        } else if policy::is_complete(&self.job, &self.tally) {
            let message = "Reached expected number of succeeded pods";
            self.add_condition("SuccessCriteriaMet", "True", "CompletionsReached", message);
        } else if let Some(message) = policy::success_rule(&self.job, &self.tally) {
            self.add_condition("SuccessCriteriaMet", "True", "SuccessPolicy", &message);
        } else if let Some(left) = policy::deadline_in(&self.job, self.now) {
            self.outcome.again_within(left);
        }
    }

    /// Pods that still run go; they count as failed unless they have ended well meanwhile.
    fn remove_active(&mut self) {
        let active: Vec<Arc<Value>> = self
            .pods
            .iter()
            .filter(|pod| object::is_active(pod))
            .cloned()
            .collect();
        let job = self.job.clone();
        self.before.extend(
            active
                .iter()
                .map(|pod| pods::delete(pod, Some(pods::tell_delete(&job)))),
        );
    }

    fn note_suspension(&mut self, suspended: bool) {
        let known = self
            .conditions
            .iter()
            .find(|c| c["type"] == "Suspended")
            .map(|c| c["status"].clone());
        if suspended && known != Some(json!("True")) {
            self.add_condition("Suspended", "True", "JobSuspended", "Job suspended");
            self.clear("startTime");
            self.outcome.event(
                &self.job.clone(),
                "Normal",
                "Suspended",
                "Job suspended".to_owned(),
            );
        } else if !suspended && known == Some(json!("True")) {
            self.add_condition("Suspended", "False", "JobResumed", "Job resumed");
            self.set("startTime", object::shown(self.now));
            self.outcome
                .event(&self.job.clone(), "Normal", "Resumed", "Job resumed".to_owned());
        }
    }

    /// Makes the pods that are missing, removes those that are too many.
    fn balance(&mut self) {
        let plan = place::plan(&self.job, &self.pods, &self.tally, self.now);
        if let Some(wait) = plan.wait {
            self.outcome.again_within(wait);
        }
        let job = self.job.clone();
        self.before.extend(
            plan.surplus
                .iter()
                .map(|pod| pods::delete(pod, Some(pods::tell_delete(&job)))),
        );
        self.after
            .extend(plan.missing.into_iter().map(|index| Effect::Create {
                kind: POD,
                object: place::pod(&job, index),
                tell: Some(pods::tell_create(&job)),
            }));
    }

    /// Counts what has ended, in the order that loses nothing.
    fn write_counts(&mut self) {
        let active = self.pods.iter().filter(|pod| object::is_active(pod)).count();
        let ready = self
            .pods
            .iter()
            .filter(|pod| object::is_active(pod) && object::is_true(pod, "Ready"))
            .count();
        let terminating = self.pods.iter().filter(|pod| tally::is_terminating(pod)).count();
        self.count("active", active);
        self.set("ready", json!(ready));
        self.set("terminating", json!(terminating));
        self.tally.write(&mut self.status);
        self.after.extend(
            self.pods
                .iter()
                .filter(|pod| self.tally.is_to_release(pod))
                .map(|pod| untrack(pod)),
        );
    }

    /// The last word, when every pod has gone and is counted.
    fn finish(&mut self) {
        let quiet = !self
            .pods
            .iter()
            .any(|pod| object::is_active(pod) || tally::is_terminating(pod));
        if !self.is_ending() || !quiet || !self.tally.is_settled(&self.pods) {
            return;
        }
        let failed = self
            .conditions
            .iter()
            .find(|c| c["type"] == "FailureTarget")
            .cloned();
        let met = self
            .conditions
            .iter()
            .find(|c| c["type"] == "SuccessCriteriaMet")
            .cloned();
        let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        if let Some(target) = failed {
            let (reason, message) = (text(&target, "reason"), text(&target, "message"));
            self.add_condition("Failed", "True", &reason, &message);
            let reason = policy::event_reason(&reason);
            self.outcome.event(&self.job.clone(), "Warning", reason, message);
        } else if let Some(met) = met {
            self.add_condition("Complete", "True", &text(&met, "reason"), &text(&met, "message"));
            self.set("completionTime", object::shown(self.now));
            self.outcome.event(
                &self.job.clone(),
                "Normal",
                "Completed",
                "Job completed".to_owned(),
            );
        }
    }

    fn into_outcome(mut self) -> Outcome {
        condition::store(&mut self.status, std::mem::take(&mut self.conditions));
        let events = std::mem::take(&mut self.outcome.effects);
        self.outcome.effects = self.before;
        if self.status != self.job["status"] {
            let mut changed = Value::clone(&self.job);
            changed["status"] = self.status;
            self.outcome.push(Effect::UpdateStatus {
                kind: JOB,
                object: changed,
            });
        }
        self.outcome.effects.extend(self.after);
        self.outcome.effects.extend(events);
        self.outcome
    }

    fn add_condition(&mut self, r#type: &str, status: &str, reason: &str, message: &str) {
        let now = object::shown(self.now);
        condition::remove(&mut self.conditions, r#type);
        self.conditions.push(json!({
            "type": r#type, "status": status, "reason": reason, "message": message,
            "lastProbeTime": now, "lastTransitionTime": now,
        }));
    }

    fn set(&mut self, field: &str, value: Value) {
        if !self.status.is_object() {
            self.status = Value::Object(Map::new());
        }
        self.status[field] = value;
    }

    fn clear(&mut self, field: &str) {
        if let Some(status) = self.status.as_object_mut() {
            status.remove(field);
        }
    }

    /// Zero is not written.
    fn count(&mut self, field: &str, number: usize) {
        if number == 0 {
            self.clear(field)
        } else {
            self.set(field, json!(number))
        }
    }
}

/// It has succeeded or failed for good.
fn has_finished(job: &Value) -> bool {
    object::is_true(job, "Complete") || object::is_true(job, "Failed")
}

fn is_tracked(pod: &Value) -> bool {
    pod["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| list.iter().any(|finalizer| finalizer == TRACKING))
}

/// The pod is counted: it may go.
fn untrack(pod: &Value) -> Effect {
    let mut finalizers = pod["metadata"]["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != TRACKING);
    let finalizers = if finalizers.is_empty() {
        Value::Null
    } else {
        json!(finalizers)
    };
    Effect::Patch {
        kind: POD,
        namespace: object::namespace(pod).to_owned(),
        name: object::name(pod).to_owned(),
        subresource: "",
        patch: json!({"metadata": {"uid": object::uid(pod), "finalizers": finalizers}}),
    }
}

/// A Job that is gone counts no more pods.
fn release_orphans(look: &Look<'_>, outcome: &mut Outcome) {
    let pods = look.view.list(&POD, Some(&look.key.namespace));
    let owned = |pod: &Value| {
        object::controller(pod).is_some_and(|owner| owner["kind"] == "Job" && owner["name"] == *look.key.name)
    };
    outcome.effects.extend(
        pods.iter()
            .filter(|pod| is_tracked(pod) && owned(pod))
            .map(|pod| untrack(pod)),
    );
}

/// A finished Job goes after `ttlSecondsAfterFinished` (`pkg/controller/ttlafterfinished`).
fn expire(job: &Value, now: Timestamp, outcome: &mut Outcome) {
    let (Some(ttl), false) = (
        job["spec"]["ttlSecondsAfterFinished"].as_i64(),
        object::is_deleting(job),
    ) else {
        return;
    };
    let ended = ["Complete", "Failed"]
        .iter()
        .find_map(|r#type| object::condition(job, r#type));
    let Some(ended) = ended.and_then(|condition| object::time(&condition["lastTransitionTime"])) else {
        return;
    };
    let left = ended
        .as_second()
        .saturating_add(ttl)
        .saturating_sub(now.as_second());
    match u64::try_from(left) {
        Ok(left) if left > 0 => outcome.again_within(Duration::from_secs(left)),
        _ => outcome.push(Effect::Delete {
            kind: JOB,
            namespace: object::namespace(job).to_owned(),
            name: object::name(job).to_owned(),
            uid: object::uid(job).to_owned(),
            propagation: Some("Foreground"),
            grace_seconds: None,
            tell: None,
        }),
    }
}

#[cfg(test)]
mod tests;
