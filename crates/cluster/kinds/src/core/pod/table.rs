//! The table of pods (`pkg/printers/internalversion/printers.go printPod`).

use serde_json::{Value, json};

use crate::cursor::Field;
use crate::table;

/// The cells of a pod.
pub fn cells(pod: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(pod);
    let (spec, status) = (root.get("spec"), root.get("status"));
    let state = State::of(&root);
    let restarts = match state.last_restart {
        Some(then) if state.restarts != 0 => {
            format!(
                "{} ({} ago)",
                state.restarts,
                table::human_duration(now.saturating_sub(then))
            )
        }
        _ => state.restarts.to_string(),
    };
    let or_none = |text: &str| Value::from(if text.is_empty() { "<none>" } else { text });
    vec![
        table::name(pod),
        format!("{}/{}", state.ready, state.total).into(),
        state.reason.into(),
        restarts.into(),
        table::age(pod, now),
        or_none(status.get("podIPs").index(0).get("ip").str()),
        or_none(spec.get("nodeName").str()),
        or_none(status.get("nominatedNodeName").str()),
        readiness_gates(&spec, &status).into(),
    ]
}

/// What a client may grey out: pods that are done.
pub fn row_conditions(pod: &Value) -> Vec<Value> {
    let message = match Field::root(pod).get("status").get("phase").str() {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Vec::new(),
    };
    let phase = Field::root(pod).get("status").get("phase").str();
    vec![json!({"type": "Completed", "status": "True", "reason": phase, "message": message})]
}

/// What the STATUS, READY and RESTARTS columns say.
struct State {
    reason: String,
    ready: i64,
    total: i64,
    restarts: i64,
    last_restart: Option<i64>,
}

