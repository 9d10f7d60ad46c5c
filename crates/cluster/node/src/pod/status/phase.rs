//! The phase of a pod (`getPhase` of `pkg/kubelet/kubelet_pods.go`).

use serde_json::Value;

use crate::pod::{Container, Pod};

/// How many containers are how.
#[derive(Default)]
struct Tally {
    /// Init containers that are still to be waited for.
    pending: u32,
    waiting: u32,
    running: u32,
    stopped: u32,
    succeeded: u32,
    /// Those that have stopped for good.
    final_: u32,
}

/// `Pending`, `Running`, `Succeeded` or `Failed`; `stopped`: whatever the policy, nothing runs again.
pub(super) fn phase(pod: &Pod, mains: &[Value], inits: &[Value], stopped: bool) -> &'static str {
    let mut tally = Tally::default();
    let begun = mains
        .iter()
        .any(|status| !status["state"]["running"].is_null() || has_ended(status));
    for (container, status) in pod.init_containers.iter().zip(inits) {
        if container.sidecar {
            tally.sidecar(status, begun);
        } else if tally.init(pod, container, status) {
            return "Failed";
        }
    }
    for container in &pod.containers {
        if let Some(status) = mains
            .iter()
            .find(|status| status["name"].as_str() == Some(&container.name))
        {
            tally.main(pod, container, status);
        }
    }
    tally.phase(stopped)
}

fn has_ended(status: &Value) -> bool {
    status["state"]["terminated"].is_object() || status["lastState"]["terminated"].is_object()
}

/// The exit code of a container that has ended, and does not run.
fn exit_code(status: &Value) -> Option<i32> {
    let states = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
    let ended = states.into_iter().find(|ended| ended.is_object())?;
    ended["exitCode"]
        .as_i64()
        .and_then(|code| i32::try_from(code).ok())
}

impl Tally {
    fn sidecar(&mut self, status: &Value, begun: bool) {
        if status["state"]["running"].is_object() {
            self.running += 1;
            self.pending += u32::from(status["started"] != true && !begun);
        } else if !has_ended(status) {
            self.waiting += 1;
            self.pending += u32::from(!begun);
        }
    }

    /// Whether it has failed for good.
    fn init(&mut self, pod: &Pod, container: &Container, status: &Value) -> bool {
        if status["state"]["running"].is_object() {
            self.pending += 1;
            return false;
        }
        match exit_code(status) {
            None => self.pending += 1,
            Some(0) => {}
            Some(code) if !pod.restarts(container, code) => return true,
            Some(_) => self.pending += u32::from(status["state"]["waiting"].is_object()),
        }
        false
    }

    fn main(&mut self, pod: &Pod, container: &Container, status: &Value) {
        if status["state"]["running"].is_object() {
            self.running += 1;
            return;
        }
        match exit_code(status) {
            None => self.waiting += 1,
            Some(code) => {
                self.stopped += 1;
                self.succeeded += u32::from(code == 0);
                self.final_ += u32::from(!pod.restarts(container, code));
            }
        }
    }

    fn phase(&self, stopped: bool) -> &'static str {
        if self.pending > 0 || self.waiting > 0 {
            return "Pending";
        }
        if self.running > 0 {
            return "Running";
        }
        if self.stopped == 0 {
            return "Pending";
        }
        if !stopped && self.stopped != self.final_ {
            return "Running";
        }
        if self.stopped == self.succeeded {
            "Succeeded"
        } else {
            "Failed"
        }
    }
}
