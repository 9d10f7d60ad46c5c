//! Why a pod cannot go to a node, in the order of upstream's filter plugins: the first plugin that refuses speaks.

use serde_json::Value;

use super::affinity;
use super::room::Room;
use crate::kind::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM};
use crate::object;
use crate::view::View;

/// A node that cannot take a pod.
pub struct Refusal {
    /// In upstream's words.
    pub reasons: Vec<String>,
    /// It could, if other pods went.
    pub room_would_help: bool,
}

impl Refusal {
    fn for_good(reason: &str) -> Option<Refusal> {
        Some(Refusal {
            reasons: vec![reason.to_owned()],
            room_would_help: false,
        })
    }
}

/// `None`: the node can take the pod.
pub fn refuse(view: &dyn View, pod: &Value, room: &Room<'_>) -> Option<Refusal> {
    let node = room.node;
    let spec = &pod["spec"];
    if node["spec"]["unschedulable"] == true && !tolerates_unschedulable(pod) {
        return Refusal::for_good("node(s) were unschedulable");
    }
    if !affinity::matches_node(spec, node) {
        return Refusal::for_good("node(s) didn't match Pod's node affinity/selector");
    }
    if taints(node).any(|taint| keeps_away(taint) && !is_tolerated(pod, taint)) {
        return Refusal::for_good("node(s) had untolerated taint(s)");
    }
    if ports_clash(pod, room) {
        let reason = "node(s) didn't have free ports for the requested pod ports".to_owned();
        return Some(Refusal {
            reasons: vec![reason],
            room_would_help: true,
        });
    }
    let (reasons, room_would_help) = room.lacks(pod);
    if !reasons.is_empty() {
        return Some(Refusal {
            reasons,
            room_would_help,
        });
    }
    if !volumes_reach(view, pod, node) {
        return Refusal::for_good("node(s) didn't match PersistentVolume's node affinity");
    }
    None
}

/// What is wrong with the claims of a pod, wherever it would go.
pub fn missing_claim(view: &dyn View, pod: &Value) -> Option<String> {
    for name in claims(pod) {
        let Some(claim) = view.get(&PERSISTENT_VOLUME_CLAIM, object::namespace(pod), &name) else {
            return Some(format!("persistentvolumeclaim {name:?} not found"));
        };
        if object::is_deleting(&claim) {
            return Some(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
    }
    None
}

fn claims(pod: &Value) -> Vec<String> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| {
            if volume["ephemeral"].is_object() {
                return Some(format!("{}-{}", object::name(pod), volume["name"].as_str()?));
            }
            Some(volume["persistentVolumeClaim"]["claimName"].as_str()?.to_owned())
        })
        .collect()
}

/// Volumes that are bound must be reachable from the node.
fn volumes_reach(view: &dyn View, pod: &Value, node: &Value) -> bool {
    claims(pod).iter().all(|name| {
        let claim = view.get(&PERSISTENT_VOLUME_CLAIM, object::namespace(pod), name);
        let volume =
            claim.and_then(|claim| view.get(&PERSISTENT_VOLUME, "", claim["spec"]["volumeName"].as_str()?));
        volume.is_none_or(|volume| {
            let required = &volume["spec"]["nodeAffinity"]["required"];
            required.is_null() || affinity::matches_terms(required, node)
        })
    })
}

/// The taints of a node.
pub fn taints(node: &Value) -> impl Iterator<Item = &Value> {
    node["spec"]["taints"].as_array().into_iter().flatten()
}

fn keeps_away(taint: &Value) -> bool {
    matches!(taint["effect"].as_str(), Some("NoSchedule" | "NoExecute"))
}

fn tolerates_unschedulable(pod: &Value) -> bool {
    let taint = serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    is_tolerated(pod, &taint)
}

/// Whether a pod puts up with a taint.
pub fn is_tolerated(pod: &Value, taint: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    pod["spec"]["tolerations"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|toleration| {
            let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
            (effect.is_empty() || effect == text(&taint["effect"]))
                && (key.is_empty() || key == text(&taint["key"]))
                && match toleration["operator"].as_str() {
                    Some("Exists") => true,
                    None | Some("" | "Equal") => text(&toleration["value"]) == text(&taint["value"]),
                    Some(_) => false,
                }
        })
}

fn ports_clash(pod: &Value, room: &Room<'_>) -> bool {
    let wanted = host_ports(pod);
    !wanted.is_empty()
        && room
            .pods
            .iter()
            .flat_map(|other| host_ports(other))
            .any(|taken| wanted.iter().any(|port| clash(port, &taken)))
}

/// Address, protocol and port on the node.
type HostPort = (String, String, i64);

fn clash(a: &HostPort, b: &HostPort) -> bool {
    let anywhere = |address: &str| address.is_empty() || address == "0.0.0.0";
    a.1 == b.1 && a.2 == b.2 && (anywhere(&a.0) || anywhere(&b.0) || a.0 == b.0)
}

fn host_ports(pod: &Value) -> Vec<HostPort> {
    let lists =
        ["containers", "initContainers"].map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let sidecar_or_main =
        |container: &&Value| container["restartPolicy"].is_null() || container["restartPolicy"] == "Always";
    lists
        .into_iter()
        .flatten()
        .filter(sidecar_or_main)
        .flat_map(|container| container["ports"].as_array().into_iter().flatten())
        .filter_map(|port| {
            let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
            let text = |name: &str| port[name].as_str().unwrap_or_default().to_owned();
            Some((text("hostIP"), text("protocol"), number))
        })
        .collect()
}
