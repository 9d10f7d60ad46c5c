//! The table of Services (`pkg/printers/internalversion/printers.go printService`).

use serde_json::Value;

use crate::cursor::Field;
use crate::{cell, table};

/// The cells of a Service.
pub fn cells(object: &Value, now: i64) -> Vec<Value> {
    let root = Field::root(object);
    let spec = root.get("spec");
    let ports: Vec<String> = spec.items("ports").map(|port| shown_port(&port)).collect();
    let ports = if ports.is_empty() {
        "<none>".to_owned()
    } else {
        ports.join(",")
    };
    vec![
        table::name(object),
        spec.get("type").str().into(),
        cell::text_or(&spec.get("clusterIPs").index(0), "<none>"),
        external(&root).into(),
        ports.into(),
        table::age(object, now),
        cell::labels(&spec.get("selector")),
    ]
}

fn shown_port(port: &Field<'_>) -> String {
    let (number, protocol) = (port.get("port").int(), port.get("protocol").str());
    match port.get("nodePort").int() {
        node if node > 0 => format!("{number}:{node}/{protocol}"),
        _ => format!("{number}/{protocol}"),
    }
}

fn external(service: &Field<'_>) -> String {
    let spec = service.get("spec");
    let mut addresses: Vec<&str> = spec.get("externalIPs").strings().collect();
    match spec.get("type").str() {
        "ClusterIP" | "NodePort" if addresses.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => addresses.join(","),
        "LoadBalancer" => {
            let balancer = cell::load_balancer(&service.get("status"));
            if !balancer.is_empty() {
                addresses.insert(0, &balancer);
            }
            if addresses.is_empty() {
                "<pending>".to_owned()
            } else {
                addresses.join(",")
            }
        }
        "ExternalName" => spec.get("externalName").str().to_owned(),
        _ => "<unknown>".to_owned(),
    }
}
