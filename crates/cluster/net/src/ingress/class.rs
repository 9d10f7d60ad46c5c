//! Our IngressClass, and what we say of Ingresses.

use std::net::SocketAddr;

use deploy_cluster_api::client::{Client, ResourceId};
use serde_json::{Value, json};

use super::routes::CONTROLLER;
use super::server::Published;

/// The name of our class.
const NAME: &str = "deploy";
/// Says that Ingresses without a class are of this one.
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// All IngressClasses.
pub(super) const CLASSES: ResourceId = ResourceId::new("networking.k8s.io", "v1", "ingressclasses");

/// Makes our class where it is missing. It is the default one unless there is another; what people have made of it
/// stays.
pub(super) async fn make(client: &Client) -> Result<(), String> {
    if client.get(&CLASSES, "", NAME).is_some() {
        return Ok(());
    }
    let has_default = client
        .list(&CLASSES, None)
        .iter()
        .any(|class| class["metadata"]["annotations"][DEFAULT] == "true");
    let mut class = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": NAME},
        "spec": {"controller": CONTROLLER},
    });
    if !has_default {
        class["metadata"]["annotations"] = json!({DEFAULT: "true"});
    }
    match client.create(&CLASSES, class).await {
        Err(error) if error.reason != "AlreadyExists" => Err(error.message),
        _ => Ok(()),
    }
}

/// `status.loadBalancer.ingress` of our Ingresses.
pub(super) fn status(published: &[Published], http: &[SocketAddr], https: &[SocketAddr]) -> Value {
    let mut ports: Vec<u16> = http.iter().chain(https).map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    let ports: Vec<Value> = ports
        .into_iter()
        .map(|port| json!({"port": port, "protocol": "TCP"}))
        .collect();
    let each = published.iter().map(|published| match published {
        Published::Address(address) => json!({"ip": address.to_string(), "ports": ports}),
        Published::Hostname(name) => json!({"hostname": name, "ports": ports}),
    });
    each.collect()
}
