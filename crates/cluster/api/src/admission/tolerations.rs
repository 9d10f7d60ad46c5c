//! Pods stay five minutes on a node that fails (`plugin/pkg/admission/defaulttolerationseconds`).

use serde_json::{Value, json};

use super::{AdmissionRequest, Operation, items, list_mut, text};

/// Upstream's default for both.
const SECONDS: u32 = 300;

pub(super) fn admit(request: &mut AdmissionRequest<'_>) {
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    if !writes || !request.is("pods") {
        return;
    }
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerates = |toleration: &Value| {
            matches!(text(&toleration["effect"]), "NoExecute" | "")
                && (text(&toleration["key"]) == key || text(&toleration["key"]).is_empty())
        };
        if !items(&request.object["spec"]["tolerations"]).any(tolerates) {
            let toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS});
            list_mut(&mut request.object["spec"], "tolerations").push(toleration);
        }
    }
}
