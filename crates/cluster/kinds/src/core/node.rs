//! Node (`pkg/registry/core/node/strategy.go`, `pkg/apis/core/validation ValidateNode`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::core::pod::{resource_requirements, scheduling};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_label_name;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{cell, cidr, columns, internal, metadata, names, table};

/// The row of Node.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Node",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        object.ensure("spec").unset("configSource");
        object.ensure("status").unset("config");
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        if !Field::root(old).get("spec").get("configSource").exists() {
            new.ensure("spec").unset("configSource");
        }
    },
    prepare_status: |new, old| {
        new.keep("spec", old);
        if !Field::root(old).get("status").get("config").exists() {
            new.ensure("status").unset("config");
        }
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), &mut out);
        out
    },
    validate_update: |new, old| {
        let root = Field::root(new);
        let mut out = metadata::create_of_kubernetes(&root.get("metadata"), false, names::dns_subdomain_name);
        validate(&root, &mut out);
        out.extend(validate_change(new, old));
        out
    },
    validate_status: validate_change,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::NODE,
    cells,
    selectable: &[Selectable {
        name: "spec.unschedulable",
        value: |object| {
            Field::root(object)
                .get("spec")
                .get("unschedulable")
                .bool()
                .to_string()
        },
    }],
    ..GENERIC_RULES
};

/// `podCIDR` is the first of `podCIDRs`; where they differ, the former counts
/// (`pkg/apis/core/v1/conversion.go Convert_v1_NodeSpec_To_core_NodeSpec`).
fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    let root = Field::root(spec);
    let (single, first) = (root.get("podCIDR").str(), root.get("podCIDRs").index(0).str());
    if !single.is_empty() && single != first {
        let single = single.to_owned();
        spec.set("podCIDRs", json!([single]));
    } else if !first.is_empty() {
        let first = first.to_owned();
        spec.set("podCIDR", first);
    }
    let status = object.ensure("status");
    status
        .ensure("daemonEndpoints")
        .ensure("kubeletEndpoint")
        .default_to("Port", 0);
    let info = status.ensure("nodeInfo");
    for name in INFO {
        info.default_to(name, "");
    }
    if let Some(capacity) = status.child("capacity").cloned() {
        status.default_to("allocatable", capacity);
    }
    for list in ["capacity", "allocatable"] {
        crate::core::pod::defaults::round(status.child(list));
    }
}

/// Fields of `status.nodeInfo` that Go's encoder always writes.
const INFO: [&str; 10] = [
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
];

fn validate(node: &Field<'_>, out: &mut Findings) {
    // Upstream looks for the taints at this place.
    taints(node, out);
    resources(node, out);
    let swap = node.get("status").get("nodeInfo").get("swap").get("capacity");
    if swap.exists() && swap.int() <= 0 {
        let place = node.get("metadata").get("nodeSwapStatus").get("capacity");
        out.push(place.invalid_value(swap.int(), "must be greater than 0"));
    }
    let ranges = node.get("spec").get("podCIDRs");
    for range in ranges.list() {
        cidr::validate_legacy(&range, range.str(), out);
    }
    if ranges.len() > 1 {
        let bad = ranges
            .strings()
            .enumerate()
            .find(|(_, range)| cidr::Cidr::parse(range).is_none());
        if let Some((index, range)) = bad {
            out.push(ranges.internal(format!(
                "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[{index}]: <nil> (invalid CIDR \
                 address: {range})"
            )));
        }
        if ranges.len() > 2 || bad.is_some() || !cidr::is_dual_stack(&ranges) {
            out.push(ranges.invalid("may specify no more than one CIDR for each IP family"));
        }
    }
}

