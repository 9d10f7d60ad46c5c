//! CronJobs: a Job at each start of a schedule (`pkg/controller/cronjob`).
//!
//! A Job's name says which start it is for, so no start has two Jobs. A look makes the Job that is due; the next one, when
//! the Job is there, enters it in the status.

pub mod due;

use std::sync::Arc;

use deploy_cluster_kinds::batch::schedule::Schedule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use self::due::Clock;
use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome, Tell};
use crate::kind::{CRON_JOB, JOB};
use crate::object;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "cronjob-controller",
    watches: &[
        Watch {
            kind: CRON_JOB,
            keys: controller::itself,
        },
        Watch {
            kind: JOB,
            keys: of_job,
        },
    ],
    reconcile,
    workers: 5,
};

/// For which start a Job was made.
const START: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

fn of_job(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    controller::owner_of_kind(change, &CRON_JOB)
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let Some(cron_job) = look.view.get(&CRON_JOB, &look.key.namespace, &look.key.name) else {
        return Outcome::nothing();
    };
    let jobs = look.view.controlled_by(&JOB, &cron_job);
    let mut work = Work {
        view: look.view,
        status: cron_job["status"].clone(),
        active: cron_job["status"]["active"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
        cron_job,
        jobs,
        now: look.now,
        outcome: Outcome::nothing(),
    };
    work.enter_jobs();
    work.drop_missing();
    if !object::is_deleting(&work.cron_job) && look.failure.is_none() {
        work.start();
    }
    work.clean_up();
    work.finish()
}

/// One look at a CronJob.
struct Work<'a> {
    view: &'a dyn View,
    cron_job: Arc<Value>,
    /// As it will be written, but for `active`.
    status: Value,
    /// References to Jobs that run.
    active: Vec<Value>,
    jobs: Vec<Arc<Value>>,
    now: Timestamp,
    outcome: Outcome,
}

