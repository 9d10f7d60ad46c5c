//! Validation of Services (`pkg/apis/core/validation validateService`).

use std::collections::BTreeSet;

use serde_json::json;

use crate::core::pod::probes::port as port_number_or_name;
use crate::cursor::{Field, Findings};
use crate::labels::validate_labels;
use crate::{check, cidr, internal, ip, names};

use super::{is_externally_accessible, is_headless, needs_health_check};

/// `MaxClientIPServiceAffinitySeconds`: a day.
const AFFINITY_SECONDS_MAX: i64 = 86400;
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

/// What is wrong with a Service; what `old` has already may stay.
pub fn service(service: &Field<'_>, old: Option<&Field<'_>>) -> Findings {
    let mut out = Vec::new();
    let spec = service.get("spec");
    topology(service, &mut out);
    type_fields(&spec, &mut out);
    ports(&spec, &mut out);
    validate_labels(&spec.get("selector"), &mut out);
    session_affinity(&spec, &mut out);
    addresses(&spec, old, &mut out);
    external_addresses(&spec, old, &mut out);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    check::required_one_of(&spec.get("type"), &types, &mut out);
    unique_ports(&spec, &mut out);
    source_ranges(service, old, &mut out);
    let allocate = spec.get("allocateLoadBalancerNodePorts");
    match (allocate.exists(), is_balanced(&spec)) {
        (true, false) => out.push(allocate.forbidden(ONLY_BALANCED)),
        (false, true) => out.push(service.get("allocateLoadBalancerNodePorts").required("")),
        _ => {}
    }
    load_balancer_class(&spec, &mut out);
    external_traffic(&spec, &mut out);
    internal_traffic(&spec, &mut out);
    let distribution = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    check::one_of(&spec.get("trafficDistribution"), &distribution, &mut out);
    out
}

fn is_balanced(spec: &Field<'_>) -> bool {
    spec.get("type").str() == "LoadBalancer"
}

fn topology(service: &Field<'_>, out: &mut Findings) {
    let annotations = service.get("metadata").get("annotations");
    let (hints, mode) = (annotations.key(TOPOLOGY_HINTS), annotations.key(TOPOLOGY_MODE));
    if hints.exists() && mode.exists() && hints.str() != mode.str() {
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        out.push(mode.invalid(detail));
    }
}

fn type_fields(spec: &Field<'_>, out: &mut Findings) {
    let (r#type, headless) = (spec.get("type").str(), is_headless(spec));
    if spec.get("ports").is_empty() && !headless && r#type != "ExternalName" {
        out.push(spec.get("ports").required(""));
    }
    match r#type {
        "LoadBalancer" | "NodePort" if headless => {
            let detail = format!("may not be set to 'None' for {type} services");
            out.push(spec.get("clusterIPs").index(0).invalid(detail));
        }
        "ExternalName" => {
            for name in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec.get(name).is_empty() {
                    out.push(
                        spec.get(name)
                            .forbidden("may not be set for ExternalName services"),
                    );
                }
            }
            let name = spec.get("externalName");
            let plain = name.str().strip_suffix('.').unwrap_or(name.str());
            if plain.is_empty() {
                out.push(name.required(""));
            } else {
                let texts = names::dns_subdomain(plain);
                out.extend(texts.into_iter().map(|text| name.invalid_value(plain, text)));
            }
        }
        _ => {}
    }
}

fn ports(spec: &Field<'_>, out: &mut Findings) {
    let ports = spec.get("ports");
    let mut seen = BTreeSet::new();
    for port in ports.list() {
        let name = port.get("name");
        if !name.is_empty() {
            check::invalid(&name, names::dns_label(name.str()), out);
            if !seen.insert(name.str()) {
                out.push(name.duplicate());
            }
        } else if ports.len() > 1 {
            out.push(name.required(""));
        }
        let number = port.get("port");
        let texts = names::port_number(number.int());
        out.extend(
            texts
                .into_iter()
                .map(|text| number.invalid_value(number.int(), text)),
        );
        check::required_one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"], out);
        port_number_or_name(&port.get("targetPort"), out);
        let application = port.get("appProtocol");
        if application.exists() {
            check::invalid(&application, names::qualified_name(application.str()), out);
        }
    }
}

