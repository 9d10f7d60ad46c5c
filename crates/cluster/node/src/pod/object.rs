//! A pod object, read once: what the engine asks of it.

use std::sync::Arc;

use deploy_cluster_api::object;
use jiff::Timestamp;
use serde_json::Value;

use crate::probe::Probe;

/// What the engine needs of a pod, and the object itself.
#[derive(Clone, Debug)]
pub struct Pod {
    /// As the API server has it.
    pub object: Arc<Value>,
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// That it shall go, and within how many seconds.
    pub deletion: Option<i64>,
    /// `spec.restartPolicy`
    pub restart_policy: RestartPolicy,
    /// In their order.
    pub init_containers: Vec<Container>,
    /// In their order.
    pub containers: Vec<Container>,
    /// `spec.activeDeadlineSeconds`
    pub active_deadline_seconds: Option<i64>,
    /// `spec.terminationGracePeriodSeconds`
    pub grace_seconds: i64,
    /// `spec.hostNetwork`
    pub host_network: bool,
}

/// `spec.restartPolicy`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Whatever the exit code.
    Always,
    /// Where the exit code is not 0.
    OnFailure,
    /// Not at all.
    Never,
}

/// One container of the object.
#[derive(Clone, Debug)]
pub struct Container {
    /// Unique in the pod.
    pub name: String,
    /// As it was written.
    pub image: String,
    /// An init container that goes on: `restartPolicy: Always`.
    pub sidecar: bool,
    /// Whether it has begun.
    pub startup: Option<Probe>,
    /// Whether it may get requests.
    pub readiness: Option<Probe>,
    /// Whether it has to be restarted.
    pub liveness: Option<Probe>,
    /// Runs right after its start.
    pub post_start: bool,
    /// Runs before it is stopped.
    pub pre_stop: bool,
    /// All of it.
    pub spec: Value,
}

impl Pod {
    /// Reads an object. The API server has validated it: what is missing all the same has the API's default.
    pub fn read(object: &Arc<Value>) -> Pod {
        let spec = &object["spec"];
        let containers = |list: &Value| {
            list.as_array()
                .into_iter()
                .flatten()
                .map(Container::read)
                .collect()
        };
        let deletion = object::is_deleting(object).then(|| {
            let seconds = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
            seconds.unwrap_or_default()
        });
        Pod {
            object: object.clone(),
            namespace: object::namespace(object).to_owned(),
            name: object::name(object).to_owned(),
            uid: object::uid(object).to_owned(),
            generation: object::generation(object),
            deletion,
            restart_policy: match spec["restartPolicy"].as_str() {
                Some("Never") => RestartPolicy::Never,
                Some("OnFailure") => RestartPolicy::OnFailure,
                _ => RestartPolicy::Always,
            },
            init_containers: containers(&spec["initContainers"]),
            containers: containers(&spec["containers"]),
            active_deadline_seconds: spec["activeDeadlineSeconds"].as_i64(),
            grace_seconds: spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(30),
            host_network: spec["hostNetwork"] == true,
        }
    }

    /// Init containers, then containers.
    pub fn all(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().chain(&self.containers)
    }

    /// A container by its name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.all().find(|container| container.name == name)
    }

    /// `name_namespace(uid)`, as messages name a pod (`pkg/kubelet/util/format`).
    pub fn shown(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    /// Whether a container that ended with this code is started again.
    pub fn restarts(&self, container: &Container, code: i32) -> bool {
        if container.sidecar {
            return true;
        }
        match self.restart_policy {
            // An init container that has succeeded is done.
            RestartPolicy::Always => code != 0 || self.is_main(container),
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        }
    }

    fn is_main(&self, container: &Container) -> bool {
        self.containers.iter().any(|main| main.name == container.name)
    }

    /// Whether the API server already knows that it has ended.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.object["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        )
    }
}

impl Container {
    fn read(spec: &Value) -> Container {
        let text = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
        let hook = |name: &str| spec["lifecycle"][name].is_object();
        Container {
            name: text("name"),
            image: text("image"),
            sidecar: spec["restartPolicy"] == "Always",
            startup: Probe::read(&spec["startupProbe"]),
            readiness: Probe::read(&spec["readinessProbe"]),
            liveness: Probe::read(&spec["livenessProbe"]),
            post_start: hook("postStart"),
            pre_stop: hook("preStop"),
            spec: spec.clone(),
        }
    }
}

/// A time as objects carry it: UTC, in seconds.
pub fn shown(time: Timestamp) -> Value {
    Value::String(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