fn validate_change(new: &Value, old: &Value) -> Findings {
    let (node, old) = (Field::root(new), Field::root(old));
    let mut out = Vec::new();
    resources(&node, &mut out);
    let mut seen = BTreeSet::new();
    for address in node.get("status").items("addresses") {
        if !seen.insert((address.get("type").str(), address.get("address").str())) {
            let mut finding = address.duplicate();
            finding.shown = Some(internal::shown("NodeAddress", address.value()));
            out.push(finding);
        }
    }
    let (spec, old_spec) = (node.get("spec"), old.get("spec"));
    let (ranges, old_ranges) = (spec.get("podCIDRs"), old_spec.get("podCIDRs"));
    if !old_ranges.is_empty() {
        let changed = if old_ranges.len() == ranges.len() {
            ranges
                .strings()
                .zip(old_ranges.strings())
                .filter(|(new, old)| new != old)
                .count()
        } else {
            1
        };
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        out.extend(std::iter::repeat_with(|| ranges.forbidden(detail)).take(changed));
    }
    let provider = spec.get("providerID");
    if !old_spec.get("providerID").is_empty() && provider.str() != old_spec.get("providerID").str() {
        out.push(provider.forbidden("node updates may not change providerID except from \"\" to valid"));
    }
    taints(&node, &mut out);
    if spec.get("externalID").str() != old_spec.get("externalID").str() {
        out.push(spec.get("externalID").forbidden("may not be updated"));
    }
    out
}

fn taints(node: &Field<'_>, out: &mut Findings) {
    let place = node
        .get("metadata")
        .get("taints")
        .with(node.get("spec").get("taints").value());
    let mut seen = BTreeSet::new();
    for taint in place.list() {
        validate_label_name(&taint.get("key"), out);
        let value = taint.get("value");
        let texts = names::label_value(value.str());
        if !texts.is_empty() {
            out.push(value.invalid(texts.join(";")));
        }
        let effect = taint.get("effect");
        if effect.is_empty() {
            out.push(effect.required(""));
        } else {
            scheduling::taint_effect(&effect, out);
        }
        if !seen.insert((effect.str(), taint.get("key").str())) {
            let mut finding = taint.duplicate();
            finding.shown = Some(internal::shown("Taint", taint.value()));
            finding.detail = "taints must be unique by key and effect pair".to_owned();
            out.push(finding);
        }
    }
}

/// Amounts are shown at `status.capacity.NAME`.
fn resources(node: &Field<'_>, out: &mut Findings) {
    for list in ["capacity", "allocatable"] {
        let list = node.get("status").get(list);
        for (name, _) in list.entries() {
            resource_requirements::amount(&list.named(name), name, out);
        }
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let spec = Field::root(object).get("spec");
    let mut out = Vec::new();
    if spec.get("configSource").exists() {
        out.push("spec.configSource: the feature is removed".to_owned());
    }
    if !spec.get("externalID").is_empty() {
        out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    for range in spec.items("podCIDRs") {
        out.extend(cidr::warnings(&range.path(), range.str()));
    }
    out
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let status = root.get("status");
    let ready = status
        .items("conditions")
        .filter(|c| c.get("type").str() == "Ready")
        .last();
    let mut state = match ready.map(|ready| ready.get("status").str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if root.get("spec").get("unschedulable").bool() {
        state.push_str(",SchedulingDisabled");
    }
    let info = status.get("nodeInfo");
    let address = |wanted: &str| {
        let found = status
            .items("addresses")
            .find(|address| address.get("type").str() == wanted);
        Value::from(found.map_or("<none>", |address| address.get("address").str()))
    };
    vec![
        table::name(object),
        state.into(),
        roles(&root).into(),
        table::age(object, now),
        info.get("kubeletVersion").str().into(),
        address("InternalIP"),
        address("ExternalIP"),
        cell::text_or(&info.get("osImage"), "<unknown>"),
        cell::text_or(&info.get("kernelVersion"), "<unknown>"),
        cell::text_or(&info.get("containerRuntimeVersion"), "<unknown>"),
    ]
}

fn roles(node: &Field<'_>) -> String {
    let labels = node.get("metadata").get("labels");
    let roles: BTreeSet<&str> = labels
        .entries()
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role),
                None if key == "kubernetes.io/role" => Some(value.str()),
                None => None,
            },
        )
        .filter(|role| !role.is_empty())
        .collect();
    if roles.is_empty() {
        return "<none>".to_owned();
    }
    roles.into_iter().collect::<Vec<_>>().join(",")
}
