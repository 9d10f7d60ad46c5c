//! A kubelet that is played: it says of each pod on its node what the pod's annotation `oracle` asks for, and lets
//! deleted pods go. Nothing runs.
//!
//! | `oracle` | the pod |
//! |---|---|
//! | absent | runs and is ready |
//! | `running` | runs and is not ready |
//! | `pending` | is left as it is |
//! | `succeed`, `fail` | has ended, with exit code 0 or 1 |
//! | `fail-index-N` | fails if it is of index N of an indexed job, succeeds otherwise |

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::request::{Identity, Request};
use crate::run::Server;

/// When everything happened. In the past, so that a pod is available as soon as it is ready.
const TIME: &str = "2025-01-01T00:00:00Z";

/// How often, and how far apart, it is looked whether the taint of a new node is gone.
const TAINT_CHECKS: u32 = 50;
const TAINT_PAUSE: Duration = Duration::from_millis(100);

/// The node and the namespace whose pods it plays.
pub struct Kubelet {
    node: String,
    namespace: String,
    /// The last part of the next pod's address.
    next: u8,
}

impl Kubelet {
    /// Does nothing yet.
    pub fn new(node: &str, namespace: &str) -> Kubelet {
        Kubelet {
            node: node.to_owned(),
            namespace: namespace.to_owned(),
            next: 10,
        }
    }

    /// Where the node is.
    pub fn path(&self) -> String {
        format!("/api/v1/nodes/{}", self.node)
    }

    /// Makes the node: ready, four cores, eight gibibytes.
    pub fn register(&self, server: &mut dyn Server) -> Result<(), String> {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}});
        send(server, "POST", "/api/v1/nodes", &node)?;
        let amounts = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
        let ready =
            json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": TIME});
        let status = json!({"status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]}});
        send(server, "PATCH", &format!("{}/status", self.path()), &status)?;
        // A new node is tainted until a controller has seen that it is ready.
        for _ in 0..TAINT_CHECKS {
            if send(server, "GET", &self.path(), &Value::Null)?["spec"]["taints"].is_null() {
                break;
            }
            thread::sleep(TAINT_PAUSE);
        }
        Ok(())
    }

    /// Looks once at all pods of the namespace.
    pub fn work(&mut self, server: &mut dyn Server) -> Result<(), String> {
        let pods = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let list = send(server, "GET", &pods, &Value::Null)?;
        for pod in list["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            if pod["spec"]["nodeName"] != self.node.as_str() {
                continue;
            }
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                send(
                    server,
                    "DELETE",
                    &format!("{pods}/{name}?gracePeriodSeconds=0"),
                    &Value::Null,
                )?;
            } else if let Some((phase, ready)) = wanted(pod)
                && (pod["status"]["phase"] != phase || is_ready(pod) != ready)
            {
                let status = json!({"status": self.status(pod, phase, ready)});
                send(server, "PATCH", &format!("{pods}/{name}/status"), &status)?;
            }
        }
        Ok(())
    }

    fn status(&mut self, pod: &Value, phase: &str, ready: bool) -> Value {
        let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": TIME});
        let code = i32::from(phase == "Failed");
        let state = match phase {
            "Running" => json!({"running": {"startedAt": TIME}}),
            _ => json!({"terminated": {"exitCode": code, "startedAt": TIME, "finishedAt": TIME}}),
        };
        let containers: Vec<Value> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| {
                json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": ready,
                       "restartCount": 0, "state": state})
            })
            .collect();
        let address = match pod["status"]["podIP"].as_str() {
            Some(address) => address.to_owned(),
            None => {
                self.next = self.next.wrapping_add(1);
                format!("192.0.2.{}", self.next)
            }
        };
        json!({
            "phase": phase, "startTime": TIME, "hostIP": "192.0.2.1", "podIP": address, "podIPs": [{"ip": address}],
            "containerStatuses": containers,
            "conditions": [condition("PodScheduled", true), condition("Initialized", true),
                           condition("ContainersReady", ready), condition("Ready", ready)],
        })
    }
}

/// The phase that a pod shall have, and whether it shall be ready.
fn wanted(pod: &Value) -> Option<(&'static str, bool)> {
    let annotations = &pod["metadata"]["annotations"];
    let index = annotations["batch.kubernetes.io/job-completion-index"].as_str();
    match annotations["oracle"].as_str() {
        None => Some(("Running", true)),
        Some("running") => Some(("Running", false)),
        Some("succeed") => Some(("Succeeded", false)),
        Some("fail") => Some(("Failed", false)),
        Some(word) => {
            let failing = word.strip_prefix("fail-index-")?;
            Some((
                if index == Some(failing) {
                    "Failed"
                } else {
                    "Succeeded"
                },
                false,
            ))
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn send(server: &mut dyn Server, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let kind = if method == "PATCH" {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let answer = server.send(&Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        },
        identity: Identity::Admin,
        lines: None,
    })?;
    Ok(answer.json().unwrap_or_default())
}
