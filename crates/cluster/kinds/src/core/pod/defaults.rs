//! What upstream fills into pods and pod templates (`pkg/apis/core/v1/{defaults,conversion}.go`).

use serde_json::{Map, Value, json};

use super::image;
use crate::cursor::Field;
use crate::edit::Edit;
use crate::resources::{self, Amounts};

/// Annotations of the time when init containers were an annotation; dropped from every pod.
const INIT_CONTAINER_ANNOTATIONS: [&str; 4] = [
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-container-statuses",
    "pod.beta.kubernetes.io/init-containers",
    "pod.alpha.kubernetes.io/init-containers",
];

/// The kinds of containers of a pod, in the order in which upstream visits them.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Fills in a pod.
pub fn pod(pod: &mut Value) {
    let spec = pod.ensure("spec");
    requests_from_limits(spec);
    pod_level_resources(spec);
    spec.default_to("enableServiceLinks", true);
    if Field::root(spec).get("hostNetwork").bool() {
        host_ports(spec);
    }
    pod_spec(spec);
    // Only pods: a template keeps what it says (conversion.go Convert_v1_Pod_To_core_Pod).
    if Field::root(spec).get("terminationGracePeriodSeconds").int() < 0 {
        spec.set("terminationGracePeriodSeconds", 1);
    }
    if let Some(annotations) = pod.descend(&["metadata", "annotations"]) {
        INIT_CONTAINER_ANNOTATIONS
            .iter()
            .for_each(|name| annotations.unset(name));
    }
    status(pod.ensure("status"));
}

/// Fills in a pod template.
pub fn template(template: &mut Value) {
    template.ensure("metadata");
    if let Some(annotations) = template.descend(&["metadata", "annotations"]) {
        INIT_CONTAINER_ANNOTATIONS
            .iter()
            .for_each(|name| annotations.unset(name));
    }
    pod_spec(template.ensure("spec"));
}

/// Fills in what pods and templates have in common.
fn pod_spec(spec: &mut Value) {
    spec.default_zero("dnsPolicy", "ClusterFirst");
    spec.default_zero("restartPolicy", "Always");
    spec.default_to("securityContext", Map::new());
    spec.default_to("terminationGracePeriodSeconds", 30);
    spec.default_zero("schedulerName", "default-scheduler");
    for volume in spec.each("volumes") {
        self::volume(volume);
    }
    for name in CONTAINERS {
        for container in spec.each(name) {
            self::container(container);
        }
    }
    round(spec.child("overhead"));
    if let Some(resources) = spec.child("resources") {
        round(resources.child("limits"));
        round(resources.child("requests"));
    }
    // The two names of the service account are one field inside (conversion.go).
    let account = Field::root(spec);
    let name = [
        account.get("serviceAccountName").str(),
        account.get("serviceAccount").str(),
    ];
    let name = name.into_iter().find(|name| !name.is_empty()).map(str::to_owned);
    for field in ["serviceAccountName", "serviceAccount"] {
        match &name {
            Some(name) => spec.set(field, name.as_str()),
            None => spec.unset(field),
        }
    }
}

fn container(container: &mut Value) {
    let policy = match image::is_latest(Field::root(container).get("image").str()) {
        true => "Always",
        false => "IfNotPresent",
    };
    container.default_zero("imagePullPolicy", policy);
    container.default_zero("terminationMessagePath", "/dev/termination-log");
    container.default_zero("terminationMessagePolicy", "File");
    for port in container.each("ports") {
        port.default_zero("protocol", "TCP");
    }
    for variable in container.each("env") {
        if let Some(source) = variable.descend(&["valueFrom", "fieldRef"]) {
            source.default_zero("apiVersion", "v1");
        }
        if let Some(source) = variable.descend(&["valueFrom", "fileKeyRef"]) {
            source.default_to("optional", false);
        }
    }
    let resources = container.ensure("resources");
    round(resources.child("limits"));
    round(resources.child("requests"));
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.child(name) {
            self::probe(probe);
        }
    }
    for name in ["postStart", "preStop"] {
        if let Some(action) = container.descend(&["lifecycle", name, "httpGet"]) {
            http_get(action);
        }
    }
}

fn probe(probe: &mut Value) {
    probe.default_zero("timeoutSeconds", 1);
    probe.default_zero("periodSeconds", 10);
    probe.default_zero("successThreshold", 1);
    probe.default_zero("failureThreshold", 3);
    if let Some(action) = probe.child("httpGet") {
        http_get(action);
    }
    if let Some(action) = probe.child("grpc") {
        action.default_to("service", "");
    }
}

fn http_get(action: &mut Value) {
    action.default_zero("path", "/");
    action.default_zero("scheme", "HTTP");
}

