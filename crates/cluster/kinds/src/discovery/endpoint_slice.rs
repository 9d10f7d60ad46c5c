//! EndpointSlice (`pkg/registry/discovery/endpointslice/strategy.go`, `pkg/apis/discovery/validation`).

use serde_json::Value;

use crate::core::endpoints::endpoint_address;
use crate::cursor::{Field, Findings, same};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::labels::validate_labels;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{cell, check, columns, ip, metadata, names, table};

/// The row of EndpointSlice.
pub const RULES: Rules = Rules {
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    name: names::dns_subdomain_name,
    default: |object| {
        for port in object.each("ports") {
            port.default_to("name", "");
            port.default_to("protocol", "TCP");
        }
    },
    prepare_create: |object| {
        metadata::first_generation(object);
        drop_topology(object);
    },
    prepare_update,
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), None, &mut out);
        out
    },
    validate_update: |new, old| {
        let (new, old) = (Field::root(new), Field::root(old));
        let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
        validate(&new, Some(&old), &mut out);
        metadata::immutable(&new.get("addressType"), &old.get("addressType"), &mut out);
        out
    },
    warnings: |object| {
        let root = Field::root(object);
        let mut out = Vec::new();
        if root.get("addressType").str() == "FQDN" {
            out.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
        }
        out.extend(address_warnings(&root));
        out
    },
    update_warnings: |new, _| address_warnings(&Field::root(new)),
    columns: columns::ENDPOINT_SLICE,
    cells,
    ..GENERIC_RULES
};

const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20000;
const TOPOLOGY_MAX: usize = 16;
const HINTS_MAX: usize = 8;

fn drop_topology(object: &mut Value) {
    for endpoint in object.each("endpoints") {
        endpoint.unset("deprecatedTopology");
    }
}

/// The generation counts all that is not metadata, and labels.
fn prepare_update(new: &mut Value, old: &Value) {
    let labels = |object: &Value| Field::root(object).get("metadata").get("labels").value().cloned();
    let changed = ["addressType", "endpoints", "ports"]
        .iter()
        .any(|name| !same(new.get(name), old.get(name)));
    if changed || !same(labels(new).as_ref(), labels(old).as_ref()) {
        metadata::next_generation(new, old);
    }
    if !same(new.get("endpoints"), old.get("endpoints")) {
        drop_topology(new);
    }
}

fn validate(slice: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    check::required_one_of(&slice.get("addressType"), &["FQDN", "IPv4", "IPv6"], out);
    ports(&slice.get("ports"), out);
    let endpoints = slice.get("endpoints");
    if old.is_some_and(|old| old.get("endpoints").same(&endpoints)) {
        return;
    }
    if endpoints.len() > ENDPOINTS_MAX {
        out.push(endpoints.too_many(ENDPOINTS_MAX));
        return;
    }
    let family = slice.get("addressType").str();
    for endpoint in endpoints.list() {
        validate_endpoint(&endpoint, family, out);
    }
}

fn ports(ports: &Field<'_>, out: &mut Findings) {
    if ports.len() > PORTS_MAX {
        out.push(ports.too_many(PORTS_MAX));
        return;
    }
    let mut seen = Vec::new();
    for port in ports.list() {
        let (name, application) = (port.get("name"), port.get("appProtocol"));
        if !name.is_empty() {
            check::invalid(&name, names::dns_label(name.str()), out);
        }
        if seen.contains(&name.str()) {
            out.push(name.duplicate());
        } else {
            seen.push(name.str());
        }
        let protocol = port.get("protocol");
        if protocol.exists() {
            check::one_of(&protocol, &["SCTP", "TCP", "UDP"], out);
        } else {
            out.push(protocol.required(""));
        }
        if application.exists() {
            check::invalid(&application, names::qualified_name(application.str()), out);
        }
    }
}

fn validate_endpoint(endpoint: &Field<'_>, family: &str, out: &mut Findings) {
    let addresses = endpoint.get("addresses");
    if addresses.is_empty() {
        out.push(addresses.required("must contain at least 1 address"));
    } else if addresses.len() > ADDRESSES_MAX {
        out.push(addresses.too_many(ADDRESSES_MAX));
    }
    for address in addresses.list() {
        match family {
            "IPv4" => legacy_address(&addresses, &address, out),
            "IPv6" => strict_address(&addresses, &address, out),
            "FQDN" => domain_name(&address, out),
            _ => {}
        }
    }
    let (node, host) = (endpoint.get("nodeName"), endpoint.get("hostname"));
    if node.exists() {
        check::invalid(&node, names::dns_subdomain(node.str()), out);
    }
    let topology = endpoint.get("deprecatedTopology");
    if topology.len() > TOPOLOGY_MAX {
        out.push(topology.too_many(TOPOLOGY_MAX));
    }
    validate_labels(&topology, out);
    if host.exists() {
        check::invalid(&host, names::dns_label(host.str()), out);
    }
    hints(&endpoint.get("hints"), out);
}

