//! Statuses of containers (`convertToAPIContainerStatuses` of `pkg/kubelet/kubelet_pods.go`).

use serde_json::{Value, json};

use crate::pod::start::Phase;
use crate::pod::state::{Attempt, Record, State, container_id};
use crate::pod::{Container, Engine, shown};

impl Engine {
    pub(super) fn container_statuses(&self, containers: &[Container], init: bool) -> Vec<Value> {
        let mut statuses = Vec::new();
        for container in containers {
            if let Some(record) = self.records.get(&container.name) {
                statuses.push(self.container_status(container, record, init));
            }
        }
        statuses
    }

    fn container_status(&self, container: &Container, record: &Record, init: bool) -> Value {
        let uid = &self.pod.uid;
        let attempt = record.now.as_ref();
        let hook = self
            .starting
            .as_ref()
            .filter(|starting| starting.phase == Phase::PostStart);
        let hooked = hook.is_some_and(|starting| starting.container == container.name);
        let running = attempt.and_then(|attempt| match attempt.state {
            State::Running { since } if !hooked => Some(since),
            _ => None,
        });
        let ended = attempt.and_then(|attempt| attempt.terminated(uid));
        let mut last = record.last.clone();
        let done = init && !container.sidecar && record.exit().is_some_and(|exit| exit.code == 0);
        let state = if let Some(since) = running {
            json!({"running": {"startedAt": shown(since)}})
        } else if let (Some(waiting), false) = (&record.waiting, done || self.ending.is_some()) {
            if let Some(ended) = ended {
                last = json!({"terminated": ended});
            }
            json!({"waiting": {"reason": waiting.reason, "message": waiting.message}})
        } else if let Some(ended) = ended {
            json!({"terminated": ended})
        } else {
            let initializes = !self.pod.init_containers.is_empty() && attempt.is_none();
            let reason = if initializes {
                "PodInitializing"
            } else {
                "ContainerCreating"
            };
            json!({"waiting": {"reason": reason}})
        };
        let started = running.is_some() && attempt.is_some_and(|attempt| attempt.probes.started());
        let ready = match running {
            Some(_) if init && !container.sidecar => false,
            Some(_) => attempt.is_some_and(|attempt| attempt.probes.ready()),
            None => done,
        };
        let mut status = json!({
            "name": container.name,
            "state": state,
            "lastState": if last.is_object() { last } else { json!({}) },
            "ready": ready,
            "restartCount": attempt.map_or(record.next, |attempt| attempt.number),
            "image": container.image,
            "imageID": "",
            "started": started,
        });
        if let Some(attempt) = attempt {
            describe(&mut status, container, attempt, uid);
        }
        mounts(&mut status, container);
        status
    }
}

/// What only a container has that was made.
fn describe(status: &mut Value, container: &Container, attempt: &Attempt, uid: &str) {
    status["containerID"] = Value::from(container_id(uid, &attempt.id));
    if !attempt.image.name.is_empty() {
        status["image"] = Value::from(attempt.image.name.as_str());
    }
    status["imageID"] = Value::from(attempt.image.id.as_str());
    let resources = &container.spec["resources"];
    let mut shown = json!({});
    for which in ["requests", "limits"] {
        if resources[which].is_object() {
            shown[which] = resources[which].clone();
        }
    }
    status["resources"] = shown;
    if resources["requests"].is_object() {
        status["allocatedResources"] = resources["requests"].clone();
    }
    if attempt.user.is_object() {
        status["user"] = attempt.user.clone();
    }
}

fn mounts(status: &mut Value, container: &Container) {
    let Some(mounts) = container.spec["volumeMounts"].as_array() else {
        return;
    };
    let shown = mounts.iter().map(|mount| {
        let mut shown = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
        if mount["readOnly"] == true {
            shown["readOnly"] = Value::Bool(true);
            let recursive = match mount["recursiveReadOnly"].as_str() {
                Some("Enabled" | "IfPossible") => "Enabled",
                _ => "Disabled",
            };
            shown["recursiveReadOnly"] = Value::from(recursive);
        }
        shown
    });
    status["volumeMounts"] = Value::Array(shown.collect());
}
