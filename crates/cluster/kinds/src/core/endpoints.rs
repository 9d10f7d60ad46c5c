//! Endpoints (`pkg/registry/core/endpoint/strategy.go`, `pkg/apis/core/validation ValidateEndpoints`).

use std::net::IpAddr;

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, ip, metadata, names, table};

/// The row of Endpoints.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Endpoints",
    name: names::dns_subdomain_name,
    default: |object| {
        for subset in object.each("subsets") {
            for port in subset.each("ports") {
                port.default_zero("protocol", "TCP");
            }
        }
    },
    validate_create: |object| validate(&Field::root(object)),
    validate_update: |new, old| {
        let (new, old) = (Field::root(new), Field::root(old));
        let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
        if !new.get("subsets").same(&old.get("subsets")) {
            out.extend(validate(&new));
        }
        out
    },
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::ENDPOINTS,
    cells: |object, now| {
        let shown = shown(&Field::root(object)).into();
        vec![table::name(object), shown, table::age(object, now)]
    },
    create_on_update: true,
    ..GENERIC_RULES
};

/// Addresses shown in a table.
const SHOWN_MAX: usize = 3;

fn validate(object: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    for subset in object.items("subsets") {
        if subset.get("addresses").is_empty() && subset.get("notReadyAddresses").is_empty() {
            out.push(subset.required("must specify `addresses` or `notReadyAddresses`"));
        }
        for list in ["addresses", "notReadyAddresses"] {
            subset
                .items(list)
                .for_each(|address| validate_address(&address, &mut out));
        }
        let ports = subset.get("ports");
        for port in ports.list() {
            validate_port(&port, ports.len() > 1, &mut out);
        }
    }
    out
}

fn validate_address(address: &Field<'_>, out: &mut Findings) {
    let ip = address.get("ip");
    ip::validate_legacy(&ip, ip.str(), out);
    let (host, node) = (address.get("hostname"), address.get("nodeName"));
    if !host.is_empty() {
        check::invalid(&host, names::dns_label(host.str()), out);
    }
    if node.exists() {
        check::invalid(&node, names::dns_subdomain(node.str()), out);
    }
    endpoint_address(&ip, out);
}

/// An address that traffic can be sent to (`ValidateEndpointIP`).
pub fn endpoint_address(place: &Field<'_>, out: &mut Findings) {
    let text = place.str();
    let Some(address) = ip::parse(text) else {
        out.push(place.invalid("must be a valid IP address"));
        return;
    };
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    if address.is_unspecified() {
        out.push(place.invalid(format!("may not be unspecified ({text})")));
    }
    if address.is_loopback() {
        out.push(place.invalid("may not be in the loopback range (127.0.0.0/8, ::1/128)"));
    }
    if link_local {
        out.push(place.invalid("may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
    }
    if link_local_multicast {
        out.push(place.invalid("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
    }
}

fn validate_port(port: &Field<'_>, named: bool, out: &mut Findings) {
    let (name, number) = (port.get("name"), port.get("port"));
    if !name.is_empty() {
        check::invalid(&name, names::dns_label(name.str()), out);
    } else if named {
        out.push(name.required(""));
    }
    let texts = names::port_number(number.int());
    out.extend(
        texts
            .into_iter()
            .map(|text| number.invalid_value(number.int(), text)),
    );
    check::required_one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"], out);
    let application = port.get("appProtocol");
    if application.exists() {
        check::invalid(&application, names::qualified_name(application.str()), out);
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let root = Field::root(object);
    let labels = root.get("metadata").get("labels");
    if labels.key("endpoints.kubernetes.io/managed-by").str() == "endpoint-controller" {
        return Vec::new();
    }
    let addresses = |subset: Field<'_>| -> Vec<String> {
        ["addresses", "notReadyAddresses"]
            .into_iter()
            .flat_map(|list| subset.get(list).list().collect::<Vec<_>>())
            .filter_map(|address| ip::warning(&address.get("ip").path(), address.get("ip").str()))
            .collect()
    };
    root.items("subsets").flat_map(addresses).collect()
}

/// `printers.go formatEndpoints`: the first addresses, and how many more there are.
fn shown(object: &Field<'_>) -> String {
    if object.get("subsets").is_empty() {
        return "<none>".to_owned();
    }
    let mut all: Vec<String> = Vec::new();
    for subset in object.items("subsets") {
        let addresses: Vec<&str> = subset
            .items("addresses")
            .map(|address| address.get("ip").str())
            .collect();
        if subset.get("ports").is_empty() {
            all.extend(addresses.iter().map(|address| (*address).to_owned()));
        }
        for port in subset.items("ports").map(|port| port.get("port").int()) {
            all.extend(addresses.iter().map(|address| {
                if address.contains(':') {
                    format!("[{address}]:{port}")
                } else {
                    format!("{address}:{port}")
                }
            }));
        }
    }
    let first = all[..all.len().min(SHOWN_MAX)].join(",");
    match all.len().checked_sub(SHOWN_MAX) {
        Some(more) if more > 0 => format!("{first} + {more} more..."),
        _ => first,
    }
}