fn legacy_address(addresses: &Field<'_>, address: &Field<'_>, out: &mut Findings) {
    match ip::parse(address.str()) {
        None => ip::validate_legacy(address, address.str(), out),
        Some(parsed) => {
            if parsed.is_ipv6() && !ip::is_mapped(parsed) {
                out.push(addresses.invalid_value(address.str(), "must be an IPv4 address"));
            }
            endpoint_address(address, out);
        }
    }
}

fn strict_address(addresses: &Field<'_>, address: &Field<'_>, out: &mut Findings) {
    let text = address.str();
    let Some(parsed) = ip::parse(text) else {
        return ip::validate_legacy(address, text, out);
    };
    let detail = if text.parse::<std::net::IpAddr>().is_err() {
        "must not have leading 0s".to_owned()
    } else if ip::is_mapped(parsed) {
        "must not be an IPv4-mapped IPv6 address".to_owned()
    } else if parsed.to_string() != text {
        format!("must be in canonical form ({})", go_quote(&parsed.to_string()))
    } else {
        if parsed.is_ipv4() {
            out.push(addresses.invalid_value(text, "must be an IPv6 address"));
        }
        return endpoint_address(address, out);
    };
    out.push(address.invalid(detail));
}

/// `IsFullyQualifiedDomainName`
fn domain_name(place: &Field<'_>, out: &mut Findings) {
    let name = place.str();
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut bad = |value: &str, detail: String| out.push(place.invalid_value(value, detail));
    let texts = names::dns_subdomain(name);
    if place.is_empty() {
        out.push(place.required(""));
    } else if !texts.is_empty() {
        bad(name, texts.join(","));
    } else if !name.contains('.') {
        bad(
            name,
            "should be a domain with at least two segments separated by dots".to_owned(),
        );
    } else if let Some(label) = name.split('.').find(|label| !names::dns_label(label).is_empty()) {
        bad(label, names::dns_label(label).join(","));
    }
}

/// Tells what is wrong with a name.
type Rule = fn(&str) -> Vec<String>;

fn hints(hints: &Field<'_>, out: &mut Findings) {
    let lists: [(&'static str, Rule); 2] = [
        ("forZones", names::label_value),
        ("forNodes", names::dns_subdomain),
    ];
    for (list, rule) in lists {
        let list = hints.get(list);
        if list.len() > HINTS_MAX {
            out.push(list.too_many(HINTS_MAX));
            return;
        }
        let mut seen = Vec::new();
        for name in list.list().map(|hint| hint.get("name")) {
            if seen.contains(&name.str()) {
                out.push(name.duplicate());
            } else {
                seen.push(name.str());
            }
            check::invalid(&name, rule(name.str()), out);
        }
    }
}

fn address_warnings(slice: &Field<'_>) -> Vec<String> {
    let labels = slice.get("metadata").get("labels");
    let manager = labels.key("endpointslice.kubernetes.io/managed-by").str();
    if manager == "endpointslice-controller.k8s.io" || manager == "endpointslicemirroring-controller.k8s.io" {
        return Vec::new();
    }
    let addresses = slice
        .items("endpoints")
        .flat_map(|endpoint| endpoint.items("addresses"));
    addresses
        .filter_map(|address| ip::warning(&address.path(), address.str()))
        .collect()
}

fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let ports: Vec<String> = root
        .items("ports")
        .map(
            |port| match (port.get("port").opt_int(), port.get("name").opt_str()) {
                (Some(number), _) => number.to_string(),
                (None, Some(name)) => name.to_owned(),
                (None, None) => "*".to_owned(),
            },
        )
        .collect();
    let addresses: Vec<String> = root
        .items("endpoints")
        .flat_map(|endpoint| endpoint.items("addresses"))
        .map(|address| address.str().to_owned())
        .collect();
    vec![
        table::name(object),
        root.get("addressType").str().into(),
        cell::first_three(&ports),
        cell::first_three(&addresses),
        table::age(object, now),
    ]
}
