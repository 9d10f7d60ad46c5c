//! What is done to pods besides writing them: binding and eviction (`pkg/registry/core/pod/storage`).

use deploy_cluster_kinds::selector::LabelSelector;
use deploy_cluster_storage::{Change as StoreChange, Entry, Expected, Write, WriteError};
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::create::storage_failed;
use super::delete::delete;
use super::{Call, Outcome, parsed};
use crate::options::DeleteOptions;
use crate::status::{About, StatusError};
use crate::{encode, identifiers, limits, object};

/// Everything went well.
pub(crate) fn success() -> Outcome {
    let object =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Outcome::Other { status: 201, object }
}

/// Binds the pod of the scope to the node that `binding` names.
pub(crate) async fn bind(call: &mut Call<'_>, binding: &Value) -> Result<Outcome, StatusError> {
    if object::name(binding) != call.scope.name {
        return Err(StatusError::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let target = &binding["target"];
    let mut wrong = Vec::new();
    if !matches!(target["kind"].as_str(), None | Some("" | "Node")) {
        let shown = target["kind"].to_string();
        wrong.push(format!(
            "target.kind: Unsupported value: {shown}: supported values: \"Node\", \"<empty>\""
        ));
    }
    if target["name"].as_str().unwrap_or_default().is_empty() {
        wrong.push("target.name: Required value".to_owned());
    }
    if !wrong.is_empty() {
        return Err(StatusError::new(
            500,
            "",
            crate::status::aggregate(wrong.into_iter()),
        ));
    }
    let pods = About::new("", "pods");
    change_pod(call, |call, pod| {
        let name = &call.scope.name;
        let conflict = |why: String| Err(StatusError::conflict(About::new("", "pods/binding"), name, &why));
        for (word, stated, found) in [
            ("UID", object::uid(binding), object::uid(pod)),
            ("ResourceVersion", object::resource_version(binding), object::resource_version(pod)),
        ] {
            if !stated.is_empty() && stated != found {
                let namespace = &call.scope.namespace;
                let why = format!(
                    "StorageError: invalid object, Code: 4, Key: /registry/pods/{namespace}/{name}, ResourceVersion: \
                     0, AdditionalErrorMsg: Precondition failed: {word} in precondition: {stated}, {word} in object \
                     meta: {found}"
                );
                return Err(StatusError::conflict(pods, name, &why));
            }
        }
        if object::is_deleting(pod) {
            return conflict(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
            return conflict(format!("pod {name} is already assigned to node {node:?}"));
        }
        if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
            return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
        }
        pod["spec"]["nodeName"] = target["name"].clone();
        if let Some(status) = pod["status"].as_object_mut() {
            status.remove("nominatedNodeName");
        }
        let added = binding["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        if !added.is_empty() {
            let mut all = pod["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
            all.extend(added);
            object::set(pod, "annotations", all);
        }
        set_condition(pod, "PodScheduled", "True", None);
        Ok(())
    })
    .await?;
    Ok(success())
}

/// Changes the pod of the scope without asking anybody: the server's own doing.
async fn change_pod(
    call: &Call<'_>,
    change: impl Fn(&Call<'_>, &mut Value) -> Result<(), StatusError>,
) -> Result<Arc<Entry>, StatusError> {
    let key = call.scope.key(&call.scope.namespace, &call.scope.name);
    for _ in 0..limits::WRITE_RETRIES {
        let live = call.api.store.get(&key).ok_or_else(|| call.scope.not_found())?;
        let mut pod = (*parsed(&live)).clone();
        change(call, &mut pod)?;
        if call.options.dry_run {
            return Ok(live);
        }
        let write = Write {
            key: key.clone(),
            expected: Expected::Revision(live.revision),
            change: StoreChange::Put(encode::object(&pod)),
        };
        match call.api.write(write).await {
            Ok(entry) => return Ok(entry),
            Err(WriteError::Conflict { .. }) => {}
            Err(error) => return Err(storage_failed(&error)),
        }
    }
    Err(StatusError::new(
        500,
        "InternalError",
        "too many writers for one object",
    ))
}

/// `podutil.UpdatePodCondition`: the time moves only with the status.
fn set_condition(pod: &mut Value, kind: &str, status: &str, why: Option<(&str, &str)>) {
    let mut condition = Map::new();
    condition.insert("type".into(), kind.into());
    condition.insert("status".into(), status.into());
    condition.insert("lastProbeTime".into(), Value::Null);
    condition.insert("lastTransitionTime".into(), identifiers::now().into());
    if let Some((reason, message)) = why {
        condition.insert("reason".into(), reason.into());
        condition.insert("message".into(), message.into());
    }
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = pod["status"]["conditions"].as_array_mut() else {
        return;
    };
    match conditions.iter_mut().find(|known| known["type"] == kind) {
        Some(known) => {
            if known["status"] == status {
                condition.insert("lastTransitionTime".into(), known["lastTransitionTime"].clone());
            }
            *known = condition.into();
        }
        None => conditions.push(condition.into()),
    }
}

/// Evicts the pod of the scope, if its disruption budget allows.
pub(crate) async fn evict(call: &mut Call<'_>, eviction: &Value) -> Result<Outcome, StatusError> {
    if object::name(eviction) != call.scope.name {
        return Err(StatusError::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let mut options = DeleteOptions::from_value(&eviction["deleteOptions"])?;
    options.dry_run |= call.options.dry_run;
    call.options.dry_run = options.dry_run;
    let key = call.scope.key(&call.scope.namespace, &call.scope.name);
    let entry = call.api.store.get(&key).ok_or_else(|| call.scope.not_found())?;
    let pod = parsed(&entry);
    // A pod that does not run has been disrupted already.
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    let is_down = matches!(phase, "Succeeded" | "Failed" | "Pending") || object::is_deleting(&pod);
    if !is_down {
        ask_budget(call, &pod).await?;
    }
    if !options.dry_run {
        let why = ("EvictionByEvictionAPI", "Eviction API: evicting");
        let checked = options.clone();
        let entry = change_pod(call, move |call, pod| {
            check_preconditions(call, &checked, pod)?;
            set_condition(pod, "DisruptionTarget", "True", Some(why));
            Ok(())
        })
        .await?;
        if options.resource_version.is_some() {
            options.resource_version = Some(entry.revision.to_string());
        }
    }
    delete(call, &options).await?;
    Ok(success())
}

fn check_preconditions(call: &Call<'_>, options: &DeleteOptions, pod: &Value) -> Result<(), StatusError> {
    let conflict = |why: String| {
        Err(StatusError::conflict(
            About::new("", "Pod"),
            &call.scope.name,
            &why,
        ))
    };
    if let Some(uid) = options
        .uid
        .as_ref()
        .filter(|uid| !uid.is_empty() && *uid != object::uid(pod))
    {
        return conflict(format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            object::uid(pod)
        ));
    }
    let found = object::resource_version(pod);
    if let Some(stated) = options
        .resource_version
        .as_ref()
        .filter(|v| !v.is_empty() && *v != found)
    {
        return conflict(format!(
            "the ResourceVersion in the precondition ({stated}) does not match the ResourceVersion in record ({found}). \
             The object might have been modified"
        ));
    }
    Ok(())
}

/// Takes one disruption from the budget of a pod, if it has one.
async fn ask_budget(call: &Call<'_>, pod: &Value) -> Result<(), StatusError> {
    let store = &call.api.store;
    for _ in 0..limits::WRITE_RETRIES {
        let listing = store
            .list(
                "policy/poddisruptionbudgets",
                Some(&call.scope.namespace),
                None,
                None,
                None,
            )
            .map_err(|error| StatusError::internal(&error.to_string()))?;
        let labels = pod["metadata"].get("labels");
        let mut budgets = listing.entries.into_iter().filter(|entry| {
            let budget = parsed(entry);
            LabelSelector::from_object(budget["spec"].get("selector")).is_ok_and(|s| s.matches(labels))
        });
        let Some(entry) = budgets.next() else {
            return Ok(());
        };
        if budgets.next().is_some() {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(StatusError::new(500, "", message));
        }
        let budget = parsed(&entry);
        if is_unhealthy_and_free(pod, &budget) {
            return Ok(());
        }
        let changed = taken(&budget, object::name(pod))?;
        if call.options.dry_run {
            return Ok(());
        }
        let write = Write {
            key: entry.key.clone(),
            expected: Expected::Revision(entry.revision),
            change: StoreChange::Put(encode::object(&changed)),
        };
        match call.api.write(write).await {
            Ok(_) => return Ok(()),
            Err(WriteError::Conflict { .. }) => {}
            Err(error) => return Err(storage_failed(&error)),
        }
    }
    Err(StatusError::new(
        500,
        "InternalError",
        "too many writers for one object",
    ))
}

/// A pod that is not ready may go where its budget says so, or where enough others are healthy.
fn is_unhealthy_and_free(pod: &Value, budget: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .into_iter()
        .any(|c| c["type"] == "Ready" && c["status"] == "True");
    let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
    let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
    let enough = number("currentHealthy") >= number("desiredHealthy") && number("desiredHealthy") > 0;
    !ready && (always || enough)
}

/// The budget after one more disruption (`checkAndDecrement`).
fn taken(budget: &Value, pod: &str) -> Result<Value, StatusError> {
    const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
    let name = object::name(budget);
    let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
    let refused = |retry: u32, message: String| {
        let mut error = StatusError::too_many_requests(VIOLATES, retry);
        if error.details.is_null() {
            error.details = json!({});
        }
        error.details["causes"] = json!([{"reason": "DisruptionBudget", "message": message}]);
        Err(error)
    };
    if number("observedGeneration") < object::generation(budget) {
        return refused(
            10,
            format!("The disruption budget {name} is still being processed by the server."),
        );
    }
    let allowed = number("disruptionsAllowed");
    if allowed < 0 {
        let why = "pdb disruptions allowed is negative";
        return Err(StatusError::forbidden(
            About::new("policy", "poddisruptionbudget"),
            name,
            why,
        ));
    }
    if allowed == 0 {
        return refused(
            0,
            format!(
                "The disruption budget {name} needs {} healthy pods and has {} currently",
                number("desiredHealthy"),
                number("currentHealthy")
            ),
        );
    }
    let mut changed = budget.clone();
    changed["status"]["disruptionsAllowed"] = (allowed - 1).into();
    changed["status"]["disruptedPods"][pod] = identifiers::now().into();
    if allowed == 1 {
        let conditions = changed["status"]["conditions"].as_array_mut();
        for condition in conditions
            .into_iter()
            .flatten()
            .filter(|c| c["type"] == "DisruptionAllowed")
        {
            if condition["status"] != "False" {
                condition["lastTransitionTime"] = identifiers::now().into();
            }
            condition["status"] = "False".into();
            condition["reason"] = "InsufficientPods".into();
        }
    }
    Ok(changed)
}
