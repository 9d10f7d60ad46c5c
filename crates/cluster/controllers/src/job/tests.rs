//! Whole lives of Jobs: the test plays API server and kubelet.

use super::*;
use crate::view::memory::Memory;

struct World {
    memory: Memory,
    now: Timestamp,
    made: u32,
    events: Vec<String>,
}

impl World {
    fn new(spec: Value) -> World {
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "j", "namespace": "shop", "uid": "j"},
            "spec": {
                "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
                "podReplacementPolicy": "TerminatingOrFailed",
                "selector": {"matchLabels": {"job": "j"}},
                "template": {
                    "metadata": {"labels": {"job": "j"}, "annotations": {}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]},
                },
            },
        });
        for (field, value) in spec.as_object().expect("a spec") {
            job["spec"][field] = value.clone();
        }
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        World {
            memory: Memory::of([job]),
            now,
            made: 0,
            events: Vec::new(),
        }
    }

    fn job(&self) -> Value {
        Value::clone(&self.memory.get(&JOB, "shop", "j").expect("it is there"))
    }

    fn pods(&self) -> Vec<Arc<Value>> {
        self.memory.list(&POD, None)
    }

    fn settle(&mut self) -> Option<Duration> {
        for _ in 0..30 {
            let key = Key {
                namespace: "shop".into(),
                name: "j".into(),
            };
            let outcome = reconcile(&Look {
                view: &self.memory,
                key: &key,
                now: self.now,
                failure: None,
            });
            if outcome.effects.is_empty() {
                return outcome.again_after;
            }
            for effect in outcome.effects {
                self.carry_out(effect);
            }
        }
        panic!("the controller never rests");
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Create { mut object, .. } => {
                self.made += 1;
                object["metadata"]["name"] = json!(format!("j-{}", self.made));
                object["metadata"]["uid"] = json!(format!("u{}", self.made));
                object["metadata"]["creationTimestamp"] = object::shown(self.now);
                object["status"] = json!({"phase": "Pending"});
                self.memory.put(object);
            }
            Effect::UpdateStatus { object, .. } => self.memory.put(object),
            Effect::Patch { name, patch, .. } => {
                let mut pod = Value::clone(&self.memory.get(&POD, "shop", &name).expect("it is there"));
                pod["metadata"]["finalizers"] = patch["metadata"]["finalizers"].clone();
                let gone = object::is_deleting(&pod) && pod["metadata"]["finalizers"].is_null();
                if gone {
                    self.memory.remove("Pod", "shop", &name)
                } else {
                    self.memory.put(pod)
                }
            }
            Effect::Delete { kind, name, .. } if kind == POD => {
                let mut pod = Value::clone(&self.memory.get(&POD, "shop", &name).expect("it is there"));
                pod["metadata"]["deletionTimestamp"] = object::shown(self.now);
                self.memory.put(pod);
            }
            Effect::Event { reason, .. } => self.events.push(reason.to_owned()),
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// All pods that run come to this end.
    fn end_pods(&mut self, phase: &str) {
        for pod in self.pods().iter().filter(|pod| object::is_active(pod)) {
            let mut pod = Value::clone(pod);
            pod["status"] = json!({"phase": phase, "containerStatuses": [
                {"name": "c", "state": {"terminated": {"exitCode": 3, "finishedAt": object::shown(self.now)}}},
            ]});
            self.memory.put(pod);
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.now += jiff::SignedDuration::from_secs(seconds);
    }

    fn conditions(&self) -> Vec<String> {
        let conditions = condition::list(&self.job());
        conditions
            .iter()
            .map(|c| {
                format!(
                    "{} {}",
                    c["type"].as_str().expect("a type"),
                    c["reason"].as_str().expect("a reason")
                )
            })
            .collect()
    }
}

#[test]
fn a_job_ends_when_enough_have_succeeded() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 2}));
    world.settle();
    assert_eq!(world.pods().len(), 2);
    world.end_pods("Succeeded");
    world.settle();
    assert_eq!(world.pods().len(), 3, "one more is wanted");
    assert!(
        world.pods()[0]["metadata"]["finalizers"].is_null(),
        "the first is counted"
    );
    world.end_pods("Succeeded");
    world.settle();
    assert_eq!(
        world.conditions(),
        [
            "SuccessCriteriaMet CompletionsReached",
            "Complete CompletionsReached"
        ]
    );
    let status = &world.job()["status"];
    assert_eq!(
        (&status["succeeded"], &status["uncountedTerminatedPods"]),
        (&json!(3), &json!({}))
    );
    assert_eq!(world.events, ["Completed"]);
}

