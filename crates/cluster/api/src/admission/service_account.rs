//! Pods run as a service account and find its token (`plugin/pkg/admission/serviceaccount`).

use std::time::Duration;

use serde_json::{Value, json};

use super::objects::Objects;
use super::world::World;
use super::{AdmissionRequest, Operation, items, list_mut, text};
use crate::identifiers;
use crate::status::{About, StatusError};

const DEFAULT_ACCOUNT: &str = "default";
const MIRROR: &str = "kubernetes.io/config.mirror";
const ENFORCE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
const VOLUME_PREFIX: &str = "kube-api-access-";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The kubelet gets another token long before; this number asks for one that lives longer, see `identity::reviews`.
const TOKEN_SECONDS: u32 = 3607;

/// Gives a pod its service account, the volume with its token, and the secrets to pull its images.
pub(super) async fn admit(
    world: &dyn World,
    patience: Duration,
    request: &mut AdmissionRequest<'_>,
) -> Result<(), StatusError> {
    if !request.creates("pods") || is_mirror(request.object) {
        return Ok(());
    }
    let spec = &mut request.object["spec"];
    if text(&spec["serviceAccountName"]).is_empty() {
        spec["serviceAccountName"] = DEFAULT_ACCOUNT.into();
        // The old name of the field follows, as the conversion to v1 has it.
        spec["serviceAccount"] = DEFAULT_ACCOUNT.into();
    }
    let name = text(&spec["serviceAccountName"]).to_owned();
    let mut account = world.objects().get("/serviceaccounts", request.namespace, &name);
    if account.is_none() && name == DEFAULT_ACCOUNT && !patience.is_zero() {
        account = world
            .appears("/serviceaccounts", request.namespace, &name, patience)
            .await;
    }
    let account = account.ok_or_else(|| unknown(request, &name))?;
    let spec = &mut request.object["spec"];
    let wish = spec["automountServiceAccountToken"].as_bool();
    if wish
        .or(account["automountServiceAccountToken"].as_bool())
        .unwrap_or(true)
    {
        mount_token(spec);
    }
    if items(&spec["imagePullSecrets"]).next().is_none() {
        let secrets: Vec<Value> = items(&account["imagePullSecrets"])
            .map(|secret| json!({"name": secret["name"]}))
            .collect();
        if !secrets.is_empty() {
            spec["imagePullSecrets"] = secrets.into();
        }
    }
    Ok(())
}

/// The account must be there, and some accounts name the secrets that their pods may use.
pub(super) fn validate(objects: &dyn Objects, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    let ephemeral = request.operation == Operation::Update
        && request.group.is_empty()
        && request.resource == "pods"
        && request.subresource == "ephemeralcontainers";
    if !request.creates("pods") && !ephemeral {
        return Ok(());
    }
    let pod = &*request.object;
    let name = text(&pod["spec"]["serviceAccountName"]);
    if is_mirror(pod) && !ephemeral {
        return check_mirror(request, name);
    }
    if name.is_empty() {
        let pod_name = text(&pod["metadata"]["name"]);
        return Err(request.forbidden(&format!(
            "no service account specified for pod {}/{pod_name}",
            request.namespace
        )));
    }
    let account = objects.get("/serviceaccounts", request.namespace, name);
    let account = account.ok_or_else(|| unknown(request, name))?;
    let enforce = text(&account["metadata"]["annotations"][ENFORCE_SECRETS]);
    // strconv.ParseBool
    if !["1", "t", "T", "TRUE", "true", "True"].contains(&enforce) {
        return Ok(());
    }
    let stray = if ephemeral {
        stray_in_ephemeral(pod, &account)
    } else {
        stray_secret(pod, &account)
    };
    stray.map_or(Ok(()), |why| Err(request.forbidden(&why)))
}

fn unknown(request: &AdmissionRequest<'_>, name: &str) -> StatusError {
    let missing = StatusError::not_found(About::new("", "serviceaccount"), name);
    request.forbidden(&format!(
        "error looking up service account {}/{name}: {}",
        request.namespace, missing.message
    ))
}

fn is_mirror(pod: &Value) -> bool {
    !pod["metadata"]["annotations"][MIRROR].is_null()
}

/// A pod that a kubelet has from a file knows nothing of the API.
fn check_mirror(request: &AdmissionRequest<'_>, account: &str) -> Result<(), StatusError> {
    let pod = &*request.object;
    let mut sources =
        items(&pod["spec"]["volumes"]).flat_map(|volume| items(&volume["projected"]["sources"]));
    let why = if !account.is_empty() {
        "a mirror pod may not reference service accounts"
    } else if references_secrets(pod) {
        "a mirror pod may not reference secrets"
    } else if sources.any(|source| !source["serviceAccountToken"].is_null()) {
        "a mirror pod may not use ServiceAccountToken volume projections"
    } else {
        return Ok(());
    };
    Err(request.forbidden(why))
}

