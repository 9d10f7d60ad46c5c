//! Containers of all three kinds (`pkg/apis/core/validation/validation.go`).

use std::collections::{BTreeMap, BTreeSet};

use super::volumes::Volumes;
use super::{Options, env, paths, probes, resource_requirements, security};
use crate::cursor::{Field, Findings};
use crate::names;

/// What ephemeral containers may not have, in the order in which upstream finds it.
const NOT_FOR_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// What the containers of a pod share.
pub struct Pod<'a> {
    /// `spec`
    pub spec: Field<'a>,
    /// Its volumes without those that are wrong.
    pub volumes: Volumes<'a>,
    /// The names of its resource claims.
    pub claims: BTreeSet<&'a str>,
    /// How strict to be.
    pub options: Options,
}

impl Pod<'_> {
    /// Checks `spec.containers`.
    pub fn containers(&self, out: &mut Findings) {
        let list = self.spec.get("containers");
        if list.is_empty() {
            out.push(list.required(""));
            return;
        }
        let mut names = Vec::new();
        for container in list.list() {
            self.container(&container, out);
            unique_name(&container, &mut names, out);
            probes::hooks_and_probes(&container, &self.spec, out);
            if self.options.restart_rules {
                restart_policy(&container, out);
            } else if container.get("restartPolicy").exists() {
                out.push(
                    container
                        .get("restartPolicy")
                        .forbidden("may not be set for non-init containers"),
                );
            }
        }
        host_ports(list.list(), out);
    }

    /// Checks `spec.initContainers`.
    pub fn init_containers(&self, out: &mut Findings) {
        let list = self.spec.get("initContainers");
        let mut names: Vec<&str> = self
            .spec
            .items("containers")
            .map(|c| c.get("name").str())
            .collect();
        for container in list.list() {
            self.container(&container, out);
            let policy = container.get("restartPolicy");
            if policy.exists() {
                self.init_restart_policy(&container, out);
            }
            unique_name(&container, &mut names, out);
            // Upstream counts from the start of the list for each container.
            host_ports(std::iter::once(list.index(0).with(container.value())), out);
            if policy.str() == "Always" {
                probes::hooks_and_probes(&container, &self.spec, out);
                continue;
            }
            for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.get(name).exists() {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    out.push(container.get(name).forbidden(detail));
                }
            }
        }
    }

    fn init_restart_policy(&self, container: &Field<'_>, out: &mut Findings) {
        let (policy, rules) = (
            container.get("restartPolicy"),
            container.get("restartPolicyRules"),
        );
        match policy.str() {
            "Always" if self.options.restart_rules && !rules.is_empty() => out.push(rules.forbidden(
                "restartPolicyRules are not allowed for init containers with restart policy Always",
            )),
            "Always" => {}
            _ if self.options.restart_rules => restart_policy(container, out),
            _ => out.push(policy.not_supported(&["Always"])),
        }
    }

    /// Checks `spec.ephemeralContainers`.
    pub fn ephemeral_containers(&self, out: &mut Findings) {
        let others: Vec<&str> = ["containers", "initContainers"]
            .into_iter()
            .flat_map(|list| self.spec.items(list))
            .map(|container| container.get("name").str())
            .collect();
        let mut names = others.clone();
        for container in self.spec.items("ephemeralContainers") {
            self.container(&container, out);
            image_spaces(&container, out);
            let name = container.get("name");
            if names.contains(&name.str()) {
                out.push(name.duplicate_value(name.str()));
            }
            names.push(name.str());
            let target = container.get("targetContainerName");
            if !target.is_empty() && !others.contains(&target.str()) {
                out.push(target.not_found());
            }
            for name in NOT_FOR_EPHEMERAL {
                let field = container.get(name);
                // The resources are a struct that is always there; what else is a map is a pointer upstream.
                let set = if name == "resources" {
                    !field.is_empty()
                } else {
                    field.exists()
                };
                if set && field.value() != Some(&serde_json::json!([])) {
                    out.push(field.forbidden("cannot be set for an Ephemeral Container"));
                }
            }
            for mount in container.items("volumeMounts") {
                for path in ["subPath", "subPathExpr"].map(|name| mount.get(name)) {
                    if !path.is_empty() {
                        out.push(path.forbidden("cannot be set for an Ephemeral Container"));
                    }
                }
            }
        }
    }

    /// What all containers have in common.
    fn container(&self, container: &Field<'_>, out: &mut Findings) {
        let (name, image) = (container.get("name"), container.get("image"));
        if name.is_empty() {
            out.push(name.required(""));
        } else {
            out.extend(
                names::dns_label(name.str())
                    .into_iter()
                    .map(|text| name.invalid(text)),
            );
        }
        if image.is_empty() {
            out.push(image.required(""));
        }
        let policy = container.get("terminationMessagePolicy");
        match policy.str() {
            "File" | "FallbackToLogsOnError" => {}
            "" => out.push(policy.required("")),
            _ => out.push(policy.not_supported(&["File", "FallbackToLogsOnError"])),
        }
        ports(&container.get("ports"), out);
        env::validate(&container.get("env"), &self.options, out);
        env::validate_from(&container.get("envFrom"), out);
        self.mounts(container, out);
        self.devices(container, out);
        pull_policy(&container.get("imagePullPolicy"), out);
        resource_requirements::container(&container.get("resources"), &self.claims, &self.options, out);
        self.resize_policy(&container.get("resizePolicy"), out);
        let host_users = self.spec.get("hostUsers").opt_bool() != Some(false);
        security::container(&container.get("securityContext"), host_users, out);
    }

    fn mounts(&self, container: &Field<'_>, out: &mut Findings) {
        let mounts = container.get("volumeMounts");
        let devices = pairs(&container.get("volumeDevices"), "devicePath");
        let mut seen = Vec::new();
        for mount in mounts.list() {
            let (name, path) = (mount.get("name"), mount.get("mountPath"));
            if name.is_empty() {
                out.push(name.required(""));
            }
            if !self.volumes.contains(name.str()) {
                out.push(name.not_found());
            }
            if path.is_empty() {
                out.push(path.required(""));
            }
            if seen.contains(&path.str()) {
                out.push(path.invalid("must be unique"));
            }
            seen.push(path.str());
            if devices.contains_key(name.str()) {
                out.push(name.invalid("must not already exist in volumeDevices"));
            }
            if devices.values().any(|device| *device == path.str()) {
                out.push(path.invalid("must not already exist as a path in volumeDevices"));
            }
            let (sub, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
            if !sub.is_empty() {
                paths::local_descending(&mounts.get("subPath"), sub.str(), out);
            }
            if !expression.is_empty() {
                if !sub.is_empty() {
                    out.push(expression.invalid("subPathExpr and subPath are mutually exclusive"));
                }
                paths::local_descending(&mounts.get("subPathExpr"), expression.str(), out);
            }
            mount_options(&mounts, &mount, container, out);
        }
    }

    fn devices(&self, container: &Field<'_>, out: &mut Findings) {
        let mounts = pairs(&container.get("volumeMounts"), "mountPath");
        let (mut seen_names, mut seen_paths) = (Vec::new(), Vec::new());
        for device in container.items("volumeDevices") {
            let (name, path) = (device.get("name"), device.get("devicePath"));
            let volume = self.volumes.find(name.str());
            if name.is_empty() {
                out.push(name.required(""));
            }
            if seen_names.contains(&name.str()) {
                out.push(name.invalid("must be unique"));
            }
            match volume {
                Some(volume)
                    if !volume.get("persistentVolumeClaim").exists() && !volume.get("ephemeral").exists() =>
                {
                    out.push(name.invalid(
                        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                    ));
                }
                Some(_) => {}
                None => out.push(name.not_found()),
            }
            if path.is_empty() {
                out.push(path.required(""));
            }
            if seen_paths.contains(&path.str()) {
                out.push(path.invalid("must be unique"));
            }
            if path.str().split('/').any(|part| part == "..") {
                out.push(path.invalid("can not contain backsteps ('..')"));
            } else {
                seen_paths.push(path.str());
            }
            if mounts.contains_key(name.str()) {
                out.push(name.invalid("must not already exist in volumeMounts"));
            }
            if mounts.values().any(|mount| *mount == path.str()) {
                out.push(path.invalid("must not already exist as a path in volumeMounts"));
            }
            if !name.is_empty() {
                seen_names.push(name.str());
            }
        }
    }

    /// Upstream reports at the list.
    fn resize_policy(&self, list: &Field<'_>, out: &mut Findings) {
        let mut seen = Vec::new();
        for policy in list.list() {
            let (resource, restart) = (
                policy.get("resourceName").str(),
                policy.get("restartPolicy").str(),
            );
            if seen.contains(&resource) {
                out.push(policy.duplicate_value(resource));
            }
            seen.push(resource);
            match resource {
                "cpu" | "memory" => {}
                "" => out.push(list.required("")),
                _ => out.push(list.not_supported_value(resource, &["cpu", "memory"])),
            }
            match restart {
                "NotRequired" | "RestartContainer" => {}
                "" => out.push(list.required("")),
                _ => out.push(list.not_supported_value(restart, &["NotRequired", "RestartContainer"])),
            }
            if self.spec.get("restartPolicy").str() == "Never" && restart != "NotRequired" {
                let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
                out.push(list.invalid_value(restart, detail));
            }
        }
    }
}

