//! Conditions of a pod (`pkg/kubelet/status/generate.go`).

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::pod::{Pod, shown};

/// Those that the kubelet writes, in upstream's order; all others are somebody else's.
pub const OWN: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

pub(super) struct Look<'a> {
    pub pod: &'a Pod,
    pub phase: &'a str,
    pub mains: &'a [Value],
    pub inits: &'a [Value],
    /// Whether it has a sandbox.
    pub sandbox: bool,
}

/// Whether a condition holds, and what is said about it.
#[derive(Clone, Debug, Default)]
struct Held {
    holds: bool,
    reason: &'static str,
    message: String,
}

/// All conditions: those of others as the object has them, then ours; `before` is what was computed last.
pub(super) fn conditions(look: &Look<'_>, before: &Value, now: Timestamp) -> Value {
    let known = look.pod.object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let is_own = |condition: &&Value| OWN.contains(&condition["type"].as_str().unwrap_or_default());
    let others: Vec<&Value> = known.filter(|condition| !is_own(condition)).collect();
    let ready = look.containers_ready();
    let mut all: Vec<Value> = others.iter().map(|condition| (*condition).clone()).collect();
    let scheduled = Held {
        holds: true,
        ..Held::default()
    };
    let sandbox = Held {
        holds: look.sandbox,
        ..Held::default()
    };
    let gated = look.ready(&ready, &others);
    for (name, held) in OWN
        .into_iter()
        .zip([sandbox, look.initialized(), gated, ready, scheduled])
    {
        let before = [before, &look.pod.object["status"]["conditions"]];
        let before = before.into_iter().filter_map(Value::as_array).flatten();
        let before = before.into_iter().find(|condition| condition["type"] == name);
        all.push(held.shown(name, before, look.pod.generation, now));
    }
    Value::Array(all)
}

impl Held {
    fn shown(self, name: &str, before: Option<&Value>, generation: i64, now: Timestamp) -> Value {
        let status = if self.holds { "True" } else { "False" };
        let same = before.filter(|before| before["status"] == status);
        let since = same.map(|before| before["lastTransitionTime"].clone());
        let mut condition = Map::new();
        condition.insert("type".to_owned(), name.into());
        if generation > 0 {
            condition.insert("observedGeneration".to_owned(), generation.into());
        }
        condition.insert("status".to_owned(), status.into());
        condition.insert("lastProbeTime".to_owned(), Value::Null);
        let since = since.filter(Value::is_string).unwrap_or_else(|| shown(now));
        condition.insert("lastTransitionTime".to_owned(), since);
        if !self.reason.is_empty() {
            condition.insert("reason".to_owned(), self.reason.into());
        }
        if !self.message.is_empty() {
            condition.insert("message".to_owned(), self.message.into());
        }
        Value::Object(condition)
    }
}

impl Look<'_> {
    fn containers_ready(&self) -> Held {
        match self.phase {
            "Succeeded" => {
                return Held {
                    reason: "PodCompleted",
                    ..Held::default()
                };
            }
            "Failed" => {
                return Held {
                    reason: "PodFailed",
                    ..Held::default()
                };
            }
            _ => {}
        }
        let sidecars = self
            .pod
            .init_containers
            .iter()
            .filter(|container| container.sidecar);
        let watched = sidecars.chain(&self.pod.containers);
        let ready = |name: &str| {
            let mut statuses = self.inits.iter().chain(self.mains);
            statuses.any(|status| status["name"].as_str() == Some(name) && status["ready"] == true)
        };
        let unready = watched
            .map(|container| container.name.as_str())
            .filter(|name| !ready(name));
        unfinished(unready.collect(), "ContainersNotReady", "unready")
    }

    fn ready(&self, containers: &Held, others: &[&Value]) -> Held {
        if !containers.holds {
            return containers.clone();
        }
        let gates = self.pod.object["spec"]["readinessGates"]
            .as_array()
            .into_iter()
            .flatten();
        let mut closed = Vec::new();
        for gate in gates.filter_map(|gate| gate["conditionType"].as_str()) {
            match others
                .iter()
                .find(|condition| condition["type"].as_str() == Some(gate))
            {
                None => closed.push(format!(
                    "corresponding condition of pod readiness gate \"{gate}\" does not exist."
                )),
                Some(condition) if condition["status"] != "True" => {
                    let status = condition["status"].as_str().unwrap_or_default();
                    closed.push(format!(
                        "the status of pod readiness gate \"{gate}\" is not \"True\", but {status}"
                    ));
                }
                Some(_) => {}
            }
        }
        if closed.is_empty() {
            return Held {
                holds: true,
                ..Held::default()
            };
        }
        Held {
            holds: false,
            reason: "ReadinessGatesNotReady",
            message: closed.join(", "),
        }
    }

    fn initialized(&self) -> Held {
        let begun = self.mains.iter().any(|status| {
            let ended =
                status["state"]["terminated"].is_object() || status["lastState"]["terminated"].is_object();
            ended || status["state"]["running"].is_object()
        });
        if self.phase == "Succeeded" {
            return Held {
                holds: true,
                reason: "PodCompleted",
                ..Held::default()
            };
        }
        if begun {
            return Held {
                holds: true,
                ..Held::default()
            };
        }
        let incomplete = self
            .pod
            .init_containers
            .iter()
            .zip(self.inits)
            .filter(|(container, status)| {
                let done = if container.sidecar {
                    &status["started"]
                } else {
                    &status["ready"]
                };
                *done != true
            });
        let names = incomplete.map(|(container, _)| container.name.as_str()).collect();
        unfinished(names, "ContainersNotInitialized", "incomplete")
    }
}

fn unfinished(names: Vec<&str>, reason: &'static str, word: &str) -> Held {
    if names.is_empty() {
        return Held {
            holds: true,
            ..Held::default()
        };
    }
    Held {
        holds: false,
        reason,
        message: format!("containers with {word} status: [{}]", names.join(" ")),
    }
}