fn volume(volume: &mut Value) {
    let has_source = volume.as_object().is_some_and(|volume| {
        volume
            .iter()
            .any(|(name, value)| name != "name" && !value.is_null())
    });
    if !has_source {
        volume.set("emptyDir", Map::new());
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.child(name) {
            // 0644
            source.default_to("defaultMode", 420);
        }
    }
    if let Some(source) = volume.child("hostPath") {
        source.default_to("type", "");
    }
    if let Some(source) = volume.child("image") {
        let latest = image::is_latest(Field::root(source).get("reference").str());
        source.default_zero("pullPolicy", if latest { "Always" } else { "IfNotPresent" });
    }
    if let Some(source) = volume.child("iscsi") {
        source.default_zero("iscsiInterface", "default");
    }
    if let Some(source) = volume.child("rbd") {
        source.default_zero("pool", "rbd");
        source.default_zero("user", "admin");
        source.default_zero("keyring", "/etc/ceph/keyring");
    }
    if let Some(source) = volume.child("azureDisk") {
        source.default_to("cachingMode", "ReadWrite");
        source.default_to("fsType", "ext4");
        source.default_to("readOnly", false);
        source.default_to("kind", "Shared");
    }
    if let Some(source) = volume.child("scaleIO") {
        source.default_zero("storageMode", "ThinProvisioned");
        source.default_zero("fsType", "xfs");
    }
    if let Some(source) = volume.child("downwardAPI") {
        downward_api(source);
    }
    if let Some(source) = volume.child("projected") {
        for source in source.each("sources") {
            if let Some(source) = source.child("downwardAPI") {
                downward_api(source);
            }
            if let Some(token) = source.child("serviceAccountToken") {
                token.default_to("expirationSeconds", 3600);
            }
        }
    }
    if let Some(spec) = volume.descend(&["ephemeral", "volumeClaimTemplate", "spec"]) {
        claim_spec(spec);
    }
}

/// Fills in the spec of a claim, of a PersistentVolumeClaim or in a template.
pub fn claim_spec(spec: &mut Value) {
    spec.default_to("volumeMode", "Filesystem");
    let resources = spec.ensure("resources");
    round(resources.child("limits"));
    round(resources.child("requests"));
}

fn downward_api(source: &mut Value) {
    for item in source.each("items") {
        if let Some(selector) = item.child("fieldRef") {
            selector.default_zero("apiVersion", "v1");
        }
    }
}

/// Amounts are written in canonical form and no finer than thousandths.
pub fn round(list: Option<&mut Value>) {
    let Some(list) = list.and_then(Value::as_object_mut) else {
        return;
    };
    for amount in list.values_mut() {
        if let Some(mut quantity) = resources::from_json(amount) {
            quantity.round_up(-3);
            *amount = quantity.to_string().into();
        }
    }
}

/// A pod that limits a resource and does not say how much it asks for asks for the limit.
fn requests_from_limits(spec: &mut Value) {
    for name in ["containers", "initContainers"] {
        for container in spec.each(name) {
            let Some(limits) = container.descend(&["resources", "limits"]).cloned() else {
                continue;
            };
            let requests = container.ensure("resources").ensure("requests");
            for (name, amount) in limits.as_object().into_iter().flatten() {
                requests.default_to(name, amount.clone());
            }
            if requests.as_object().is_some_and(Map::is_empty) {
                container.ensure("resources").unset("requests");
            }
        }
    }
}

/// What the pod as a whole asks for, where it says so in part (KEP-2837).
fn pod_level_resources(spec: &mut Value) {
    let root = Field::root(spec);
    let whole = root.get("resources");
    let (mut limits, mut requests) = (
        resources::amounts(&whole.get("limits")),
        resources::amounts(&whole.get("requests")),
    );
    if limits.is_empty() && requests.is_empty() {
        return;
    }
    for (name, amount) in resources::of_containers(&root, "limits") {
        if resources::is_huge_page(&name) && !requests.contains_key(&name) {
            limits.entry(name).or_insert(amount);
        }
    }
    if !limits.is_empty() {
        for (name, amount) in resources::of_containers(&root, "requests") {
            if resources::is_for_pod(&name) && resources::may_overcommit(&name) {
                requests.entry(name).or_insert(amount);
            }
        }
        for (name, amount) in &limits {
            if resources::is_for_pod(name) {
                requests.entry(name.clone()).or_insert_with(|| amount.clone());
            }
        }
    }
    let write = |amounts: &Amounts| {
        let pairs = amounts
            .iter()
            .map(|(name, amount)| (name.clone(), json!(amount.to_string())));
        Value::Object(pairs.collect())
    };
    let (limits, requests) = (write(&limits), write(&requests));
    let whole = spec.ensure("resources");
    for (name, amounts) in [("limits", limits), ("requests", requests)] {
        if amounts.as_object().is_some_and(|amounts| !amounts.is_empty()) {
            whole.set(name, amounts);
        }
    }
}

/// On the host's network a port of a container is a port of the host.
fn host_ports(spec: &mut Value) {
    for name in ["containers", "initContainers"] {
        for container in spec.each(name) {
            for port in container.each("ports") {
                let number = Field::root(port).get("containerPort").int();
                if number != 0 {
                    port.default_zero("hostPort", number);
                }
            }
        }
    }
}

/// `podIP` and the first of `podIPs` are one; where they differ, the former counts (conversion.go).
pub fn status(status: &mut Value) {
    let root = Field::root(status);
    let (single, first) = (
        root.get("podIP").str(),
        root.get("podIPs").index(0).get("ip").str(),
    );
    if !single.is_empty() && single != first {
        let single = single.to_owned();
        status.set("podIPs", json!([{"ip": single}]));
    } else if !first.is_empty() {
        let first = first.to_owned();
        status.set("podIP", first);
    }
    for name in [
        "initContainerStatuses",
        "containerStatuses",
        "ephemeralContainerStatuses",
    ] {
        for container in status.each(name) {
            round(container.child("allocatedResources"));
            if let Some(resources) = container.child("resources") {
                round(resources.child("limits"));
                round(resources.child("requests"));
            }
        }
    }
}