#[test]
fn failures_wait_and_then_end_the_job() {
    let mut world = World::new(json!({"completions": 1, "backoffLimit": 1}));
    world.settle();
    world.end_pods("Failed");
    let wait = world.settle().expect("it waits before it tries again");
    assert_eq!((wait.as_secs(), world.pods().len()), (10, 1));
    world.wait(10);
    world.settle();
    assert_eq!(world.pods().len(), 2);
    world.end_pods("Failed");
    world.settle();
    assert_eq!(
        world.conditions(),
        [
            "FailureTarget BackoffLimitExceeded",
            "Failed BackoffLimitExceeded"
        ]
    );
    assert_eq!(world.job()["status"]["failed"], 2);
}

#[test]
fn a_deadline_ends_what_runs() {
    let mut world = World::new(json!({"completions": 1, "activeDeadlineSeconds": 60}));
    assert_eq!(world.settle().map(|wait| wait.as_secs()), Some(60));
    world.wait(61);
    world.settle();
    assert_eq!(
        world.conditions(),
        ["FailureTarget DeadlineExceeded", "Failed DeadlineExceeded"]
    );
    assert_eq!(world.job()["status"]["failed"], 1);
    assert!(world.pods().is_empty());
}

#[test]
fn indexes_are_worked_on_once_each() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 2, "completionMode": "Indexed"}));
    world.settle();
    let indexes: Vec<Option<u32>> = world.pods().iter().map(|pod| indexes::of(pod)).collect();
    assert_eq!(indexes, [Some(0), Some(1)]);
    world.end_pods("Succeeded");
    world.settle();
    assert_eq!(world.job()["status"]["completedIndexes"], "0,1");
    world.end_pods("Succeeded");
    world.settle();
    assert_eq!(world.job()["status"]["completedIndexes"], "0-2");
    assert_eq!(
        world.conditions().last().map(String::as_str),
        Some("Complete CompletionsReached")
    );
}

#[test]
fn a_suspended_job_rests_and_goes_on() {
    let mut world = World::new(json!({"completions": 1, "suspend": true}));
    world.settle();
    assert_eq!(
        (world.pods().len(), world.conditions()),
        (0, vec!["Suspended JobSuspended".to_owned()])
    );
    let mut job = world.job();
    job["spec"]["suspend"] = json!(false);
    world.memory.put(job);
    world.settle();
    assert_eq!(
        (world.pods().len(), world.conditions()),
        (1, vec!["Suspended JobResumed".to_owned()])
    );
}

#[test]
fn an_exit_code_can_end_the_job() {
    let rule = json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}]});
    let mut world = World::new(json!({"completions": 1, "podFailurePolicy": rule}));
    world.settle();
    world.end_pods("Failed");
    world.settle();
    assert_eq!(
        world.conditions().last().map(String::as_str),
        Some("Failed PodFailurePolicy")
    );
    let message = &world.job()["status"]["conditions"][0]["message"];
    assert_eq!(
        message,
        "Container c for pod shop/j-1 failed with exit code 3 matching FailJob rule at index 0"
    );
}

#[test]
fn a_finished_job_goes_after_its_time() {
    let mut world = World::new(json!({"completions": 1, "ttlSecondsAfterFinished": 100}));
    world.settle();
    world.end_pods("Succeeded");
    assert_eq!(world.settle().map(|wait| wait.as_secs()), Some(100));
}
