//! What a Service holds, and what a write of it takes and leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::families::{self, invalid, refuse};
use super::pool::Refused;
use super::{Holdings, NODE_PORTS, Reservation};
use crate::status::StatusError;

/// The addresses and ports that a Service has.
pub(super) fn holdings(service: &Value) -> Holdings {
    Holdings {
        addresses: addresses(service),
        ports: node_ports(service)
            .into_iter()
            .chain(health_port(service))
            .collect(),
    }
}

pub(super) fn create(new: &mut Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    let single = &new["spec"]["clusterIP"];
    if !text(single).is_empty() && list(&new["spec"]["clusterIPs"]).is_empty() {
        new["spec"]["clusterIPs"] = json!([single]);
    }
    families::fill_in(new, None)?;
    take_addresses(new, reservation)?;
    if matches!(kind_of(new), "NodePort" | "LoadBalancer") {
        take_new_ports(new, reservation)?;
    }
    if needs_health_port(new) {
        take_health_port(new, reservation)?;
    }
    Ok(())
}

pub(super) fn update(new: &mut Value, old: &Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    keep_allocated(new, old);
    align_addresses(new, old);
    families::fill_in(new, Some(old))?;
    if kind_of(old) == "ExternalName" {
        take_addresses(new, reservation)?;
    } else if kind_of(new) == "ExternalName" {
        reservation.left.addresses = addresses(old);
    }
    update_ports(new, old, reservation)?;
    match (needs_health_port(old), needs_health_port(new)) {
        (false, true) => take_health_port(new, reservation)?,
        (true, false) => reservation.left.ports.extend(health_port(old)),
        _ => {}
    }
    Ok(())
}

/// What the client has not repeated stays (`patchAllocatedValues`).
fn keep_allocated(new: &mut Value, old: &Value) {
    let has_address = |service: &Value| matches!(kind_of(service), "ClusterIP" | "NodePort" | "LoadBalancer");
    if has_address(old) && has_address(new) {
        if text(&new["spec"]["clusterIP"]).is_empty() && !old["spec"]["clusterIP"].is_null() {
            new["spec"]["clusterIP"] = old["spec"]["clusterIP"].clone();
        }
        if list(&new["spec"]["clusterIPs"]).is_empty() && !list(&old["spec"]["clusterIPs"]).is_empty() {
            new["spec"]["clusterIPs"] = old["spec"]["clusterIPs"].clone();
        }
    }
    if wants_ports(old) && wants_ports(new) {
        let both: BTreeSet<u32> = node_ports(old).intersection(&node_ports(new)).copied().collect();
        let known: BTreeMap<&str, u32> = list(&old["spec"]["ports"])
            .iter()
            .map(|port| (text(&port["name"]), node_port(port)))
            .collect();
        for port in new["spec"]["ports"].as_array_mut().into_iter().flatten() {
            let before = known.get(text(&port["name"])).copied().unwrap_or_default();
            if node_port(port) == 0 && before != 0 && !both.contains(&before) {
                port["nodePort"] = before.into();
            }
        }
    }
    if needs_health_port(old) && needs_health_port(new) && health_port(new).is_none() {
        new["spec"]["healthCheckNodePort"] = old["spec"]["healthCheckNodePort"].clone();
    }
}

/// Keeps `clusterIP` and `clusterIPs` in step where the client has changed one of them (`normalizeClusterIPs`).
fn align_addresses(new: &mut Value, old: &Value) {
    let (one, before) = (text(&new["spec"]["clusterIP"]), text(&old["spec"]["clusterIP"]));
    let (many, many_before) = (list(&new["spec"]["clusterIPs"]), list(&old["spec"]["clusterIPs"]));
    if one == before {
        if many.is_empty() && !many_before.is_empty() {
            new["spec"]["clusterIPs"] = many_before.into();
        }
    } else if many == many_before {
        if one.is_empty() {
            if let Some(spec) = new["spec"].as_object_mut() {
                spec.remove("clusterIPs");
            }
        } else {
            new["spec"]["clusterIPs"] = json!([one]);
        }
    }
}

fn take_addresses(new: &mut Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    let wanted = texts(&new["spec"]["clusterIPs"]);
    if kind_of(new) == "ExternalName" || wanted.first().is_some_and(|first| first == "None") {
        return Ok(());
    }
    let address = match wanted.first().filter(|first| !first.is_empty()) {
        None => {
            let address = reservation.take_any_address();
            let full = || StatusError::internal("failed to allocate a serviceIP: range is full");
            Ipv4Addr::from(address.ok_or_else(full)?).to_string()
        }
        Some(first) => {
            let Ok(address) = first.parse::<Ipv4Addr>() else {
                // Validation says what is wrong with it.
                return Ok(());
            };
            if let Err(refused) = reservation.take_address(address.into()) {
                let why = match refused {
                    Refused::Taken => "provided IP is already allocated",
                    Refused::Outside => "the provided network does not match the current range",
                };
                let detail = format!("failed to allocate IP {first}: {why}");
                return refuse(
                    new,
                    &[invalid("spec.clusterIPs".to_owned(), json!(wanted), detail)],
                );
            }
            first.clone()
        }
    };
    let mut addresses = wanted.clone();
    addresses.truncate(1);
    if addresses.is_empty() {
        addresses.push(String::new());
    }
    addresses[0].clone_from(&address);
    addresses.extend(wanted.into_iter().skip(1));
    new["spec"]["clusterIPs"] = json!(addresses);
    new["spec"]["clusterIP"] = address.into();
    Ok(())
}

