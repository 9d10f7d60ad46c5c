//! What the server writes into an object about him who creates it
//! (`pkg/registry/certificates/certificates/strategy.go PrepareForCreate`).

use serde_json::{Map, Value};

use super::Call;
use crate::identifiers;

const REQUESTS: &str = "certificates.k8s.io/certificatesigningrequests";

/// Decisions on a request for a certificate that come without a time are of now (`populateConditionTimestamps`); the rules
/// of the kind have kept what was known.
pub(crate) fn stamp(call: &Call<'_>, new: &mut Value) {
    if &*call.scope.storage != REQUESTS || call.scope.subresource.is_none() {
        return;
    }
    let now = identifiers::now();
    let conditions = new["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        for field in ["lastUpdateTime", "lastTransitionTime"] {
            if condition[field].is_null() {
                condition[field] = now.as_str().into();
            }
        }
    }
}

/// A request for a certificate says who asked: whoever signs it relies on that.
pub(crate) fn sign(call: &Call<'_>, new: &mut Value) {
    if &*call.scope.storage != REQUESTS {
        return;
    }
    let user = call.user;
    if !new["spec"].is_object() {
        new["spec"] = Value::Object(Map::new());
    }
    let Some(spec) = new["spec"].as_object_mut() else {
        return;
    };
    for field in ["username", "uid", "groups", "extra"] {
        spec.remove(field);
    }
    spec.insert("username".into(), user.name.as_str().into());
    if !user.uid.is_empty() {
        spec.insert("uid".into(), user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        spec.insert("groups".into(), user.groups.clone().into());
    }
    if !user.extra.is_empty() {
        let extra = user
            .extra
            .iter()
            .map(|(key, values)| (key.clone(), Value::from(values.clone())));
        spec.insert("extra".into(), Value::Object(extra.collect()));
    }
    new["status"] = Value::Object(Map::new());
}