/// An image has no blanks around it; only pods are held to that, since templates never were.
pub fn image_spaces(container: &Field<'_>, out: &mut Findings) {
    let image = container.get("image");
    if image.str().trim() != image.str() {
        out.push(image.invalid("must not have leading or trailing whitespace"));
    }
}

/// When to pull an image.
pub fn pull_policy(policy: &Field<'_>, out: &mut Findings) {
    match policy.str() {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => out.push(policy.required("")),
        _ => out.push(policy.not_supported(&["Always", "IfNotPresent", "Never"])),
    }
}

fn unique_name<'a>(container: &Field<'a>, names: &mut Vec<&'a str>, out: &mut Findings) {
    let name = container.get("name");
    if names.contains(&name.str()) {
        out.push(name.duplicate_value(name.str()));
    } else {
        names.push(name.str());
    }
}

/// The paths of mounts or devices by the names of their volumes.
fn pairs<'a>(list: &Field<'a>, path: &'static str) -> BTreeMap<&'a str, &'a str> {
    list.list()
        .map(|item| (item.get("name").str(), item.get(path).str()))
        .collect()
}

/// Upstream reports at the list of mounts.
fn mount_options(mounts: &Field<'_>, mount: &Field<'_>, container: &Field<'_>, out: &mut Findings) {
    let (place, propagation) = (mounts.get("mountPropagation"), mount.get("mountPropagation"));
    if propagation.exists() {
        if !matches!(propagation.str(), "Bidirectional" | "HostToContainer" | "None") {
            out.push(
                place.not_supported_value(propagation.str(), &["Bidirectional", "HostToContainer", "None"]),
            );
        }
        if propagation.str() == "Bidirectional" && !container.get("securityContext").get("privileged").bool()
        {
            let detail = "Bidirectional mount propagation is available only to privileged containers";
            out.push(place.forbidden(detail));
        }
    }
    let (place, recursive) = (mounts.get("recursiveReadOnly"), mount.get("recursiveReadOnly"));
    match recursive.opt_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.get("readOnly").bool() {
                out.push(place.forbidden("may only be specified when readOnly is true"));
            }
            if propagation.exists() && propagation.str() != "None" {
                let detail = "may only be specified when mountPropagation is None or not specified";
                out.push(place.forbidden(detail));
            }
        }
        Some(other) => out.push(place.not_supported_value(other, &["Disabled", "Enabled", "IfPossible"])),
    }
}