/// Ports of a new Service: the same number for the same port of several protocols (`initNodePorts`).
fn take_new_ports(new: &mut Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    let allocate = wants_ports(new);
    let mut ports = list(&new["spec"]["ports"]).to_vec();
    let mut known: BTreeMap<i64, u32> = BTreeMap::new();
    for place in 0..ports.len() {
        let (number, own) = (
            ports[place]["port"].as_i64().unwrap_or_default(),
            node_port(&ports[place]),
        );
        if own == 0 && !allocate {
            continue;
        }
        let taken = match known.get(&number) {
            Some(&known) if own == 0 || own == known => known,
            Some(_) => take_port(new, place, own, reservation)?,
            None => {
                let same = |port: &&Value| port["port"].as_i64() == Some(number) && node_port(port) != 0;
                let taken = match ports.iter().find(same).map(node_port) {
                    Some(asked) => take_port(new, place, asked, reservation)?,
                    None => take_any_port(reservation)?,
                };
                known.insert(number, taken);
                taken
            }
        };
        ports[place]["nodePort"] = taken.into();
    }
    if !ports.is_empty() {
        new["spec"]["ports"] = ports.into();
    }
    Ok(())
}

fn update_ports(new: &mut Value, old: &Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    let has_ports = |service: &Value| matches!(kind_of(service), "NodePort" | "LoadBalancer");
    let before = node_ports(old);
    if !has_ports(new) {
        if has_ports(old) {
            reservation.left.ports.extend(before);
        }
        return Ok(());
    }
    let allocate = wants_ports(new);
    let mut ports = list(&new["spec"]["ports"]).to_vec();
    let mut seen = BTreeSet::new();
    for (place, port) in ports.iter_mut().enumerate() {
        let own = node_port(port);
        if own == 0 && !allocate {
            continue;
        }
        let number = match own {
            0 => take_any_port(reservation)?,
            own if before.contains(&own) || reservation.taken.ports.contains(&own) => own,
            own => take_port(new, place, own, reservation)?,
        };
        port["nodePort"] = number.into();
        let protocol = text(&port["protocol"]).to_owned();
        if !seen.insert((protocol.clone(), number)) {
            return Err(StatusError::new(
                500,
                "",
                format!("duplicate nodePort: {{{protocol} {number}}}"),
            ));
        }
    }
    if !ports.is_empty() {
        new["spec"]["ports"] = ports.into();
    }
    let now = node_ports(new);
    reservation.left.ports.extend(before.difference(&now));
    Ok(())
}

fn take_port(
    service: &Value,
    place: usize,
    port: u32,
    reservation: &mut Reservation,
) -> Result<u32, StatusError> {
    let Err(refused) = reservation.take_port(port) else {
        return Ok(port);
    };
    let path = format!("spec.ports[{place}].nodePort");
    refuse(service, &[invalid(path, port.into(), port_refusal(refused))]).map(|()| port)
}

fn take_any_port(reservation: &mut Reservation) -> Result<u32, StatusError> {
    let full = || StatusError::internal("failed to allocate a nodePort: range is full");
    reservation.take_any_port().ok_or_else(full)
}

/// The port under which a balancer asks whether this node has endpoints.
fn take_health_port(new: &mut Value, reservation: &mut Reservation) -> Result<(), StatusError> {
    match health_port(new) {
        Some(port) => reservation.take_port(port).map_err(|refused| {
            let why = port_refusal(refused);
            StatusError::internal(&format!(
                "failed to allocate requested HealthCheck NodePort {port}: {why}"
            ))
        }),
        None => {
            let full = || StatusError::internal("failed to allocate a HealthCheck NodePort 0: range is full");
            let port = reservation.take_any_port().ok_or_else(full)?;
            new["spec"]["healthCheckNodePort"] = port.into();
            Ok(())
        }
    }
}

fn port_refusal(refused: Refused) -> String {
    match refused {
        Refused::Taken => "provided port is already allocated".to_owned(),
        Refused::Outside => {
            let (first, last) = NODE_PORTS;
            format!("provided port is not in the valid range. The range of valid ports is {first}-{last}")
        }
    }
}

/// `spec.type`, defaulted.
pub(super) fn kind_of(service: &Value) -> &str {
    match text(&service["spec"]["type"]) {
        "" => "ClusterIP",
        kind => kind,
    }
}

/// Whether ports are given to a Service that asks for none by number.
fn wants_ports(service: &Value) -> bool {
    match kind_of(service) {
        "NodePort" => true,
        "LoadBalancer" => service["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    }
}

fn needs_health_port(service: &Value) -> bool {
    kind_of(service) == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

fn health_port(service: &Value) -> Option<u32> {
    let port = service["spec"]["healthCheckNodePort"]
        .as_u64()
        .filter(|port| *port != 0)?;
    u32::try_from(port).ok()
}

fn addresses(service: &Value) -> BTreeSet<u32> {
    if kind_of(service) == "ExternalName" {
        return BTreeSet::new();
    }
    let addresses = texts(&service["spec"]["clusterIPs"])
        .into_iter()
        .chain([text(&service["spec"]["clusterIP"]).to_owned()]);
    addresses
        .filter_map(|address| address.parse::<Ipv4Addr>().ok())
        .map(u32::from)
        .collect()
}

fn node_ports(service: &Value) -> BTreeSet<u32> {
    list(&service["spec"]["ports"])
        .iter()
        .map(node_port)
        .filter(|port| *port != 0)
        .collect()
}

fn node_port(port: &Value) -> u32 {
    port["nodePort"]
        .as_u64()
        .and_then(|port| u32::try_from(port).ok())
        .unwrap_or_default()
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
