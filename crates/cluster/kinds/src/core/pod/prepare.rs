//! What a write may not say about a pod, and what the server says itself (`pkg/registry/core/pod/strategy.go`,
//! `pkg/api/pod/util.go`).

use serde_json::{Value, json};

use crate::cursor::{Field, is_zero, same};
use crate::edit::Edit;
use crate::resources;
use crate::{metadata, names};

/// Before a create.
pub fn create(pod: &mut Value) {
    metadata::first_generation(pod);
    let class = qos_class(&Field::root(pod).get("spec")).to_owned();
    pod.set("status", json!({"phase": "Pending", "qosClass": class}));
    drop_disabled(pod.ensure("spec"), None);
    gated_condition(pod);
    merge_label_keys(pod);
    app_armor_fields(pod);
}

/// Before an update: status stays, the generation counts changes of the spec.
pub fn update(new: &mut Value, old: &Value) {
    new.keep("status", old);
    drop_disabled(new.ensure("spec"), old.get("spec"));
    metadata::bump_generation(new, old);
}

/// Before a status update: all but status stays, and some of that too.
pub fn status(new: &mut Value, old: &Value) {
    new.keep("spec", old);
    let meta = new.ensure("metadata");
    meta.unset("deletionTimestamp");
    if let Some(old) = old.get("metadata") {
        meta.keep("ownerReferences", old);
    }
    let empty = Value::Null;
    let old_status = old.get("status").unwrap_or(&empty);
    let status = new.ensure("status");
    for name in ["qosClass", "observedGeneration"] {
        if let Some(value) = old_status.get(name) {
            status.default_zero(name, value.clone());
        }
    }
    keep_condition_generations(status, old_status);
    for name in [
        "initContainerStatuses",
        "containerStatuses",
        "ephemeralContainerStatuses",
    ] {
        for container in status.each(name) {
            container.unset("allocatedResourcesStatus");
        }
    }
    if old_status
        .get("extendedResourceClaimStatus")
        .is_none_or(Value::is_null)
    {
        status.unset("extendedResourceClaimStatus");
    }
}

/// Before an update of `ephemeralcontainers`: nothing else changes.
pub fn ephemeral_containers(new: &mut Value, old: &Value) {
    let containers = new.descend(&["spec", "ephemeralContainers"]).cloned();
    new.keep("spec", old);
    new.keep("status", old);
    if let Some(spec) = new.child("spec") {
        match containers {
            Some(containers) => spec.set("ephemeralContainers", containers),
            None => spec.unset("ephemeralContainers"),
        }
        drop_disabled(spec, old.get("spec"));
    }
    metadata::keep_for_status(new, old);
    metadata::bump_generation(new, old);
}

/// Before an update of `resize`: only the resources of containers change.
pub fn resize(new: &mut Value, old: &Value) {
    let (new_root, old_root) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    let same_count = |name| new_root.get(name).len() == old_root.get(name).len();
    if same_count("containers") && same_count("initContainers") {
        let mut spec = old.get("spec").cloned().unwrap_or_default();
        for name in ["containers", "initContainers"] {
            if let Some(merged) = with_new_resources(&new_root.get(name), &old_root.get(name)) {
                spec.set(name, merged);
            }
        }
        new.set("spec", spec);
        new.keep("status", old);
        metadata::keep_for_status(new, old);
    }
    drop_disabled(new.ensure("spec"), old.get("spec"));
    metadata::bump_generation(new, old);
}

/// The old containers with the new ones' resources; the new ones as they are if they are others.
fn with_new_resources(new: &Field<'_>, old: &Field<'_>) -> Option<Value> {
    let mut merged = old.value()?.clone();
    for (new, merged) in new.list().zip(merged.as_array_mut()?) {
        if Field::root(merged).get("name").str() != new.get("name").str() {
            break;
        }
        let new = new.value()?;
        merged.keep("resources", new);
        merged.keep("resizePolicy", new);
    }
    let renamed = new
        .list()
        .zip(old.list())
        .any(|(new, old)| new.get("name").str() != old.get("name").str());
    if renamed {
        new.value().cloned()
    } else {
        Some(merged)
    }
}