impl Work<'_> {
    /// Brings the status up to what became of the Jobs.
    fn enter_jobs(&mut self) {
        for job in self.jobs.clone() {
            self.enter_new(&job);
            let Some(end) = end(&job) else {
                if !self.is_active(&job) {
                    let name = object::name(&job);
                    let text = format!("Saw a job that the controller did not create or forgot: {name}");
                    self.tell("Warning", "UnexpectedJob", text);
                }
                continue;
            };
            if self.is_active(&job) {
                self.active
                    .retain(|reference| reference["uid"] != object::uid(&job));
                let text = format!("Saw completed job: {}, condition: {end}", object::name(&job));
                self.tell("Normal", "SawCompletedJob", text);
            }
            let completed = object::time(&job["status"]["completionTime"]);
            if let ("Complete", Some(completed)) = (end, completed) {
                let known = object::time(&self.status["lastSuccessfulTime"]);
                if known.is_none_or(|known| completed > known) {
                    self.status["lastSuccessfulTime"] = object::shown(completed);
                }
            }
        }
    }

    /// A Job that the last look made.
    fn enter_new(&mut self, job: &Value) {
        let start = object::annotation(job, START).and_then(|text| text.parse::<Timestamp>().ok());
        let Some(start) = start.filter(|start| object::name(job) == self.job_name(*start)) else {
            return;
        };
        let last = object::time(&self.status["lastScheduleTime"]);
        if last.is_some_and(|last| start <= last) {
            return;
        }
        self.status["lastScheduleTime"] = object::shown(start);
        if !self.is_active(job) {
            self.active.push(json!({
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": object::name(job),
                "namespace": object::namespace(job),
                "resourceVersion": object::text(job, "resourceVersion"),
                "uid": object::uid(job),
            }));
        }
    }

    fn drop_missing(&mut self) {
        let is_there = |reference: &Value| {
            self.jobs.iter().any(|job| reference["uid"] == object::uid(job))
                || reference["name"].as_str().is_some_and(|name| {
                    let namespace = object::namespace(&self.cron_job);
                    self.view.get(&JOB, namespace, name).is_some()
                })
        };
        let (left, missing): (Vec<Value>, Vec<Value>) =
            std::mem::take(&mut self.active).into_iter().partition(is_there);
        self.active = left;
        for reference in missing {
            let name = reference["name"].as_str().unwrap_or_default();
            self.tell("Normal", "MissingJob", format!("Active job went missing: {name}"));
        }
    }

    /// Makes the Job that is due.
    fn start(&mut self) {
        let Some(clock) = self.clock() else {
            return;
        };
        let since =
            object::time(&self.status["lastScheduleTime"]).unwrap_or_else(|| object::created(&self.cron_job));
        let deadline = self.cron_job["spec"]["startingDeadlineSeconds"].as_i64();
        let deadline = deadline.map(SignedDuration::from_secs);
        let limit = deadline.and_then(|deadline| self.now.checked_sub(deadline).ok());
        let from = limit.map_or(since, |limit| limit.max(since));
        let missed = match clock.missed(from, self.now) {
            Ok(missed) => missed,
            Err(error) => {
                let schedule = self.cron_job["spec"]["schedule"].as_str().unwrap_or_default();
                let text = format!("invalid schedule: {schedule} : {error}");
                self.tell("Warning", "InvalidSchedule", text);
                return;
            }
        };
        if let Some(wait) = clock.wait(since, self.now) {
            self.outcome.again_within(wait);
        }
        let Some(start) = missed.latest else {
            return;
        };
        if missed.are_many() {
            let text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.tell("Warning", "TooManyMissedTimes", text.to_owned());
        }
        let too_late = deadline
            .is_some_and(|deadline| start.checked_add(deadline).is_ok_and(|latest| latest < self.now));
        if too_late {
            let at = start.strftime("%a, %d %b %Y %H:%M:%S UTC");
            let text = format!("Missed scheduled time to start a job: {at}");
            self.tell("Warning", "MissSchedule", text);
            return;
        }
        let name = self.job_name(start);
        let processed = self.active.iter().any(|reference| reference["name"] == name)
            || object::time(&self.status["lastScheduleTime"]) == Some(start);
        if !processed && self.make_room() {
            self.create(&clock, start, &name);
        }
    }

    /// The schedule, where it may start something; says so where it is wrong.
    fn clock(&mut self) -> Option<Clock> {
        let spec = &self.cron_job["spec"];
        let zone = match spec["timeZone"].as_str() {
            None => TimeZone::UTC,
            Some(name) => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(_) => {
                    let text = format!("invalid timeZone: {name:?}: unknown time zone {name}");
                    self.tell("Warning", "UnknownTimeZone", text);
                    return None;
                }
            },
        };
        if spec["suspend"] == true {
            return None;
        }
        let text = spec["schedule"].as_str().unwrap_or_default();
        match Schedule::parse(text) {
            Ok(schedule) => Some(Clock { schedule, zone }),
            Err(error) => {
                let text = format!("unparseable schedule: {text:?} : {error}");
                self.tell("Warning", "UnparseableSchedule", text);
                None
            }
        }
    }

    /// What the concurrency policy says to Jobs that still run. False: nothing may start beside them.
    fn make_room(&mut self) -> bool {
        match self.cron_job["spec"]["concurrencyPolicy"].as_str() {
            Some("Forbid") if !self.active.is_empty() => {
                let text =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.tell("Normal", "JobAlreadyActive", text.to_owned());
                false
            }
            Some("Replace") => {
                for reference in std::mem::take(&mut self.active) {
                    let text = |field: &str| reference[field].as_str().unwrap_or_default();
                    self.delete(text("name"), text("uid"));
                }
                true
            }
            _ => true,
        }
    }

    fn create(&mut self, clock: &Clock, start: Timestamp, name: &str) {
        let namespace = object::namespace(&self.cron_job);
        if self.view.get(&JOB, namespace, name).is_some() {
            // Somebody else's: ours would have been entered.
            return;
        }
        let template = &self.cron_job["spec"]["jobTemplate"];
        let mut metadata = Map::new();
        if let Some(labels) = template["metadata"].get("labels") {
            metadata.insert("labels".to_owned(), labels.clone());
        }
        let mut annotations = template["metadata"]["annotations"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        annotations.insert(START.to_owned(), json!(in_zone(start, &clock.zone)));
        metadata.insert("annotations".to_owned(), Value::Object(annotations));
        metadata.insert("name".to_owned(), json!(name));
        metadata.insert("namespace".to_owned(), json!(namespace));
        metadata.insert(
            "ownerReferences".to_owned(),
            json!([object::owner_reference(&CRON_JOB, &self.cron_job)]),
        );
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]});
        self.outcome.push(Effect::Create {
            kind: JOB,
            object: job,
            tell: Some(Tell {
                about: self.cron_job.clone(),
                done: ("SuccessfulCreate", "Created job {name}".into()),
                failed: ("FailedCreate", "Error creating job: {error}".into()),
            }),
        });
    }

    /// Keeps as many ended Jobs as the history limits say, the newest.
    fn clean_up(&mut self) {
        for (condition, limit) in [
            ("Complete", "successfulJobsHistoryLimit"),
            ("Failed", "failedJobsHistoryLimit"),
        ] {
            let limit = self.cron_job["spec"][limit].as_u64();
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
                continue;
            };
            let mut ended: Vec<Arc<Value>> = self.jobs.clone();
            ended.retain(|job| end(job) == Some(condition) && !object::is_deleting(job));
            ended.sort_by_key(|job| {
                let started = object::time(&job["status"]["startTime"]);
                (started.is_none(), started, object::name(job).to_owned())
            });
            let surplus = ended.len().saturating_sub(limit);
            for job in ended.drain(..surplus) {
                self.delete(object::name(&job), object::uid(&job));
            }
        }
    }

    fn delete(&mut self, name: &str, uid: &str) {
        self.outcome.push(Effect::Delete {
            kind: JOB,
            namespace: object::namespace(&self.cron_job).to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            propagation: Some("Background"),
            grace_seconds: None,
            tell: Some(Tell {
                about: self.cron_job.clone(),
                done: ("SuccessfulDelete", "Deleted job {name}".into()),
                failed: ("FailedDelete", "Deleted job: {error}".into()),
            }),
        });
    }

    fn finish(mut self) -> Outcome {
        if !self.status.is_object() {
            self.status = json!({});
        }
        if let Value::Object(status) = &mut self.status {
            if self.active.is_empty() {
                status.remove("active");
            } else {
                status.insert("active".to_owned(), Value::Array(self.active));
            }
        }
        let known = &self.cron_job["status"];
        if self.status != *known && !(known.is_null() && self.status == json!({})) {
            let mut changed = Value::clone(&self.cron_job);
            changed["status"] = self.status;
            self.outcome.push(Effect::UpdateStatus {
                kind: CRON_JOB,
                object: changed,
            });
        }
        self.outcome
    }

    fn is_active(&self, job: &Value) -> bool {
        self.active
            .iter()
            .any(|reference| reference["uid"] == object::uid(job))
    }

    /// The minute of the start is part of the name.
    fn job_name(&self, start: Timestamp) -> String {
        format!("{}-{}", object::name(&self.cron_job), start.as_second() / 60)
    }

    fn tell(&mut self, r#type: &'static str, reason: &'static str, text: String) {
        self.outcome.event(&self.cron_job, r#type, reason, text);
    }
}

/// The condition with which a Job has ended.
fn end(job: &Value) -> Option<&'static str> {
    ["Complete", "Failed"]
        .into_iter()
        .find(|r#type| object::is_true(job, r#type))
}

/// RFC 3339 with the zone's offset; `Z` for none.
fn in_zone(time: Timestamp, zone: &TimeZone) -> String {
    let zoned = time.to_zoned(zone.clone());
    if zoned.offset().is_zero() {
        zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

#[cfg(test)]
mod tests;