fn references_secrets(pod: &Value) -> bool {
    let spec = &pod["spec"];
    let in_volume = |volume: &Value| {
        !volume["secret"].is_null()
            || items(&volume["projected"]["sources"]).any(|source| !source["secret"].is_null())
    };
    items(&spec["imagePullSecrets"]).next().is_some()
        || items(&spec["volumes"]).any(in_volume)
        || ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .any(|field| items(&spec[*field]).any(|container| secrets_of(container).next().is_some()))
}

/// The secrets that a container's environment names, with the variable, or none for `envFrom`.
fn secrets_of(container: &Value) -> impl Iterator<Item = (Option<&str>, &str)> {
    let one = items(&container["env"]).filter_map(|variable| {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        reference
            .is_object()
            .then(|| (Some(text(&variable["name"])), text(&reference["name"])))
    });
    let all = items(&container["envFrom"]).filter_map(|source| {
        let reference = &source["secretRef"];
        reference.is_object().then(|| (None, text(&reference["name"])))
    });
    one.chain(all)
}

fn stray_secret(pod: &Value, account: &Value) -> Option<String> {
    let name = text(&account["metadata"]["name"]);
    let listed = |field: &str, secret: &str| items(&account[field]).any(|own| text(&own["name"]) == secret);
    let ending = format!("is not allowed because service account {name} does not reference that secret");
    for volume in items(&pod["spec"]["volumes"]).filter(|volume| volume["secret"].is_object()) {
        let secret = text(&volume["secret"]["secretName"]);
        if !listed("secrets", secret) {
            return Some(format!("volume with secret.secretName=\"{secret}\" {ending}"));
        }
    }
    let stray = stray_in_containers(pod, account, "initContainers", "init container")
        .or_else(|| stray_in_containers(pod, account, "containers", "container"));
    if stray.is_some() {
        return stray;
    }
    for (place, secret) in items(&pod["spec"]["imagePullSecrets"]).enumerate() {
        let secret = text(&secret["name"]);
        if !listed("imagePullSecrets", secret) {
            return Some(format!(
                "imagePullSecrets[{place}].name=\"{secret}\" is not allowed because service account {name} does not reference that imagePullSecret"
            ));
        }
    }
    None
}

fn stray_in_ephemeral(pod: &Value, account: &Value) -> Option<String> {
    stray_in_containers(pod, account, "ephemeralContainers", "ephemeral container")
}

fn stray_in_containers(pod: &Value, account: &Value, field: &str, title: &str) -> Option<String> {
    let name = text(&account["metadata"]["name"]);
    for container in items(&pod["spec"][field]) {
        for (variable, secret) in secrets_of(container) {
            if !items(&account["secrets"]).any(|own| text(&own["name"]) == secret) {
                let place =
                    variable.map_or_else(|| "envFrom".to_owned(), |variable| format!("envVar {variable}"));
                return Some(format!(
                    "{title} {} with {place} referencing secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret",
                    text(&container["name"])
                ));
            }
        }
    }
    None
}

/// Mounts the token into every container that mounts nothing at its place.
fn mount_token(spec: &mut Value) {
    let existing = items(&spec["volumes"])
        .map(|volume| text(&volume["name"]))
        .find(|name| name.starts_with(VOLUME_PREFIX))
        .map(str::to_owned);
    let volume = existing
        .clone()
        .unwrap_or_else(|| identifiers::generated_name(VOLUME_PREFIX));
    let mut mounted = false;
    for field in ["initContainers", "containers"] {
        for container in spec[field].as_array_mut().into_iter().flatten() {
            if items(&container["volumeMounts"]).any(|mount| text(&mount["mountPath"]) == MOUNT_PATH) {
                continue;
            }
            let mount = json!({"name": volume, "readOnly": true, "mountPath": MOUNT_PATH});
            list_mut(container, "volumeMounts").push(mount);
            mounted = true;
        }
    }
    if mounted && existing.is_none() {
        list_mut(spec, "volumes").push(json!({"name": volume, "projected": token_source()}));
    }
}

/// The token, the authority's certificate and the namespace.
fn token_source() -> Value {
    json!({
        "defaultMode": 0o644,
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
            ]}},
        ],
    })
}
