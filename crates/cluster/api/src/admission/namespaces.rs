//! Objects need a namespace that is there and stays (`apiserver/pkg/admission/plugin/namespace/lifecycle`).

use serde_json::json;

use super::objects::Objects;
use super::{AdmissionRequest, Operation, text};
use crate::status::{About, StatusError};

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
/// The label that asks for Pod Security Standards (`pod-security-admission/api/constants.go`).
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ABOUT: About<'static> = About {
    group: "",
    resource: "namespaces",
};

pub(super) fn admit(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
    if request.group.is_empty() && request.kind == "Namespace" {
        if request.operation == Operation::Delete && IMMORTAL.contains(&request.name) {
            return Err(StatusError::forbidden(
                ABOUT,
                request.name,
                "this namespace may not be deleted",
            ));
        }
        warn_of_levels(request);
        return Ok(());
    }
    let is_review =
        request.group == "authorization.k8s.io" && request.resource == "localsubjectaccessreviews";
    if request.namespace.is_empty() || request.operation == Operation::Delete || is_review {
        return Ok(());
    }
    let namespace = objects.get("/namespaces", "", request.namespace);
    let namespace = namespace.ok_or_else(|| StatusError::not_found(ABOUT, request.namespace))?;
    if request.operation != Operation::Create || text(&namespace["status"]["phase"]) != "Terminating" {
        return Ok(());
    }
    let name = request.namespace;
    let why = format!("unable to create new content in namespace {name} because it is being terminated");
    let mut error = request.forbidden(&why);
    error.details["causes"] = json!([{
        "reason": "NamespaceTerminating",
        "message": format!("namespace {name} is being terminated"),
        "field": "metadata.namespace",
    }]);
    Err(error)
}

/// Nobody should believe that pods are held to a level that nobody holds them to.
fn warn_of_levels(request: &mut AdmissionRequest<'_>) {
    let level = text(&request.object["metadata"]["labels"][ENFORCE]);
    if !matches!(level, "" | "privileged") {
        let warning = format!("{ENFORCE}={level}: this cluster does not enforce Pod Security Standards yet");
        request.warnings.push(warning);
    }
}
