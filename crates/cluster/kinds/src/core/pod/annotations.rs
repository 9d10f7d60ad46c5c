//! Annotations of pods that mean something, most of them from before there were fields
//! (`pkg/apis/core/validation ValidatePodSpecificAnnotations`, `pkg/api/pod/util.go`).

use serde_json::{Value, json};

use super::Options;
use super::paths::local_descending;
use crate::cursor::{Field, Findings};

/// Annotations `PREFIX/CONTAINER` with an AppArmor profile.
pub const APP_ARMOR_PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The kubelet's mark on the API's copy of a pod that it has from a file.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
/// The seccomp profile of a pod.
pub const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The seccomp profile of a container.
pub const SECCOMP_PREFIX: &str = "container.seccomp.security.alpha.kubernetes.io/";

const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The AppArmor field that an annotation stands for.
pub fn app_armor_profile(annotation: &str) -> Option<Value> {
    match annotation {
        "unconfined" => Some(json!({"type": "Unconfined"})),
        "runtime/default" => Some(json!({"type": "RuntimeDefault"})),
        _ => {
            let name = annotation
                .strip_prefix("localhost/")
                .filter(|name| !name.is_empty())?;
            Some(json!({"type": "Localhost", "localhostProfile": name}))
        }
    }
}

/// Checks the annotations of a pod or template with the given spec.
pub fn validate(annotations: &Field<'_>, spec: &Field<'_>, options: &Options, out: &mut Findings) {
    let mirror = annotations.key(MIRROR);
    if mirror.exists() && spec.get("nodeName").is_empty() {
        out.push(mirror.invalid("must set spec.nodeName if mirror pod annotation is set"));
    }
    let tolerations = annotations.key(TOLERATIONS);
    if !tolerations.is_empty() {
        validate_tolerations(annotations, tolerations.str(), out);
    }
    let cost = annotations.key(DELETION_COST);
    if !options.allow_invalid_deletion_cost && has_invalid_deletion_cost(annotations) {
        out.push(cost.invalid("must be a 32bit integer"));
    }
    validate_seccomp(annotations, out);
    for (key, profile) in annotations.entries() {
        let Some(container) = key.strip_prefix(APP_ARMOR_PREFIX) else {
            continue;
        };
        if !super::containers(spec).any(|c| c.get("name").str() == container) {
            out.push(profile.invalid_value(container, "container not found"));
        }
        let text = profile.str();
        if !matches!(text, "" | "runtime/default" | "unconfined") && !text.starts_with("localhost/") {
            let quoted = crate::field::go_quote(text);
            out.push(profile.invalid(format!("invalid AppArmor profile name: {quoted}")));
        }
    }
}

/// Whether the cost of deletion is no 32 bit integer.
pub fn has_invalid_deletion_cost(annotations: &Field<'_>) -> bool {
    let cost = annotations.key(DELETION_COST);
    let text = cost.str();
    // Neither a plus nor leading zeros.
    let starts_well = text == "0" || text.starts_with(|c: char| c == '-' || ('1'..='9').contains(&c));
    cost.exists() && (!starts_well || text.parse::<i32>().is_err())
}

fn validate_tolerations(annotations: &Field<'_>, text: &str, out: &mut Findings) {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(items)) => {
            let list = Value::Array(items);
            let place = annotations.named(TOLERATIONS);
            let mut found = Vec::new();
            super::scheduling::tolerations(&Field::root(&list), &mut found);
            for mut finding in found {
                finding.path = format!("{}{}", place.path(), finding.path);
                out.push(finding);
            }
        }
        Ok(Value::Null) => {}
        Ok(_) => {
            let detail = "json: cannot unmarshal value into Go value of type []core.Toleration";
            out.push(annotations.invalid_value(TOLERATIONS, detail));
        }
        Err(error) => out.push(annotations.invalid_value(TOLERATIONS, error.to_string())),
    }
}

fn validate_seccomp(annotations: &Field<'_>, out: &mut Findings) {
    let pod = annotations.named(SECCOMP_POD);
    if pod.exists() {
        seccomp_profile(&pod, out);
    }
    for (key, _) in annotations.entries() {
        if key.starts_with(SECCOMP_PREFIX) {
            seccomp_profile(&annotations.named(key), out);
        }
    }
}

