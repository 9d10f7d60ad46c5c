use super::*;
use crate::view::memory::Memory;

/// Created at midnight; it is a quarter past three.
const NOW: &str = "2026-01-01T03:15:00Z";

fn cron_job(spec: &Value, status: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "cj", "namespace": "shop", "uid": "c", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "schedule": "0 * * * *", "concurrencyPolicy": "Allow",
            "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}},
        },
        "status": status,
    });
    for (name, value) in spec.as_object().into_iter().flatten() {
        object["spec"][name] = value.clone();
    }
    object
}

/// A Job of the start at this hour; its condition, if it has ended.
fn job(hour: i64, condition: Option<&str>) -> Value {
    let start = Timestamp::from_second(1_767_225_600 + hour * 3600).expect("in range");
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": format!("cj-{}", start.as_second() / 60), "namespace": "shop", "uid": format!("j{hour}"),
            "annotations": {START: object::shown(start)},
            "ownerReferences": [{"kind": "CronJob", "name": "cj", "uid": "c", "controller": true}],
        },
        "status": {"startTime": object::shown(start)},
    });
    if let Some(condition) = condition {
        job["status"]["conditions"] = json!([{"type": condition, "status": "True"}]);
        job["status"]["completionTime"] = object::shown(start);
    }
    job
}

struct Seen {
    created: Vec<Value>,
    deleted: Vec<String>,
    events: Vec<&'static str>,
    status: Option<Value>,
    again: Option<u64>,
}

fn look_at(objects: impl IntoIterator<Item = Value>) -> Seen {
    let memory = Memory::of(objects);
    let key = Key {
        namespace: "shop".into(),
        name: "cj".into(),
    };
    let outcome = reconcile(&Look {
        view: &memory,
        key: &key,
        now: NOW.parse().expect("a time"),
        failure: None,
    });
    let mut seen = Seen {
        created: Vec::new(),
        deleted: Vec::new(),
        events: Vec::new(),
        status: None,
        again: outcome.again_after.map(|wait| wait.as_secs()),
    };
    for effect in outcome.effects {
        match effect {
            Effect::Create { object, .. } => seen.created.push(object),
            Effect::Delete { name, .. } => seen.deleted.push(name),
            Effect::Event { reason, .. } => seen.events.push(reason),
            Effect::UpdateStatus { object, .. } => seen.status = Some(object["status"].clone()),
            other => panic!("not expected: {other:?}"),
        }
    }
    seen
}

#[test]
fn the_latest_missed_start_gets_a_job() {
    let seen = look_at([cron_job(&json!({"timeZone": "Asia/Kolkata"}), &json!({}))]);
    let [made] = &seen.created[..] else {
        panic!("one job: {:?}", seen.created)
    };
    // Half an hour off: the hours there begin at half past ours.
    assert_eq!(object::annotation(made, START), Some("2026-01-01T08:00:00+05:30"));
    assert_eq!(made["metadata"]["labels"]["a"], "b");
    assert_eq!(seen.again, Some(15 * 60));
    let seen = look_at([cron_job(
        &json!({}),
        &json!({"lastScheduleTime": "2026-01-01T03:00:00Z"}),
    )]);
    assert!(seen.created.is_empty(), "it has been started");
    assert_eq!(seen.again, Some(45 * 60));
}

#[test]
fn a_job_is_entered_and_left_out_again() {
    let seen = look_at([cron_job(&json!({}), &json!({})), job(3, None)]);
    let status = seen.status.expect("it changes");
    assert_eq!(status["active"][0]["uid"], "j3");
    assert_eq!(status["lastScheduleTime"], "2026-01-01T03:00:00Z");
    let seen = look_at([cron_job(&json!({}), &status), job(3, Some("Complete"))]);
    let expected =
        json!({"lastScheduleTime": "2026-01-01T03:00:00Z", "lastSuccessfulTime": "2026-01-01T03:00:00Z"});
    assert_eq!(seen.status, Some(expected));
    assert_eq!(seen.events, ["SawCompletedJob"]);
    let seen = look_at([cron_job(&json!({}), &status)]);
    assert_eq!(seen.events, ["MissingJob"]);
    assert_eq!(
        seen.status,
        Some(json!({"lastScheduleTime": "2026-01-01T03:00:00Z"}))
    );
}

#[test]
fn what_still_runs_is_left_forbids_or_goes() {
    let active =
        json!({"active": [{"name": "cj-29453880", "uid": "j2"}], "lastScheduleTime": "2026-01-01T02:00:00Z"});
    for (policy, created, deleted, events) in [
        ("Allow", 1, 0, &[][..]),
        ("Forbid", 0, 0, &["JobAlreadyActive"][..]),
        ("Replace", 1, 1, &[][..]),
    ] {
        let spec = json!({"concurrencyPolicy": policy});
        let seen = look_at([cron_job(&spec, &active), job(2, None)]);
        assert_eq!(
            (seen.created.len(), seen.deleted.len()),
            (created, deleted),
            "{policy}"
        );
        assert_eq!(seen.events, events, "{policy}");
    }
}

#[test]
fn what_cannot_start_is_told() {
    for (spec, events) in [
        (json!({"suspend": true}), &[][..]),
        (json!({"timeZone": "Mars/Base"}), &["UnknownTimeZone"][..]),
        (json!({"schedule": "bad"}), &["UnparseableSchedule"][..]),
        (json!({"schedule": "0 0 31 2 *"}), &["InvalidSchedule"][..]),
        (json!({"startingDeadlineSeconds": 60}), &[][..]),
    ] {
        let seen = look_at([cron_job(&spec, &json!({}))]);
        assert!(seen.created.is_empty(), "{spec}");
        assert_eq!(seen.events, events, "{spec}");
    }
    let seen = look_at([cron_job(&json!({"schedule": "* * * * *"}), &json!({}))]);
    assert_eq!(seen.events, ["TooManyMissedTimes"]);
    assert_eq!(seen.created.len(), 1);
}

#[test]
fn history_is_kept_up_to_the_limits() {
    let status = json!({"lastScheduleTime": "2026-01-01T03:00:00Z"});
    let jobs = [
        job(0, Some("Complete")),
        job(1, Some("Failed")),
        job(2, Some("Complete")),
        job(3, Some("Failed")),
    ];
    let seen = look_at([cron_job(&json!({}), &status)].into_iter().chain(jobs));
    let name = |hour: i64| object::name(&job(hour, None)).to_owned();
    assert_eq!(seen.deleted, [name(0), name(1)]);
}
