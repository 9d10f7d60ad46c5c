//! The service `kube-dns`: the address that pods have in their resolv.conf, and where it leads.

use std::net::{Ipv4Addr, SocketAddr};

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_api::status::StatusError;
use serde_json::{Value, json};

use super::answer::SERVICE;

const SERVICES: ResourceId = ResourceId::new("", "v1", "services");
const SLICES: ResourceId = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");

/// The tenth address of the range of services, as kubeadm chooses it, where nobody says what the range is.
pub const ADDRESS: [u8; 4] = [10, 96, 0, 10];

/// The address of the service: the tenth of the range, in which the service `kubernetes` has the first.
pub(super) fn address(client: &Client) -> Ipv4Addr {
    let first = client.get(&SERVICES, "default", "kubernetes");
    let first = first.and_then(|service| service["spec"]["clusterIP"].as_str()?.parse::<Ipv4Addr>().ok());
    first.map_or(ADDRESS.into(), |first| {
        Ipv4Addr::from(u32::from(first).wrapping_add(9))
    })
}

/// Makes or mends the service and its endpoint.
pub(super) async fn apply(client: &Client, at: SocketAddr) -> Result<(), StatusError> {
    let (namespace, name) = SERVICE;
    let service = service(address(client));
    for (resource, object) in [(SERVICES, service), (SLICES, slice(at))] {
        client
            .patch(&resource, namespace, name, "", PatchKind::Apply, object)
            .await?;
    }
    Ok(())
}

fn service(address: Ipv4Addr) -> Value {
    let address = address.to_string();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": SERVICE.0,
            "name": SERVICE.1,
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        // No selector: the server itself answers, not a pod.
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [
                {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
                {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
            ],
        },
    })
}

fn slice(at: SocketAddr) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": SERVICE.0,
            "name": SERVICE.1,
            "labels": {
                "kubernetes.io/service-name": SERVICE.1,
                "endpointslice.kubernetes.io/managed-by": "dns.deploy.platform",
            },
        },
        "addressType": if at.is_ipv4() { "IPv4" } else { "IPv6" },
        "ports": [
            {"name": "dns", "protocol": "UDP", "port": at.port()},
            {"name": "dns-tcp", "protocol": "TCP", "port": at.port()},
        ],
        "endpoints": [{"addresses": [at.ip().to_string()], "conditions": {"ready": true}}],
    })
}