fn session_affinity(spec: &Field<'_>, out: &mut Findings) {
    let (affinity, config) = (spec.get("sessionAffinity"), spec.get("sessionAffinityConfig"));
    check::required_one_of(&affinity, &["ClientIP", "None"], out);
    match affinity.str() {
        "ClientIP" => {
            let client = config.get("clientIP");
            let seconds = client.get("timeoutSeconds");
            if let Some(missing) = [&config, &client, &seconds]
                .into_iter()
                .find(|field| !field.exists())
            {
                out.push(missing.required("when session affinity type is ClientIP"));
            } else if !(1..=AFFINITY_SECONDS_MAX).contains(&seconds.int()) {
                let detail = format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                out.push(seconds.invalid(detail));
            }
        }
        "None" if config.exists() => {
            out.push(config.forbidden("must not be set when session affinity is None"));
        }
        _ => {}
    }
}

/// `ValidateServiceClusterIPsRelatedFields`
pub(super) fn addresses(spec: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    if spec.get("type").str() == "ExternalName" {
        return;
    }
    let (single, all) = (spec.get("clusterIP"), spec.get("clusterIPs"));
    match (single.is_empty(), all.is_empty()) {
        (false, true) => out.push(all.required("")),
        (false, false) if all.index(0).str() != single.str() => {
            out.push(all.invalid("first value must match `clusterIP`"));
        }
        (true, false) => out.push(all.invalid("must be empty when `clusterIP` is not specified")),
        _ => {}
    }
    let families = spec.get("ipFamilies");
    let mut seen = BTreeSet::new();
    for family in families.list() {
        check::one_of(&family, &["IPv4", "IPv6"], out);
        if !seen.insert(family.str()) {
            out.push(family.duplicate());
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    check::one_of(&spec.get("ipFamilyPolicy"), &policies, out);
    if !valid_addresses(&all, old, out) {
        return;
    }
    let of_v6: Vec<bool> = all
        .strings()
        .filter_map(|address| ip::parse(address).map(|address| address.is_ipv6()))
        .collect();
    if all.len() > 1 && !(of_v6.contains(&true) && of_v6.contains(&false)) {
        out.push(all.invalid("may specify no more than one IP for each IP family"));
    }
    if is_headless(spec) {
        return;
    }
    for (index, (address, family)) in all.list().zip(families.strings()).enumerate() {
        let is_v6 = ip::parse(address.str()).is_some_and(|address| address.is_ipv6());
        if matches!((family, is_v6), ("IPv4", true) | ("IPv6", false)) {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            out.push(address.invalid(detail));
        }
    }
}

/// Whether they can be looked at further.
fn valid_addresses(all: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) -> bool {
    let known: Vec<&str> = old
        .map(|old| old.get("spec").get("clusterIPs").strings().collect())
        .unwrap_or_default();
    let before = out.len();
    for (index, address) in all.list().enumerate() {
        if index == 0 && address.str() == "None" {
            if all.len() > 1 {
                out.push(all.invalid("'None' must be the first and only value"));
            }
        } else if !known.contains(&address.str()) {
            ip::validate_legacy(&address, address.str(), out);
        }
    }
    let valid = out.len() == before;
    if all.len() > 2 {
        out.push(all.invalid("may only hold up to 2 values"));
    }
    valid
}

fn external_addresses(spec: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let known: Vec<&str> = old
        .map(|old| old.get("spec").get("externalIPs").strings().collect())
        .unwrap_or_default();
    for address in spec.items("externalIPs") {
        let before = out.len();
        if !known.contains(&address.str()) {
            ip::validate_legacy(&address, address.str(), out);
        }
        if out.len() == before {
            crate::core::endpoints::endpoint_address(&address, out);
        }
    }
}

fn unique_ports(spec: &Field<'_>, out: &mut Findings) {
    if spec.get("type").str() == "ClusterIP" {
        for port in spec.items("ports").map(|port| port.get("nodePort")) {
            if port.int() != 0 {
                out.push(port.forbidden("may not be used when `type` is 'ClusterIP'"));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for port in spec.items("ports") {
        let node = port.get("nodePort");
        if node.int() != 0 && !seen.insert((port.get("protocol").str(), node.int())) {
            out.push(node.duplicate());
        }
    }
    let mut seen = BTreeSet::new();
    for port in spec.items("ports") {
        let key = (port.get("protocol").str(), port.get("port").int());
        if !seen.insert(key) {
            let shown = json!({"protocol": key.0, "port": key.1});
            let mut finding = port.duplicate();
            finding.shown = Some(internal::shown("ServicePort", Some(&shown)));
            out.push(finding);
        }
    }
}

/// The ranges may be padded with blanks, and may stand in an annotation.
fn source_ranges(service: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let spec = service.get("spec");
    let ranges = spec.get("loadBalancerSourceRanges");
    let annotation = |service: &Field<'_>| {
        let annotations = service.get("metadata").get("annotations");
        annotations.key(SOURCE_RANGES).opt_str().map(str::to_owned)
    };
    if !ranges.is_empty() {
        let place = spec.get("LoadBalancerSourceRanges").with(ranges.value());
        if !is_balanced(&spec) {
            out.push(place.forbidden(ONLY_BALANCED));
        }
        let known: Vec<String> = old
            .map(|old| old.get("spec").get("loadBalancerSourceRanges"))
            .map(|ranges| ranges.strings().map(|range| range.trim().to_owned()).collect())
            .unwrap_or_default();
        for range in place.list() {
            let text = range.str().trim();
            if !known.iter().any(|known| known == text) {
                cidr::validate_legacy(&range, text, out);
            }
        }
    } else if let Some(text) = annotation(service) {
        let place = service.get("metadata").get("annotations").key(SOURCE_RANGES);
        if !is_balanced(&spec) {
            out.push(place.forbidden(ONLY_BALANCED));
        }
        if old.and_then(annotation).as_deref() != Some(&text) && !text.trim().is_empty() {
            for range in text.trim().split(',') {
                cidr::validate_legacy(&place, range.trim(), out);
            }
        }
    }
}

/// The class of a load balancer, which only they have.
pub fn load_balancer_class(spec: &Field<'_>, out: &mut Findings) {
    let class = spec.get("loadBalancerClass");
    if !class.exists() {
    } else if is_balanced(spec) {
        check::invalid(&class, names::qualified_name(class.str()), out);
    } else {
        out.push(class.forbidden(ONLY_BALANCED));
    }
}

fn external_traffic(spec: &Field<'_>, out: &mut Findings) {
    let (policy, port) = (spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort"));
    if is_externally_accessible(spec) {
        check::required_one_of(&policy, &["Cluster", "Local"], out);
    } else if !policy.is_empty() {
        out.push(policy.invalid("may only be set for externally-accessible services"));
    }
    if !needs_health_check(spec) {
        if port.int() != 0 {
            let detail =
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            out.push(port.invalid(detail));
        }
    } else if port.int() == 0 {
        out.push(port.required(""));
    } else {
        check::invalid(&port, names::port_number(port.int()), out);
    }
}

fn internal_traffic(spec: &Field<'_>, out: &mut Findings) {
    let policy = spec.get("internalTrafficPolicy");
    if policy.exists() {
        check::one_of(&policy, &["Cluster", "Local"], out);
    } else if matches!(spec.get("type").str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        out.push(policy.required(""));
    }
}