fn seccomp_profile(profile: &Field<'_>, out: &mut Findings) {
    match profile.str() {
        "runtime/default" | "docker/default" | "unconfined" => {}
        text => match text.strip_prefix("localhost/") {
            Some(path) => local_descending(profile, path, out),
            None => out.push(profile.invalid("must be a valid seccomp profile")),
        },
    }
}

/// Where a seccomp field and its annotation are both there, they must say the same.
pub fn seccomp_matches(meta: &Field<'_>, spec: &Field<'_>, out: &mut Findings) {
    let annotations = meta.get("annotations");
    let pod = spec.get("securityContext").get("seccompProfile");
    if let Some(annotation) = annotations.key(SECCOMP_POD).opt_str() {
        seccomp_match(annotation, &pod, out);
    }
    for container in super::containers(spec) {
        let key = format!("{SECCOMP_PREFIX}{}", container.get("name").str());
        if let Some(annotation) = annotations.key(&key).opt_str() {
            seccomp_match(
                annotation,
                &container.get("securityContext").get("seccompProfile"),
                out,
            );
        }
    }
}

fn seccomp_match(annotation: &str, profile: &Field<'_>, out: &mut Findings) {
    let r#type = profile.get("type");
    let matches = match r#type.str() {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => matches!(annotation, "runtime/default" | "docker/default"),
        "Localhost" => annotation.starts_with("localhost/"),
        _ => true,
    };
    let local = profile.get("localhostProfile");
    if !matches {
        out.push(r#type.forbidden("seccomp type in annotation and field must match"));
    } else if r#type.str() == "Localhost" && annotation.strip_prefix("localhost/") != local.opt_str() {
        out.push(local.forbidden("seccomp profile in annotation and field must match"));
    }
}

/// Where an AppArmor field and its annotation are both there, they must say the same.
pub fn app_armor_matches(meta: &Field<'_>, spec: &Field<'_>, out: &mut Findings) {
    if spec.get("os").get("name").str() == "windows" {
        return;
    }
    let whole = spec.get("securityContext").get("appArmorProfile");
    for container in super::containers(spec) {
        let own = container.get("securityContext").get("appArmorProfile");
        let profile = if own.exists() {
            own.clone()
        } else {
            own.with(whole.value())
        };
        let key = format!("{APP_ARMOR_PREFIX}{}", container.get("name").str());
        let annotations = meta.get("annotations");
        let Some(annotation) = annotations.key(&key).opt_str().filter(|_| profile.exists()) else {
            continue;
        };
        let (r#type, local) = (profile.get("type"), profile.get("localhostProfile"));
        let matches = match r#type.str() {
            "Unconfined" => annotation == "unconfined",
            "RuntimeDefault" => annotation == "runtime/default",
            "Localhost" => annotation.starts_with("localhost/"),
            _ => true,
        };
        if !matches {
            out.push(r#type.forbidden("apparmor type in annotation and field must match"));
        } else if r#type.str() == "Localhost" && annotation.strip_prefix("localhost/") != local.opt_str() {
            out.push(local.forbidden("apparmor profile in annotation and field must match"));
        }
    }
}

/// Checks what an update does to annotations that may not change, then all of them.
pub fn validate_update(
    new: &Field<'_>,
    old: &Field<'_>,
    spec: &Field<'_>,
    options: &Options,
    out: &mut Findings,
) {
    for (key, value) in old.entries() {
        let place = new.key(key);
        if place.opt_str() == value.opt_str() {
            continue;
        }
        if key.starts_with(APP_ARMOR_PREFIX) {
            out.push(place.forbidden("may not remove or update AppArmor annotations"));
        }
        if key == MIRROR {
            out.push(place.forbidden("may not remove or update mirror pod annotation"));
        }
    }
    for (key, place) in new.entries() {
        if old.key(key).exists() {
            continue;
        }
        if key.starts_with(APP_ARMOR_PREFIX) {
            out.push(place.forbidden("may not add AppArmor annotations"));
        }
        if key == MIRROR {
            out.push(place.forbidden("may not add mirror pod annotation"));
        }
    }
    validate(new, spec, options, out);
}