/// How the kernel and the kubelet rank the pod when memory runs out (`pkg/apis/core/helper/qos`).
pub fn qos_class(spec: &Field<'_>) -> &'static str {
    let whole = spec.get("resources");
    let holders: Vec<Field<'_>> = if whole.exists() {
        vec![whole]
    } else {
        spec.items("containers")
            .chain(spec.items("initContainers"))
            .map(|c| c.get("resources"))
            .collect()
    };
    let (mut requests, mut limits) = (resources::Amounts::new(), resources::Amounts::new());
    let mut guaranteed = true;
    let compute = |holder: &Field<'_>, which| {
        let mut amounts = resources::amounts(&holder.get(which));
        amounts.retain(|name, amount| matches!(name.as_str(), "cpu" | "memory") && amount.sign() > 0);
        amounts
    };
    for holder in &holders {
        resources::add(&mut requests, &compute(holder, "requests"));
        let own = compute(holder, "limits");
        // A pod as a whole that has no limits at all is not yet burstable for that.
        if own.len() < 2 && !(spec.get("resources").exists() && holder.get("limits").is_empty()) {
            guaranteed = false;
        }
        resources::add(&mut limits, &own);
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal = requests
        .iter()
        .all(|(name, amount)| limits.get(name) == Some(amount));
    if guaranteed && equal && requests.len() == limits.len() {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Takes out fields of features that are off by default, unless the old object has them.
pub fn drop_disabled(spec: &mut Value, old: Option<&Value>) {
    let empty = Value::Null;
    let old = Field::root(old.unwrap_or(&empty));
    if !restart_rules_in_use(&old) {
        drop_restart_rules(spec);
    }
    if !old.get("hostnameOverride").exists() {
        spec.unset("hostnameOverride");
    }
    let uses = |test: fn(&Field<'_>) -> bool| super::containers(&old).any(|container| test(&container));
    let file_keys = uses(|container| {
        container
            .items("env")
            .any(|variable| variable.get("valueFrom").get("fileKeyRef").exists())
    });
    let stop_signals = uses(|container| container.get("lifecycle").get("stopSignal").exists());
    for name in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.each(name) {
            if !file_keys {
                for variable in container.each("env") {
                    if let Some(source) = variable.child("valueFrom") {
                        source.unset("fileKeyRef");
                    }
                }
            }
            if !stop_signals && let Some(lifecycle) = container.child("lifecycle") {
                let had = lifecycle.child("stopSignal").is_some();
                lifecycle.unset("stopSignal");
                if had && is_zero(lifecycle) {
                    container.unset("lifecycle");
                }
            }
        }
    }
    drop_projections(spec, &old);
    if !old.items("volumes").any(|volume| volume.get("image").exists()) {
        drop_image_volumes(spec);
    }
}

fn restart_rules_in_use(old: &Field<'_>) -> bool {
    let init = old.items("initContainers").any(|container| {
        let policy = container.get("restartPolicy");
        (policy.exists() && policy.str() != "Always") || !container.get("restartPolicyRules").is_empty()
    });
    let others = || old.items("containers").chain(old.items("ephemeralContainers"));
    init || others().any(|c| c.get("restartPolicy").exists() || !c.get("restartPolicyRules").is_empty())
}

fn drop_restart_rules(spec: &mut Value) {
    for container in spec.each("initContainers") {
        if Field::root(container).get("restartPolicy").str() != "Always" {
            container.unset("restartPolicy");
        }
        container.unset("restartPolicyRules");
    }
    for name in ["containers", "ephemeralContainers"] {
        for container in spec.each(name) {
            container.unset("restartPolicy");
            container.unset("restartPolicyRules");
        }
    }
}

fn drop_projections(spec: &mut Value, old: &Field<'_>) {
    for name in ["clusterTrustBundle", "podCertificate"] {
        let in_use = old.items("volumes").any(|volume| {
            volume
                .get("projected")
                .items("sources")
                .any(|source| source.get(name).exists())
        });
        if in_use {
            continue;
        }
        for volume in spec.each("volumes") {
            if let Some(projected) = volume.child("projected") {
                projected.each("sources").for_each(|source| source.unset(name));
            }
        }
    }
}

fn drop_image_volumes(spec: &mut Value) {
    let is_image = |volume: &Value| Field::root(volume).get("image").exists();
    let name_of = |item: &Value| Field::root(item).get("name").str().to_owned();
    let dropped: Vec<String> = spec
        .each("volumes")
        .filter(|volume| is_image(volume))
        .map(|v| name_of(v))
        .collect();
    if dropped.is_empty() {
        return;
    }
    let retain = |holder: &mut Value, field: &str, keep: &dyn Fn(&Value) -> bool| {
        if let Some(items) = holder.child(field).and_then(Value::as_array_mut) {
            items.retain(|item| keep(item));
            if items.is_empty() {
                holder.unset(field);
            }
        }
    };
    retain(spec, "volumes", &|volume| !is_image(volume));
    for name in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.each(name) {
            retain(container, "volumeMounts", &|mount| {
                !dropped.contains(&name_of(mount))
            });
        }
    }
}

/// A pod with gates says from the start why it is not scheduled.
fn gated_condition(pod: &mut Value) {
    if Field::root(pod).get("spec").get("schedulingGates").is_empty() {
        return;
    }
    // Upstream takes the time again; the pod was made in this very moment.
    let now = Field::root(pod)
        .get("metadata")
        .get("creationTimestamp")
        .value()
        .cloned()
        .unwrap_or_default();
    let condition = json!([{
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
        "lastProbeTime": null,
        "lastTransitionTime": now,
    }]);
    pod.ensure("status").set("conditions", condition);
}

/// `matchLabelKeys` and `mismatchLabelKeys` become requirements with the pod's own values.
fn merge_label_keys(pod: &mut Value) {
    let labels = Field::root(pod)
        .get("metadata")
        .get("labels")
        .value()
        .cloned()
        .unwrap_or_default();
    let Some(spec) = pod.child("spec") else { return };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = spec.descend(&["affinity", kind]) else {
            continue;
        };
        for term in affinity.each("preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = term.child("podAffinityTerm") {
                merge_keys(term, &labels);
            }
        }
        for term in affinity.each("requiredDuringSchedulingIgnoredDuringExecution") {
            merge_keys(term, &labels);
        }
    }
    for constraint in spec.each("topologySpreadConstraints") {
        merge_keys(constraint, &labels);
    }
}

