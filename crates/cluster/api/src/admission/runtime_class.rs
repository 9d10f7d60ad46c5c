//! What a RuntimeClass says about its pods: overhead and where they run (`plugin/pkg/admission/runtimeclass`).

use serde_json::{Map, Value};

use super::objects::Objects;
use super::pod_resources::same_amounts;
use super::{AdmissionRequest, items, list_mut, text};
use crate::status::StatusError;

pub(super) fn admit(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
    let Some(class) = class_of(objects, request)? else {
        return Ok(());
    };
    let fixed = &class["overhead"]["podFixed"];
    if !class["overhead"].is_null() {
        let own = &request.object["spec"]["overhead"];
        if own.as_object().is_some_and(|own| !own.is_empty()) && !same_amounts(own, fixed) {
            return Err(mismatch(request));
        }
        request.object["spec"]["overhead"] = fixed.clone();
    }
    let scheduling = &class["scheduling"];
    for (key, wanted) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let own = request.object["spec"]["nodeSelector"][key].clone();
        if !own.is_null() && own != *wanted {
            return Err(request.forbidden(&format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                text(wanted),
                text(&own)
            )));
        }
        let selector = &mut request.object["spec"]["nodeSelector"];
        if !selector.is_object() {
            *selector = Value::Object(Map::new());
        }
        selector[key] = wanted.clone();
    }
    for toleration in items(&scheduling["tolerations"]) {
        let own = list_mut(&mut request.object["spec"], "tolerations");
        if !own.contains(toleration) {
            own.push(toleration.clone());
        }
    }
    Ok(())
}

pub(super) fn validate(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    if !request.creates("pods") {
        return Ok(());
    }
    let own = &request.object["spec"]["overhead"];
    match class_of(objects, request)? {
        Some(class) if !class["overhead"].is_null() => {
            if same_amounts(own, &class["overhead"]["podFixed"]) {
                Ok(())
            } else {
                Err(mismatch(request))
            }
        }
        _ if own.is_null() => Ok(()),
        _ => {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            Err(request.forbidden(why))
        }
    }
}

fn class_of(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<Option<Value>, StatusError> {
    let name = &request.object["spec"]["runtimeClassName"];
    if !request.creates("pods") || name.is_null() {
        return Ok(None);
    }
    let class = objects.get("node.k8s.io/runtimeclasses", "", text(name));
    let missing = || request.forbidden(&format!("pod rejected: RuntimeClass {name} not found"));
    class.ok_or_else(missing).map(Some)
}

fn mismatch(request: &AdmissionRequest<'_>) -> StatusError {
    request.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}
