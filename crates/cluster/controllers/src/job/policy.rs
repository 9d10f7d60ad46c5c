//! When a Job has ended, and how (`job_controller.go`, `pod_failure_policy.go`, `success_policy.go`).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::indexes::Indexes;
use super::tally::{Tally, has_failed};
use crate::object;

/// Why a Job has failed: reason and message.
pub fn failure(
    job: &Value,
    pods: &[Arc<Value>],
    tally: &Tally,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    if let Some(message) = pods.iter().find_map(|pod| failing_rule(job, pod)) {
        return Some(("PodFailurePolicy", message));
    }
    let limit = object::integer(job, "/spec/backoffLimit");
    let failed = i64::try_from(tally.failed()).unwrap_or(i64::MAX);
    if failed > limit || restarts_exceed(job, pods, limit) {
        return Some((
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit".to_owned(),
        ));
    }
    if deadline_in(job, now) == Some(Duration::ZERO) {
        return Some((
            "DeadlineExceeded",
            "Job was active longer than specified deadline".to_owned(),
        ));
    }
    let failed_indexes = tally.failed_indexes.as_ref()?;
    let most = job["spec"]["maxFailedIndexes"].as_u64();
    if most.is_some_and(|most| failed_indexes.len() as u64 > most) {
        let text = "Job has exceeded the specified maximal number of failed indexes";
        return Some(("MaxFailedIndexesExceeded", text.to_owned()));
    }
    let completions = usize::try_from(object::integer(job, "/spec/completions")).unwrap_or_default();
    let all_ended = !failed_indexes.is_empty() && failed_indexes.len() + tally.completed.len() >= completions;
    all_ended.then(|| ("FailedIndexes", "Job has failed indexes".to_owned()))
}

/// As many have succeeded as were wanted.
pub fn is_complete(job: &Value, tally: &Tally) -> bool {
    match job["spec"]["completions"].as_u64() {
        Some(wanted) => tally.succeeded() as u64 >= wanted,
        // Any success of a pod that works on a queue says that the queue is empty; the others end by themselves.
        None => tally.succeeded() > 0 && object::integer(job, "/status/active") == 0,
    }
}

/// The rule of the success policy that holds.
pub fn success_rule(job: &Value, tally: &Tally) -> Option<String> {
    let rules = job["spec"]["successPolicy"]["rules"].as_array()?;
    let place = rules.iter().position(|rule| {
        let listed = rule["succeededIndexes"].as_str().map(Indexes::parse);
        let wanted = rule["succeededCount"].as_u64();
        let completions = u32::try_from(object::integer(job, "/spec/completions")).unwrap_or_default();
        let succeeded = (0..completions)
            .filter(|index| listed.as_ref().is_none_or(|listed| listed.contains(*index)))
            .filter(|index| tally.completed.contains(*index))
            .count() as u64;
        match (wanted, &listed) {
            (Some(wanted), _) => succeeded >= wanted,
            (None, Some(listed)) => succeeded >= listed.len() as u64,
            (None, None) => false,
        }
    })?;
    Some(format!("Matched rules at index {place}"))
}

/// How long a Job may go on; zero when its time is over.
pub fn deadline_in(job: &Value, now: Timestamp) -> Option<Duration> {
    let seconds = job["spec"]["activeDeadlineSeconds"].as_i64()?;
    let since = object::time(&job["status"]["startTime"])?;
    if job["spec"]["suspend"] == true {
        return None;
    }
    let left = since
        .as_second()
        .saturating_add(seconds)
        .saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or_default()))
}

/// The word of the event about a failure.
pub fn event_reason(reason: &str) -> &'static str {
    match reason {
        "DeadlineExceeded" => "DeadlineExceeded",
        "PodFailurePolicy" => "PodFailurePolicy",
        "MaxFailedIndexesExceeded" => "MaxFailedIndexesExceeded",
        "FailedIndexes" => "FailedIndexes",
        _ => "BackoffLimitExceeded",
    }
}

/// Containers that are restarted in place count too (`pastBackoffLimitOnFailure`).
fn restarts_exceed(job: &Value, pods: &[Arc<Value>], limit: i64) -> bool {
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure" {
        return false;
    }
    let running = pods
        .iter()
        .filter(|pod| matches!(pod["status"]["phase"].as_str(), Some("Running" | "Pending")));
    let restarts: i64 = running
        .flat_map(|pod| {
            ["initContainerStatuses", "containerStatuses"].map(|list| pod["status"][list].as_array())
        })
        .flatten()
        .flatten()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    if limit == 0 {
        restarts > 0
    } else {
        restarts >= limit
    }
}

/// The message of the `FailJob` rule that a failed pod matches.
fn failing_rule(job: &Value, pod: &Value) -> Option<String> {
    if !has_failed(job, pod) {
        return None;
    }
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array()?;
    for (place, rule) in rules.iter().enumerate() {
        let Some(what) = matches(rule, pod) else {
            continue;
        };
        if rule["action"] != "FailJob" {
            return None;
        }
        let name = format!("{}/{}", object::namespace(pod), object::name(pod));
        return Some(format!(
            "{} matching FailJob rule at index {place}",
            what.replace("{pod}", &name)
        ));
    }
    None
}

fn matches(rule: &Value, pod: &Value) -> Option<String> {
    if let Some(patterns) = rule["onPodConditions"].as_array() {
        let matched = patterns.iter().find(|pattern| {
            let r#type = pattern["type"].as_str().unwrap_or_default();
            object::condition(pod, r#type).is_some_and(|c| c["status"] == pattern["status"])
        })?;
        let r#type = matched["type"].as_str().unwrap_or_default();
        return Some(format!("Pod {{pod}} has condition {type}"));
    }
    let codes = rule.get("onExitCodes")?;
    let listed: Vec<i64> = codes["values"]
        .as_array()?
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    let lists = ["initContainerStatuses", "containerStatuses"].map(|list| pod["status"][list].as_array());
    for status in lists.into_iter().flatten().flatten() {
        let Some(code) = status["state"]["terminated"]["exitCode"]
            .as_i64()
            .filter(|code| *code != 0)
        else {
            continue;
        };
        let named = codes["containerName"]
            .as_str()
            .is_none_or(|name| status["name"] == name);
        let inside = listed.contains(&code);
        let wanted = if codes["operator"] == "NotIn" {
            !inside
        } else {
            inside
        };
        if named && wanted {
            let name = status["name"].as_str().unwrap_or_default();
            return Some(format!(
                "Container {name} for pod {{pod}} failed with exit code {code}"
            ));
        }
    }
    None
}
