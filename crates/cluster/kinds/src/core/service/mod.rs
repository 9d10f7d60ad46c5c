//! Service (`pkg/apis/core/v1/defaults.go SetDefaults_Service`, `pkg/registry/core/service/strategy.go`). Addresses and
//! node ports are not this crate's: who serves the API allocates them before the rules are asked.

mod prepare;
mod table;
pub(crate) mod update;
mod validate;

use serde_json::{Value, json};

use crate::cursor::Field;
use crate::edit::Edit;
use crate::field::Finding;
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{cidr, columns, ip, names};

/// The row of Service.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Service",
    name: names::dns_1035_label_name,
    default,
    prepare_create: |object| object.set("status", json!({"loadBalancer": {}})),
    prepare_update: prepare::update,
    validate_create: |object| validate::service(&Field::root(object), None),
    validate_update: update::validate,
    validate_status: update::validate_status,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::SERVICE,
    cells: table::cells,
    selectable: &[
        Selectable {
            name: "spec.clusterIP",
            value: |object| Field::root(object).get("spec").get("clusterIP").str().to_owned(),
        },
        Selectable {
            name: "spec.type",
            value: |object| Field::root(object).get("spec").get("type").str().to_owned(),
        },
    ],
    create_on_update: true,
    ..GENERIC_RULES
};

/// What is wrong with the addresses and address families of a service, before any are allocated.
pub fn check_addresses(service: &Value, old: Option<&Value>) -> Vec<Finding> {
    let old = old.map(Field::root);
    let mut out = Vec::new();
    validate::addresses(&Field::root(service).get("spec"), old.as_ref(), &mut out);
    out
}

/// `DefaultClientIPServiceAffinitySeconds`: three hours.
const AFFINITY_SECONDS: i64 = 10800;

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    affinity(spec);
    spec.default_zero("type", "ClusterIP");
    for port in spec.each("ports") {
        port.default_zero("protocol", "TCP");
        let number = Field::root(port).get("port").int();
        port.default_zero("targetPort", number);
    }
    let view = Field::root(spec);
    let r#type = view.get("type").str().to_owned();
    if is_externally_accessible(&view) {
        spec.default_zero("externalTrafficPolicy", "Cluster");
    }
    match r#type.as_str() {
        "ClusterIP" | "NodePort" | "LoadBalancer" => spec.default_to("internalTrafficPolicy", "Cluster"),
        // Upstream drops it when it is read (`defaultOnReadInternalTrafficPolicy`).
        "ExternalName" => spec.unset("internalTrafficPolicy"),
        _ => {}
    }
    let balanced = r#type == "LoadBalancer";
    if balanced {
        spec.default_to("allocateLoadBalancerNodePorts", true);
    }
    for ingress in object.ensure("status").ensure("loadBalancer").each("ingress") {
        if balanced && !Field::root(ingress).get("ip").is_empty() {
            ingress.default_to("ipMode", "VIP");
        }
    }
}

fn affinity(spec: &mut Value) {
    spec.default_zero("sessionAffinity", "None");
    let view = Field::root(spec);
    let config = view
        .get("sessionAffinityConfig")
        .get("clientIP")
        .get("timeoutSeconds");
    match (view.get("sessionAffinity").str(), config.exists()) {
        ("None", _) => spec.unset("sessionAffinityConfig"),
        ("ClientIP", false) => spec.set(
            "sessionAffinityConfig",
            json!({"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}),
        ),
        _ => {}
    }
}

/// Whether others than the cluster's own pods can reach it.
fn is_externally_accessible(spec: &Field<'_>) -> bool {
    match spec.get("type").str() {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !spec.get("externalIPs").is_empty(),
        _ => false,
    }
}

/// Whether it has a port on which load balancers ask if a node has pods of it.
fn needs_health_check(spec: &Field<'_>) -> bool {
    spec.get("type").str() == "LoadBalancer" && spec.get("externalTrafficPolicy").str() == "Local"
}

fn is_headless(spec: &Field<'_>) -> bool {
    spec.get("clusterIPs").strings().eq(["None"])
}

/// `pkg/api/service/warnings.go GetWarningsForService`
fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    let spec = root.get("spec");
    let mut out = Vec::new();
    let hints = root
        .get("metadata")
        .get("annotations")
        .key("service.kubernetes.io/topology-aware-hints");
    if hints.exists() {
        out.push(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
             service.kubernetes.io/topology-mode instead"
                .to_owned(),
        );
    }
    let (address, r#type) = (spec.get("clusterIP").str(), spec.get("type").str());
    if !matches!(address, "" | "None") {
        out.extend(
            spec.items("clusterIPs")
                .filter_map(|ip| ip::warning(&ip.path(), ip.str())),
        );
    }
    if r#type == "ClusterIP" && address == "None" {
        if !spec.get("loadBalancerIP").is_empty() {
            out.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if !spec.get("externalIPs").is_empty() {
            out.push("spec.externalIPs is ignored for headless services".to_owned());
        }
        if spec.get("sessionAffinity").str() != "None" {
            out.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    out.extend(
        spec.items("externalIPs")
            .filter_map(|ip| ip::warning(&ip.path(), ip.str())),
    );
    let balancer = spec.get("loadBalancerIP");
    out.extend(ip::warning(&balancer.path(), balancer.str()));
    for range in spec.items("loadBalancerSourceRanges") {
        out.extend(cidr::warnings(&range.path(), range.str()));
    }
    if r#type == "ExternalName" && !spec.get("externalIPs").is_empty() {
        out.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if r#type != "ExternalName" && !spec.get("externalName").is_empty() {
        out.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    out
}