impl State {
    fn of(pod: &Field<'_>) -> Self {
        let (spec, status) = (pod.get("spec"), pod.get("status"));
        let mut state = Self {
            reason: first_text(status.get("reason").str(), status.get("phase").str()),
            ready: 0,
            total: spec.items("containers").count() as i64
                + spec.items("initContainers").filter(is_sidecar).count() as i64,
            restarts: 0,
            last_restart: None,
        };
        let gated = |c: &Field<'_>| {
            c.get("type").str() == "PodScheduled" && c.get("reason").str() == "SchedulingGated"
        };
        if status.items("conditions").any(|condition| gated(&condition)) {
            state.reason = "SchedulingGated".to_owned();
        }
        let initializing = state.init_containers(&spec, &status);
        if !initializing || condition_is_true(&status, "Initialized") {
            state.containers(&spec, &status);
        }
        if pod.get("metadata").get("deletionTimestamp").exists() {
            if status.get("reason").str() == "NodeLost" {
                state.reason = "Unknown".to_owned();
            } else if !matches!(status.get("phase").str(), "Failed" | "Succeeded") {
                state.reason = "Terminating".to_owned();
            }
        }
        state
    }

    /// Counts a container's restarts.
    fn restarted(&mut self, container: &Field<'_>) {
        self.restarts += container.get("restartCount").int();
        let end = container.get("lastState").get("terminated").get("finishedAt");
        self.last_restart = self.last_restart.max(table::seconds(end.str()));
    }

    /// Goes through the init containers up to the first that is not done; tells whether there is one.
    fn init_containers(&mut self, spec: &Field<'_>, status: &Field<'_>) -> bool {
        for (index, container) in status.items("initContainerStatuses").enumerate() {
            self.restarted(&container);
            let name = container.get("name").str();
            let sidecar = spec
                .items("initContainers")
                .any(|c| c.get("name").str() == name && is_sidecar(&c));
            let terminated = container.get("state").get("terminated");
            let waiting = container.get("state").get("waiting").get("reason").str();
            if terminated.exists() && terminated.get("exitCode").int() == 0 {
                continue;
            }
            if sidecar && container.get("started").bool() {
                self.ready += i64::from(container.get("ready").bool());
                continue;
            }
            self.reason = if terminated.exists() {
                format!("Init:{}", end_reason(&terminated))
            } else if !waiting.is_empty() && waiting != "PodInitializing" {
                format!("Init:{waiting}")
            } else {
                format!("Init:{index}/{}", spec.get("initContainers").len())
            };
            return true;
        }
        false
    }

    /// Goes through the containers, the last first: what the first says counts. Of the init containers only the
    /// sidecars' restarts still count.
    fn containers(&mut self, spec: &Field<'_>, status: &Field<'_>) {
        (self.restarts, self.last_restart) = (0, None);
        for container in status.items("initContainerStatuses") {
            let name = container.get("name").str();
            if spec
                .items("initContainers")
                .any(|c| c.get("name").str() == name && is_sidecar(&c))
            {
                self.restarted(&container);
            }
        }
        let mut running = false;
        let statuses: Vec<Field<'_>> = status.items("containerStatuses").collect();
        for container in statuses.iter().rev() {
            self.restarted(container);
            let state = container.get("state");
            let waiting = state.get("waiting").get("reason").str();
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if state.get("terminated").exists() {
                self.reason = end_reason(&state.get("terminated"));
            } else if container.get("ready").bool() && state.get("running").exists() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = condition_is_true(status, "Ready");
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
}

fn is_sidecar(container: &Field<'_>) -> bool {
    container.get("restartPolicy").str() == "Always"
}

/// Why a container ended, its signal or its exit code.
fn end_reason(terminated: &Field<'_>) -> String {
    let (reason, signal) = (terminated.get("reason").str(), terminated.get("signal").int());
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{}", terminated.get("exitCode").int()),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn first_text(first: &str, second: &str) -> String {
    if first.is_empty() { second } else { first }.to_owned()
}

fn condition_is_true(status: &Field<'_>, r#type: &str) -> bool {
    let condition = status
        .items("conditions")
        .find(|condition| condition.get("type").str() == r#type);
    condition.is_some_and(|condition| condition.get("status").str() == "True")
}

fn readiness_gates(spec: &Field<'_>, status: &Field<'_>) -> String {
    let gates = spec.get("readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates
        .list()
        .filter(|gate| condition_is_true(status, gate.get("conditionType").str()))
        .count();
    format!("{open}/{}", gates.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_column_says_what_matters_most() {
        let container =
            |state: Value| json!([{"name": "c", "restartCount": 2, "ready": true, "state": state}]);
        let spec = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]});
        let init = |state: Value| json!([{"name": "i", "state": state}]);
        let done = json!({"terminated": {"exitCode": 0}});
        let rows = [
            (json!({"phase": "Pending"}), "Pending", "0/1", "0"),
            (
                json!({"phase": "Failed", "reason": "Evicted"}),
                "Evicted",
                "0/1",
                "0",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": init(json!({"running": {}}))}),
                "Init:0/1",
                "0/1",
                "0",
            ),
            (
                json!({"initContainerStatuses": init(json!({"waiting": {"reason": "CrashLoopBackOff"}}))}),
                "Init:CrashLoopBackOff",
                "0/1",
                "0",
            ),
            (
                json!({"initContainerStatuses": init(json!({"terminated": {"exitCode": 3}}))}),
                "Init:ExitCode:3",
                "0/1",
                "0",
            ),
            (
                json!({"phase": "Running", "initContainerStatuses": init(done.clone()),
                    "containerStatuses": container(json!({"running": {}}))}),
                "Running",
                "1/1",
                "2",
            ),
            (
                json!({"phase": "Running", "containerStatuses": container(json!({"terminated": {"signal": 9}}))}),
                "Signal:9",
                "0/1",
                "2",
            ),
            (
                json!({"phase": "Succeeded",
                    "containerStatuses": container(json!({"terminated": {"reason": "Completed"}}))}),
                "Completed",
                "0/1",
                "2",
            ),
        ];
        for (status, reason, ready, restarts) in rows {
            let pod = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
            let cells = cells(&pod, 0);
            assert_eq!(
                [&cells[2], &cells[1], &cells[3]],
                [reason, ready, restarts],
                "{status}"
            );
        }
    }

    #[test]
    fn a_restart_says_how_long_ago() {
        let pod = json!({"metadata": {"name": "p", "deletionTimestamp": "1970-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 1,
                "lastState": {"terminated": {"finishedAt": "1970-01-01T00:05:00Z"}}}]}});
        let cells = cells(&pod, 600);
        assert_eq!([&cells[2], &cells[3]], ["Terminating", "1 (5m ago)"]);
    }
}
