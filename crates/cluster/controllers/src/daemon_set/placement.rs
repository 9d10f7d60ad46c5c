//! On which nodes a DaemonSet runs, and the pod that it runs there (`daemon_controller.go NodeShouldRunDaemonPod`,
//! `util/daemonset_util.go`).

use serde_json::{Value, json};

use crate::kind::DAEMON_SET;
use crate::object;
use crate::pods;
use crate::scheduler::affinity;
use crate::scheduler::filter::{is_tolerated, taints};

pub const HASH_LABEL: &str = "controller-revision-hash";
const GENERATION_LABEL: &str = "pod-template-generation";
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";

/// Daemons stay while their node is in trouble.
const TOLERATED: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The same for daemons in the network of their node.
const TOLERATED_ON_HOST: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// What a node says to a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// A pod is to be there.
    pub run: bool,
    /// A pod that is there may stay.
    pub stay: bool,
}

/// Whether a node is one of the set's.
pub fn place(set: &Value, node: &Value) -> Place {
    let mut pod = json!({"spec": set["spec"]["template"]["spec"]});
    tolerate(&mut pod["spec"]);
    let named = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    let fits =
        (named.is_empty() || named == object::name(node)) && affinity::matches_node(&pod["spec"], node);
    let free_of = |effects: &[&str]| {
        let mut keeping =
            taints(node).filter(|taint| effects.iter().any(|effect| taint["effect"] == *effect));
        keeping.all(|taint| is_tolerated(&pod, taint))
    };
    Place {
        run: fits && free_of(&["NoSchedule", "NoExecute"]),
        stay: fits && free_of(&["NoExecute"]),
    }
}

/// The pod of a node; the scheduler binds it there.
pub fn new_pod(set: &Value, hash: &str, node: &str) -> Value {
    let mut pod = pods::from_template(&DAEMON_SET, set, &set["spec"]["template"]);
    tolerate(&mut pod["spec"]);
    pin(&mut pod["spec"], node);
    let labels = &mut pod["metadata"]["labels"];
    if let Some(generation) = object::annotation(set, GENERATION_ANNOTATION) {
        labels[GENERATION_LABEL] = json!(generation);
    }
    labels[HASH_LABEL] = json!(hash);
    pod
}

/// The node that a pod is on, or is meant for.
pub fn node_of(pod: &Value) -> Option<&str> {
    if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty()) {
        return Some(node);
    }
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = required["nodeSelectorTerms"].as_array().into_iter().flatten();
    let mut fields = terms.flat_map(|term| term["matchFields"].as_array().into_iter().flatten());
    let field = fields.find(|field| field["key"] == "metadata.name" && field["operator"] == "In")?;
    match field["values"].as_array().map(Vec::as_slice) {
        Some([node]) => node.as_str(),
        _ => None,
    }
}

fn tolerate(spec: &mut Value) {
    let on_host = (spec["hostNetwork"] == true).then_some(&TOLERATED_ON_HOST);
    let mut all = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for (key, effect) in TOLERATED.iter().chain(on_host) {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !all.contains(&toleration) {
            all.push(toleration);
        }
    }
    spec["tolerations"] = Value::Array(all);
}

/// Only this node will do; what else the template asks of nodes has been looked at.
fn pin(spec: &mut Value, node: &str) {
    let field = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!({"nodeSelectorTerms": [{"matchFields": field}]});
}
