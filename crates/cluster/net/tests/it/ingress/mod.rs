//! The ingress on sockets of this machine's loopback.

mod backend;
mod hostile;
mod proxy;
mod reload;
mod tls;
mod wire;

use std::net::SocketAddr;

use deploy_cluster_api::client::ResourceId;
use deploy_cluster_net::ingress::{Ingress, Options, Published};
use serde_json::{Value, json};

use crate::world::{World, until};
use wire::Wire;

const INGRESSES: ResourceId = ResourceId::new("networking.k8s.io", "v1", "ingresses");

fn options(world: &World) -> Options {
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    Options {
        http: vec![any],
        https: vec![any],
        client: world.client(),
        published: vec![Published::Hostname("localhost".to_owned())],
        access_log: None,
    }
}

async fn started(world: &World) -> Ingress {
    Ingress::start(options(world)).await.expect("any port is free")
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    })
}

/// An Ingress of rules as `host path service`.
fn ingress(name: &str, rules: &[&str], annotations: Value) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let words: Vec<&str> = rule.split(' ').collect();
            json!({"host": words[0], "http": {"paths": [{
                "path": words[1], "pathType": "Prefix",
                "backend": {"service": {"name": words[2], "port": {"name": "http"}}},
            }]}})
        })
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"ingressClassName": "deploy", "rules": rules},
    })
}

/// A service `web` with these endpoints, and an Ingress for `h.test` that leads there.
async fn web(world: &World, backends: &[SocketAddr], annotations: Value) {
    for backend in backends {
        let name = format!("web-{}", backend.port());
        world.put_slice(&name, "web", &[*backend]).await;
    }
    world
        .create([service("web"), ingress("web", &["h.test / web"], annotations)])
        .await;
}

/// Waits until an ingress answers with this code: its table follows the cluster.
async fn answers(ingress: &Ingress, host: &str, path: &str, status: u16) {
    until("the route", async || {
        Wire::connect(ingress.http()[0])
            .await
            .get(host, path)
            .await
            .status
            == status
    })
    .await;
}
