//! A new node takes no pods until it is ready (`plugin/pkg/admission/nodetaint`).

use serde_json::json;

use super::{AdmissionRequest, items, list_mut};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

pub(super) fn admit(request: &mut AdmissionRequest<'_>) {
    if !request.creates("nodes") {
        return;
    }
    let tainted = |taint: &serde_json::Value| taint["key"] == NOT_READY && taint["effect"] == "NoSchedule";
    if !items(&request.object["spec"]["taints"]).any(tainted) {
        let taint = json!({"key": NOT_READY, "effect": "NoSchedule"});
        list_mut(&mut request.object["spec"], "taints").push(taint);
    }
}
