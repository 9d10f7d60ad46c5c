//! The priority of pods (`plugin/pkg/admission/priority`).

use serde_json::Value;

use super::objects::Objects;
use super::{AdmissionRequest, Operation, text};
use crate::status::StatusError;

const CLASSES: &str = "scheduling.k8s.io/priorityclasses";

/// Gives a pod the priority of its class, and its class the default one.
pub(super) fn admit(objects: &dyn Objects, request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
    if request.operation == Operation::Delete && request.is("priorityclasses.scheduling.k8s.io") {
        return check_system_class(request);
    }
    if !request.is("pods") {
        return Ok(());
    }
    match (request.operation, request.old_object) {
        (Operation::Create, _) => {}
        (Operation::Update, Some(old)) => {
            for field in ["priority", "preemptionPolicy"] {
                let kept = &old["spec"][field];
                if request.object["spec"][field].is_null() && !kept.is_null() {
                    request.object["spec"][field] = kept.clone();
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    }
    let name = text(&request.object["spec"]["priorityClassName"]);
    let class = if name.is_empty() {
        default_class(objects)
    } else {
        let class = objects.get(CLASSES, "", name);
        let missing = || request.forbidden(&format!("no PriorityClass with name {name} was found"));
        Some(class.ok_or_else(missing)?)
    };
    let (priority, policy) = match &class {
        Some(class) => (
            class["value"].as_i64().unwrap_or_default(),
            class["preemptionPolicy"].as_str(),
        ),
        None => (0, Some("PreemptLowerPriority")),
    };
    let spec = &request.object["spec"];
    if let Some(given) = spec["priority"].as_i64().filter(|given| *given != priority) {
        return Err(request.forbidden(&format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
        )));
    }
    if let (Some(policy), Some(given)) = (policy, spec["preemptionPolicy"].as_str())
        && given != policy
    {
        return Err(request.forbidden(&format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        )));
    }
    let spec = &mut request.object["spec"];
    if let Some(class) = &class {
        spec["priorityClassName"] = class["metadata"]["name"].clone();
    }
    spec["priority"] = priority.into();
    if let Some(policy) = policy {
        spec["preemptionPolicy"] = policy.into();
    }
    Ok(())
}

/// Upstream has this in the registry (`pkg/registry/scheduling/priorityclass/storage`).
fn check_system_class(request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    if matches!(request.name, "system-node-critical" | "system-cluster-critical") {
        return Err(request.forbidden("this is a system priority class and cannot be deleted"));
    }
    Ok(())
}

/// There is one default class at most.
pub(super) fn validate(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    let marks = request.object["globalDefault"] == true;
    if !writes || !marks || !request.is("priorityclasses.scheduling.k8s.io") {
        return Ok(());
    }
    let Some(class) = default_class(objects) else {
        return Ok(());
    };
    let name = text(&class["metadata"]["name"]);
    if request.operation == Operation::Update && name == text(&request.object["metadata"]["name"]) {
        return Ok(());
    }
    let why = format!("PriorityClass {name} is already marked as default. Only one default can exist");
    Err(request.forbidden(&why))
}

/// Of several the lowest: two may have been made at the same moment.
fn default_class(objects: &dyn Objects) -> Option<Value> {
    let classes = objects
        .list(CLASSES, "")
        .into_iter()
        .filter(|class| class["globalDefault"] == true);
    classes.min_by_key(|class| class["value"].as_i64())
}
