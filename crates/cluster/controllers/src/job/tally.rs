//! Who has succeeded and who has failed, each once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::indexes::{self, Indexes};
use super::is_tracked;
use crate::object;

/// So many uids wait to be counted at most (`uncountedTerminatedPods` is part of the object).
const UNCOUNTED_MAX: usize = 500;

/// The counts of a Job as they will be.
pub struct Tally {
    /// The Job counts indexes, not pods.
    pub indexed: bool,
    /// Indexes that have succeeded.
    pub completed: Indexes,
    /// Indexes that have failed too often, where the Job counts by index.
    pub failed_indexes: Option<Indexes>,
    counted_succeeded: usize,
    counted_failed: usize,
    waiting_succeeded: BTreeSet<String>,
    waiting_failed: BTreeSet<String>,
    /// Pods that are counted and still carry the finalizer.
    release: BTreeSet<String>,
}

impl Tally {
    /// Reads the status and looks at the pods.
    pub fn of(job: &Value, pods: &[Arc<Value>]) -> Tally {
        let status = &job["status"];
        let number = |field: &str| usize::try_from(object::integer(status, field)).unwrap_or_default();
        let listed = |field: &str| -> BTreeSet<String> {
            let uids = status["uncountedTerminatedPods"][field]
                .as_array()
                .into_iter()
                .flatten();
            uids.filter_map(|uid| uid.as_str().map(str::to_owned)).collect()
        };
        let indexed = job["spec"]["completionMode"] == "Indexed";
        let mut tally = Tally {
            indexed,
            completed: Indexes::parse(status["completedIndexes"].as_str().unwrap_or_default()),
            failed_indexes: None,
            counted_succeeded: number("/succeeded"),
            counted_failed: number("/failed"),
            waiting_succeeded: listed("succeeded"),
            waiting_failed: listed("failed"),
            release: BTreeSet::new(),
        };
        tally.settle(pods);
        tally.take_in(job, pods);
        if job["spec"]["backoffLimitPerIndex"].is_i64() {
            let known = Indexes::parse(status["failedIndexes"].as_str().unwrap_or_default());
            tally.failed_indexes = Some(indexes::failed(job, pods, known, &tally.completed));
        }
        tally
    }

    /// Pods that have succeeded, or indexes.
    pub fn succeeded(&self) -> usize {
        if self.indexed {
            self.completed.len()
        } else {
            self.counted_succeeded + self.waiting_succeeded.len()
        }
    }

    /// Pods that have failed.
    pub fn failed(&self) -> usize {
        self.counted_failed + self.waiting_failed.len()
    }

    /// Counted, but for the finalizer.
    pub fn is_to_release(&self, pod: &Value) -> bool {
        self.release.contains(object::uid(pod))
    }

    /// Nobody waits to be counted.
    pub fn is_settled(&self, pods: &[Arc<Value>]) -> bool {
        self.waiting_succeeded.is_empty()
            && self.waiting_failed.is_empty()
            && !pods.iter().any(|pod| is_tracked(pod))
    }

    /// Writes the counts into a status.
    pub fn write(&self, status: &mut Value) {
        let Some(fields) = status.as_object_mut() else {
            return;
        };
        let mut uncounted = serde_json::Map::new();
        for (name, uids) in [
            ("succeeded", &self.waiting_succeeded),
            ("failed", &self.waiting_failed),
        ] {
            if !uids.is_empty() {
                uncounted.insert(name.to_owned(), json!(uids));
            }
        }
        fields.insert("uncountedTerminatedPods".to_owned(), Value::Object(uncounted));
        let succeeded = if self.indexed {
            self.completed.len()
        } else {
            self.counted_succeeded
        };
        for (name, number) in [("succeeded", succeeded), ("failed", self.counted_failed)] {
            fields.remove(name);
            if number > 0 {
                fields.insert(name.to_owned(), json!(number));
            }
        }
        if self.indexed && !self.completed.is_empty() {
            fields.insert("completedIndexes".to_owned(), json!(self.completed.to_string()));
        }
        if let Some(failed) = &self.failed_indexes {
            fields.insert("failedIndexes".to_owned(), json!(failed.to_string()));
        }
    }

    /// Uids whose pods have lost the finalizer, or are gone, become numbers.
    fn settle(&mut self, pods: &[Arc<Value>]) {
        let held: BTreeSet<&str> = pods
            .iter()
            .filter(|pod| is_tracked(pod))
            .map(|pod| object::uid(pod))
            .collect();
        let free = |waiting: &mut BTreeSet<String>| {
            let before = waiting.len();
            waiting.retain(|uid| held.contains(uid.as_str()));
            before - waiting.len()
        };
        self.counted_succeeded += free(&mut self.waiting_succeeded);
        self.counted_failed += free(&mut self.waiting_failed);
        self.release
            .extend(self.waiting_succeeded.iter().chain(&self.waiting_failed).cloned());
    }

    /// Pods that have ended and are not counted yet wait for it.
    fn take_in(&mut self, job: &Value, pods: &[Arc<Value>]) {
        for pod in pods.iter().filter(|pod| is_tracked(pod)) {
            let uid = object::uid(pod).to_owned();
            if self.release.contains(&uid)
                || self.waiting_succeeded.len() + self.waiting_failed.len() >= UNCOUNTED_MAX
            {
                continue;
            }
            if pod["status"]["phase"] == "Succeeded" {
                if self.indexed {
                    self.completed.extend(indexes::of(pod));
                } else {
                    self.waiting_succeeded.insert(uid.clone());
                }
                self.release.insert(uid);
            } else if has_failed(job, pod) {
                self.waiting_failed.insert(uid.clone());
                self.release.insert(uid);
            }
        }
    }
}

/// Failed, or on its way out without having succeeded, unless only failed pods are replaced.
pub fn has_failed(job: &Value, pod: &Value) -> bool {
    pod["status"]["phase"] == "Failed"
        || (is_terminating(pod) && job["spec"]["podReplacementPolicy"] != "Failed")
}

/// It is asked to end and has not.
pub fn is_terminating(pod: &Value) -> bool {
    object::is_deleting(pod) && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}
