//! Which pod is which: names, labels and volumes of the pods of a StatefulSet (`stateful_set_utils.go`).

use serde_json::{Value, json};

use crate::kind::STATEFUL_SET;
use crate::{object, pods};

pub const REVISION_LABEL: &str = "controller-revision-hash";
const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The number behind a set's name in a pod's; `None` for pods that are not of the set.
pub fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let digits = object::name(pod)
        .strip_prefix(object::name(set))?
        .strip_prefix('-')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i32>().ok().map(i64::from)
}

/// The name of the revision that a pod was made of.
pub fn revision(pod: &Value) -> &str {
    object::label(pod, REVISION_LABEL).unwrap_or_default()
}

/// The name of the claim that a pod's volume of a template is of.
pub fn claim_name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", object::name(template), object::name(set))
}

/// The set's templates of claims.
pub fn claim_templates(set: &Value) -> impl Iterator<Item = &Value> {
    set["spec"]["volumeClaimTemplates"]
        .as_array()
        .into_iter()
        .flatten()
}

/// The pod of a number, of a template at a revision.
pub fn new_pod(set: &Value, template: &Value, revision: &str, ordinal: i64) -> Value {
    let mut pod = pods::from_template(&STATEFUL_SET, set, template);
    let name = format!("{}-{ordinal}", object::name(set));
    pod["metadata"]["name"] = json!(name);
    identify(&mut pod, ordinal);
    pod["metadata"]["labels"][REVISION_LABEL] = json!(revision);
    pod["spec"]["hostname"] = json!(name);
    if let Some(service) = set["spec"]["serviceName"]
        .as_str()
        .filter(|name| !name.is_empty())
    {
        pod["spec"]["subdomain"] = json!(service);
    }
    let mut volumes: Vec<Value> = claim_templates(set)
        .map(|template| {
            let claim = claim_name(set, template, ordinal);
            json!({"name": object::name(template), "persistentVolumeClaim": {"claimName": claim}})
        })
        .collect();
    let own = template["spec"]["volumes"].as_array().into_iter().flatten();
    let is_claimed = |volume: &Value| claim_templates(set).any(|t| object::name(t) == volume["name"]);
    volumes.extend(own.filter(|volume| !is_claimed(volume)).cloned());
    if !volumes.is_empty() {
        pod["spec"]["volumes"] = Value::Array(volumes);
    }
    pod
}

/// Whether a pod carries the labels that say who it is.
pub fn is_identified(pod: &Value) -> bool {
    object::label(pod, NAME_LABEL) == Some(object::name(pod))
}

/// Gives a pod the labels that say who it is.
pub fn identify(pod: &mut Value, ordinal: i64) {
    pod["metadata"]["labels"][NAME_LABEL] = pod["metadata"]["name"].clone();
    pod["metadata"]["labels"][INDEX_LABEL] = json!(ordinal.to_string());
}
