//! Which pods a Job makes next, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TRACKING;
use super::indexes::{self, FAILURES, INDEX};
use super::tally::{Tally, has_failed, is_terminating};
use crate::kind::JOB;
use crate::{object, pods};

/// The wait after the first failure; each further one in a row doubles it (`DefaultJobPodFailureBackOff`).
const BACKOFF_FIRST_SECONDS: i64 = 10;

/// `MaxJobPodFailureBackOff`
const BACKOFF_MAX_SECONDS: i64 = 600;

/// At most this many pods are made in one go (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;

/// What is to be done about the number of pods.
#[derive(Default)]
pub struct Plan {
    /// Pods to be removed.
    pub surplus: Vec<Arc<Value>>,
    /// Pods to be made, by index where the Job is indexed.
    pub missing: Vec<Option<u32>>,
    /// Pods are missing and may be made after this time.
    pub wait: Option<Duration>,
}

/// Compares what runs with what should.
pub fn plan(job: &Value, all: &[Arc<Value>], tally: &Tally, now: Timestamp) -> Plan {
    let active: Vec<Arc<Value>> = all.iter().filter(|pod| object::is_active(pod)).cloned().collect();
    let parallelism = usize::try_from(object::integer(job, "/spec/parallelism")).unwrap_or_default();
    let wanted = match job["spec"]["completions"].as_u64() {
        None if tally.succeeded() > 0 => active.len(),
        None => parallelism,
        Some(completions) => {
            let done = tally.succeeded() + tally.failed_indexes.as_ref().map_or(0, indexes::Indexes::len);
            usize::try_from(completions)
                .unwrap_or(usize::MAX)
                .saturating_sub(done)
                .min(parallelism)
        }
    };
    if active.len() > wanted {
        return Plan {
            surplus: pods::to_delete(&active, &active, active.len() - wanted, now),
            ..Plan::default()
        };
    }
    // Where only failed pods are replaced, one that ends still has its place.
    let held = if job["spec"]["podReplacementPolicy"] == "Failed" {
        all.iter().filter(|pod| is_terminating(pod)).count()
    } else {
        0
    };
    let missing = wanted.saturating_sub(active.len() + held).min(BURST);
    if missing == 0 {
        return Plan::default();
    }
    if let Some(wait) = backoff(job, all, now) {
        return Plan {
            wait: Some(wait),
            ..Plan::default()
        };
    }
    let missing = if tally.indexed {
        next_indexes(job, all, tally, missing)
    } else {
        vec![None; missing]
    };
    Plan {
        missing,
        ..Plan::default()
    }
}

fn next_indexes(job: &Value, all: &[Arc<Value>], tally: &Tally, count: usize) -> Vec<Option<u32>> {
    let taken: BTreeSet<u32> = all
        .iter()
        .filter(|pod| object::is_active(pod) || (is_terminating(pod) && !has_failed(job, pod)))
        .filter_map(|pod| indexes::of(pod))
        .collect();
    let completions = u32::try_from(object::integer(job, "/spec/completions")).unwrap_or_default();
    let given_up = |index: u32| {
        tally
            .failed_indexes
            .as_ref()
            .is_some_and(|failed| failed.contains(index))
    };
    (0..completions)
        .filter(|index| !taken.contains(index) && !tally.completed.contains(*index) && !given_up(*index))
        .take(count)
        .map(Some)
        .collect()
}

/// How long to wait after failures: by those in a row since the last success, from the last of them.
fn backoff(job: &Value, all: &[Arc<Value>], now: Timestamp) -> Option<Duration> {
    let ended = |pod: &Arc<Value>| pod["status"]["phase"] == "Succeeded" || has_failed(job, pod);
    let mut ends: Vec<(Timestamp, bool)> = all
        .iter()
        .filter(|pod| ended(pod))
        .map(|pod| (end_of(pod), has_failed(job, pod)))
        .collect();
    ends.sort_unstable_by_key(|(at, failed)| (std::cmp::Reverse(*at), *failed));
    let last = ends.first().filter(|(_, failed)| *failed)?.0;
    let in_a_row = ends.iter().take_while(|(_, failed)| *failed).count();
    let doubled = u32::try_from(in_a_row.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(16);
    let wait = (BACKOFF_FIRST_SECONDS << doubled).min(BACKOFF_MAX_SECONDS);
    let left = last
        .as_second()
        .saturating_add(wait)
        .saturating_sub(now.as_second());
    u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_secs)
}

fn end_of(pod: &Value) -> Timestamp {
    let statuses = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let finished = statuses.filter_map(|status| object::time(&status["state"]["terminated"]["finishedAt"]));
    finished
        .max()
        .or_else(|| object::time(&pod["metadata"]["deletionTimestamp"]))
        .or_else(|| object::time(&object::condition(pod, "Ready")?["lastTransitionTime"]))
        .unwrap_or_else(|| object::created(pod))
}

/// A pod of the Job, for an index where there is one.
pub fn pod(job: &Value, index: Option<u32>) -> Value {
    let mut pod = pods::from_template(&JOB, job, &job["spec"]["template"]);
    let mut finalizers = pod["metadata"]["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    finalizers.push(json!(TRACKING));
    pod["metadata"]["finalizers"] = json!(finalizers);
    let Some(index) = index else {
        return pod;
    };
    let text = index.to_string();
    pod["metadata"]["generateName"] = json!(format!("{}-{index}-", object::name(job)));
    pod["metadata"]["labels"][INDEX] = json!(text);
    pod["metadata"]["annotations"][INDEX] = json!(text);
    if job["spec"]["backoffLimitPerIndex"].is_i64() {
        pod["metadata"]["annotations"][FAILURES] = json!("0");
    }
    pod["spec"]["hostname"] = json!(format!("{}-{index}", object::name(job)));
    let variable = json!({
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}},
    });
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            let mut env = container["env"].as_array().cloned().unwrap_or_default();
            if !env.iter().any(|known| known["name"] == "JOB_COMPLETION_INDEX") {
                env.push(variable.clone());
                container["env"] = json!(env);
            }
        }
    }
    pod
}
