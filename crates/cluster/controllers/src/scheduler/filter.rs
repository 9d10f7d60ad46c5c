//! Why a pod cannot go to a node, in the order of upstream's filter plugins: the first plugin that refuses speaks.

use serde_json::Value;

use super::affinity;
use super::claims::Claims;
use super::room::Room;
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
pub fn refuse(view: &dyn View, pod: &Value, claims: &Claims, room: &Room<'_>) -> Option<Refusal> {
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
    Refusal::for_good(claims.refused(view, node)?)
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
    let mut tolerations = pod["spec"]["tolerations"].as_array().into_iter().flatten();
    tolerations.any(|toleration| tolerates(toleration, taint))
}

/// Whether a toleration is one of this taint.
pub fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
    (effect.is_empty() || effect == text(&taint["effect"]))
        && (key.is_empty() || key == text(&taint["key"]))
        && match toleration["operator"].as_str() {
            Some("Exists") => true,
            None | Some("" | "Equal") => text(&toleration["value"]) == text(&taint["value"]),
            Some(_) => false,
        }
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