fn ports(list: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for port in list.list() {
        let (name, number) = (port.get("name"), port.get("containerPort"));
        if !name.is_empty() {
            let texts = names::port_name(name.str());
            if !texts.is_empty() {
                out.extend(texts.into_iter().map(|text| name.invalid(text)));
            } else if seen.contains(&name.str()) {
                out.push(name.duplicate());
            } else {
                seen.push(name.str());
            }
        }
        if number.int() == 0 {
            out.push(number.required(""));
        } else {
            out.extend(
                names::port_number(number.int())
                    .into_iter()
                    .map(|text| number.invalid(text)),
            );
        }
        let host = port.get("hostPort");
        if host.int() != 0 {
            out.extend(
                names::port_number(host.int())
                    .into_iter()
                    .map(|text| host.invalid(text)),
            );
        }
        let protocol = port.get("protocol");
        match protocol.str() {
            "TCP" | "UDP" | "SCTP" => {}
            "" => out.push(protocol.required("")),
            _ => out.push(protocol.not_supported(&["SCTP", "TCP", "UDP"])),
        }
    }
}

/// A port of the host is taken once.
fn host_ports<'a>(containers: impl Iterator<Item = Field<'a>>, out: &mut Findings) {
    let mut seen = BTreeSet::new();
    for port in containers.flat_map(|container| container.items("ports")) {
        let number = port.get("hostPort").int();
        if number == 0 {
            continue;
        }
        let key = format!(
            "{}/{}/{number}",
            port.get("protocol").str(),
            port.get("hostIP").str()
        );
        if !seen.insert(key.clone()) {
            out.push(port.get("hostPort").duplicate_value(key));
        }
    }
}

fn restart_policy(container: &Field<'_>, out: &mut Findings) {
    let (policy, rules) = (
        container.get("restartPolicy"),
        container.get("restartPolicyRules"),
    );
    if !policy.exists() {
        if rules.is_empty() {
            return;
        }
        out.push(policy.required("must specify restartPolicy when restart rules are used"));
    } else if !matches!(policy.str(), "Always" | "Never" | "OnFailure") {
        out.push(policy.not_supported(&["Always", "Never", "OnFailure"]));
    }
    if rules.len() > 20 {
        out.push(rules.too_long(20));
    }
    for rule in rules.list() {
        let (action, codes) = (rule.get("action"), rule.get("exitCodes"));
        if action.str() != "Restart" {
            out.push(action.not_supported(&["Restart"]));
        }
        if !codes.exists() {
            out.push(codes.required("must be specified"));
            continue;
        }
        let operator = codes.get("operator");
        if !matches!(operator.str(), "In" | "NotIn") {
            out.push(operator.not_supported(&["In", "NotIn"]));
        }
        if codes.get("values").len() > 255 {
            out.push(codes.get("values").too_long(255));
        }
    }
}