fn merge_keys(term: &mut Value, labels: &Value) {
    let root = Field::root(term);
    if !root.get("labelSelector").exists() {
        return;
    }
    let mut requirements = Vec::new();
    for (list, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in root.get(list).strings() {
            if let Some(value) = labels.get(key) {
                requirements.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    if requirements.is_empty() {
        return;
    }
    let selector = term.ensure("labelSelector");
    match selector.child("matchExpressions").and_then(Value::as_array_mut) {
        Some(expressions) => expressions.extend(requirements),
        None => selector.set("matchExpressions", requirements),
    }
}

/// AppArmor annotations of old manifests become fields (KEP-24, version skew).
fn app_armor_fields(pod: &mut Value) {
    let root = Field::root(pod);
    if root.get("spec").get("os").get("name").str() == "windows" {
        return;
    }
    let annotations = root
        .get("metadata")
        .get("annotations")
        .value()
        .cloned()
        .unwrap_or_default();
    let Some(spec) = pod.child("spec") else { return };
    let whole = Field::root(spec)
        .get("securityContext")
        .get("appArmorProfile")
        .value()
        .cloned();
    for name in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.each(name) {
            let root = Field::root(container);
            let key = format!(
                "{}{}",
                super::annotations::APP_ARMOR_PREFIX,
                root.get("name").str()
            );
            let has_field = root.get("securityContext").get("appArmorProfile").exists();
            let Some(annotation) = annotations
                .get(&key)
                .and_then(Value::as_str)
                .filter(|_| !has_field)
            else {
                continue;
            };
            if let Some(profile) = super::annotations::app_armor_profile(annotation)
                && !same(Some(&profile), whole.as_ref())
            {
                container
                    .ensure("securityContext")
                    .set("appArmorProfile", profile);
            }
        }
    }
}

/// A writer that does not know `observedGeneration` of conditions does not clear it.
fn keep_condition_generations(status: &mut Value, old: &Value) {
    let old = Field::root(old);
    let mut known: Vec<(&str, i64)> = old
        .items("conditions")
        .map(|condition| {
            (
                condition.get("type").str(),
                condition.get("observedGeneration").int(),
            )
        })
        .collect();
    for condition in status.each("conditions") {
        let kind = Field::root(condition).get("type").str().to_owned();
        let Some(position) = known.iter().position(|(known, _)| *known == kind) else {
            continue;
        };
        let (_, generation) = known.remove(position);
        if generation != 0 {
            condition.default_zero("observedGeneration", generation);
        }
    }
}

/// Warnings of a create that come before all others: the name, and AppArmor annotations.
pub fn name_warning(pod: &Field<'_>) -> Option<String> {
    let texts = names::dns_label(pod.get("metadata").get("name").str());
    (!texts.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is \
             recommended: [{}]",
            texts.join(" ")
        )
    })
}
