//! A kubelet that is played: every pod of one namespace that has a node runs and is ready, or has succeeded where it is
//! a job's; deleted pods are let go. Nothing runs.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::wire::Client;

/// When everything happened. In the past, so that a pod is available as soon as it is ready.
const TIME: &str = "2025-01-01T00:00:00Z";

/// A node that is not heard of for 50 s is given up.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Plays until it is dropped.
pub struct Kubelet {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    /// Makes the node, waits until it takes pods, and begins to play.
    pub fn start(kubeconfig: &Path, node: &str, namespace: &str) -> Kubelet {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (kubeconfig, node, namespace) = (kubeconfig.to_owned(), node.to_owned(), namespace.to_owned());
        let play = async move {
            let (client, watch) = begin(kubeconfig, &node, &namespace).await;
            ready.send(()).expect("the test waits for it");
            tokio::select! {
                _ = stopped => {}
                () = play(&client, watch, &namespace) => {}
                () = beat(&client, &node) => {}
            }
        };
        let thread = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(play);
        });
        is_ready.recv().expect("the node could be made");
        Kubelet {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the kubelet panicked");
        }
    }
}

async fn begin(kubeconfig: PathBuf, node: &str, namespace: &str) -> (Client, super::wire::Watch) {
    let client = Client::connect(&kubeconfig).await;
    let send = async |method: &str, path: &str, body: Value| {
        let (status, answer) = client
            .send(method, path, &body)
            .await
            .expect("the server is there");
        assert!(status < 300 || status == 409, "{method} {path}: {answer}");
        answer
    };
    let path = format!("/api/v1/nodes/{node}");
    let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}});
    let made = send("POST", "/api/v1/nodes", object).await;
    let amounts = json!({"cpu": "8", "memory": "16Gi", "pods": "110"});
    let status =
        json!({"status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready(TIME)]}});
    send("PATCH", &format!("{path}/status"), status).await;
    // A new node is tainted until a controller has seen that it is ready.
    let from = made["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let nodes = format!("/api/v1/nodes?watch=1&fieldSelector=metadata.name={node}&resourceVersion={from}");
    let mut events = client.watch(&nodes).await.expect("a watch");
    while let Some(event) = events.next().await {
        let object = &event["object"];
        if object["spec"]["taints"].is_null() && object["status"]["conditions"].is_array() {
            break;
        }
    }
    let pods = format!("/api/v1/namespaces/{namespace}/pods?watch=1");
    let watch = client.watch(&pods).await.expect("a watch");
    (client, watch)
}

/// Says from time to time that the node lives: at a time that only has to be another one each time.
async fn beat(client: &Client, node: &str) {
    let mut times = (0..60).cycle();
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let time = format!("2025-01-01T00:00:{:02}Z", times.next().unwrap_or_default());
        let status = json!({"status": {"conditions": [ready(&time)]}});
        let path = format!("/api/v1/nodes/{node}/status");
        let _ = client.send("PATCH", &path, &status).await;
    }
}

fn ready(heard: &str) -> Value {
    json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": heard, "lastTransitionTime": TIME})
}

async fn play(client: &Client, mut watch: super::wire::Watch, namespace: &str) {
    let mut addresses = 10..=u8::MAX;
    while let Some(event) = watch.next().await {
        let pod = &event["object"];
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        if event["type"] == "DELETED" || pod["spec"]["nodeName"].is_null() {
            continue;
        }
        // A pod that is gone meanwhile, or a server that has ended, is no error of a kubelet's.
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
            let _ = client.send("DELETE", &path, &options).await;
        } else if matches!(pod["status"]["phase"].as_str(), None | Some("Pending")) {
            let address = format!("192.0.2.{}", addresses.next().unwrap_or_default());
            let status = json!({"status": status(pod, &address)});
            let _ = client.send("PATCH", &format!("{path}/status"), &status).await;
        }
    }
}

fn status(pod: &Value, address: &str) -> Value {
    let ends = pod["spec"]["restartPolicy"] != "Always";
    let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": TIME});
    let state = if ends {
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": TIME, "finishedAt": TIME}})
    } else {
        json!({"running": {"startedAt": TIME}})
    };
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let containers: Vec<Value> = containers
        .map(|container| {
            json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": !ends,
                   "restartCount": 0, "state": state})
        })
        .collect();
    json!({
        "phase": if ends { "Succeeded" } else { "Running" },
        "startTime": TIME, "hostIP": "192.0.2.1", "podIP": address, "podIPs": [{"ip": address}],
        "containerStatuses": containers,
        "conditions": [condition("PodScheduled", true), condition("Initialized", true),
                       condition("ContainersReady", !ends), condition("Ready", !ends)],
    })
}
