use std::net::Ipv4Addr;

use serde_json::Value;

use crate::addresses::Cidr;

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// The default.
    Tcp,
    /// Datagrams.
    Udp,
    /// Where the kernel has it.
    Sctp,
}

impl Protocol {
    fn read(value: &Value) -> Option<Protocol> {
        match value.as_str() {
            None | Some("TCP") => Some(Protocol::Tcp),
            Some("UDP") => Some(Protocol::Udp),
            Some("SCTP") => Some(Protocol::Sctp),
            Some(_) => None,
        }
    }

    /// Its number above IP.
    pub fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    /// `tcp`
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// Which endpoints traffic may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// All.
    #[default]
    Cluster,
    /// Those of this node.
    Local,
}

/// What is to be known of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created, as the API writes it.
    pub created: String,
    /// Its addresses in the cluster; none for a headless one and for a name outside.
    pub cluster_ips: Vec<Ipv4Addr>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Addresses that others route to this node.
    pub external_ips: Vec<Ipv4Addr>,
    /// True for the type LoadBalancer without a class, which is ours to give an address.
    pub load_balanced: bool,
    /// The addresses that its status has.
    pub ingress: Vec<Ipv4Addr>,
    /// Who may use the load balancer; everybody where it is empty.
    pub source_ranges: Vec<Cidr>,
    /// For how long a client stays with its endpoint, in seconds.
    pub affinity_seconds: Option<u32>,
    /// For what comes from outside.
    pub external_policy: Policy,
    /// For the cluster IP.
    pub internal_policy: Policy,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Empty where there is one only.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port at the cluster IP.
    pub port: u16,
    /// The port at the node's addresses.
    pub node_port: Option<u16>,
}

impl Service {
    /// Reads a Service; what is no service of IPv4 has no cluster IP.
    pub fn read(object: &Value) -> Service {
        let (metadata, spec) = (&object["metadata"], &object["spec"]);
        let kind = text(spec, "type");
        let policy = |field: &str| match spec[field].as_str() {
            Some("Local") => Policy::Local,
            _ => Policy::Cluster,
        };
        let all = addresses(&spec["clusterIPs"]);
        let one = address(&spec["clusterIP"]);
        let affinity = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
        let affinity = affinity.as_u64().unwrap_or(AFFINITY_SECONDS);
        let ingress = list(&object["status"]["loadBalancer"]["ingress"]);
        // A mode of Proxy says that packets do not arrive with that address.
        let arrives = |entry: &&Value| entry["ipMode"].as_str() != Some("Proxy");
        Service {
            namespace: text(metadata, "namespace"),
            name: text(metadata, "name"),
            created: text(metadata, "creationTimestamp"),
            cluster_ips: match (kind == "ExternalName", all.is_empty()) {
                (true, _) => Vec::new(),
                (false, true) => one.into_iter().collect(),
                (false, false) => all,
            },
            ports: list(&spec["ports"]).filter_map(service_port).collect(),
            external_ips: addresses(&spec["externalIPs"]),
            load_balanced: kind == "LoadBalancer" && spec["loadBalancerClass"].as_str().is_none(),
            ingress: ingress
                .filter(arrives)
                .filter_map(|entry| address(&entry["ip"]))
                .collect(),
            source_ranges: list(&spec["loadBalancerSourceRanges"])
                .filter_map(|range| range.as_str()?.trim().parse().ok())
                .collect(),
            affinity_seconds: (spec["sessionAffinity"].as_str() == Some("ClientIP"))
                .then_some(u32::try_from(affinity).unwrap_or(u32::MAX)),
            external_policy: policy("externalTrafficPolicy"),
            internal_policy: policy("internalTrafficPolicy"),
        }
    }
}

/// `DefaultClientIPServiceAffinitySeconds`
const AFFINITY_SECONDS: u64 = 10_800;

fn service_port(port: &Value) -> Option<ServicePort> {
    Some(ServicePort {
        name: text(port, "name"),
        protocol: Protocol::read(&port["protocol"])?,
        port: number(&port["port"])?,
        node_port: number(&port["nodePort"]),
    })
}

/// What is to be known of an EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its namespace.
    pub namespace: String,
    /// The name of its service.
    pub service: String,
    /// Where its endpoints listen.
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// Where endpoints listen for a port of their service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// The name of the service's port.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port at the endpoint.
    pub port: u16,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address: all that a slice lists are the same to us.
    pub address: Ipv4Addr,
    /// The node that it runs on, empty for none.
    pub node: String,
    /// How it is.
    pub condition: Condition,
}

/// Whether an endpoint takes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Ready,
    /// It is about to end, and still answers: better than nobody.
    Leaving,
    /// It does not.
    Unready,
}

impl Slice {
    /// Reads an EndpointSlice. One of another family than IPv4 has no endpoints.
    pub fn read(object: &Value) -> Slice {
        let of_ipv4 = object["addressType"].as_str() == Some("IPv4");
        let endpoints = list(&object["endpoints"])
            .filter(|_| of_ipv4)
            .filter_map(|endpoint| {
                Some(Endpoint {
                    address: list(&endpoint["addresses"]).find_map(address)?,
                    node: text(endpoint, "nodeName"),
                    condition: condition(&endpoint["conditions"]),
                })
            });
        let ports = list(&object["ports"]).filter_map(|port| {
            Some(SlicePort {
                name: text(port, "name"),
                protocol: Protocol::read(&port["protocol"])?,
                port: number(&port["port"])?,
            })
        });
        Slice {
            namespace: text(&object["metadata"], "namespace"),
            service: text(&object["metadata"]["labels"], "kubernetes.io/service-name"),
            ports: ports.collect(),
            endpoints: endpoints.collect(),
        }
    }
}

/// What is not said is true for ready, as ready for serving, and false for terminating
/// (`pkg/proxy/endpointslicecache.go addEndpoints`).
fn condition(conditions: &Value) -> Condition {
    let ready = conditions["ready"].as_bool().unwrap_or(true);
    let serving = conditions["serving"].as_bool().unwrap_or(ready);
    let terminating = conditions["terminating"].as_bool().unwrap_or(false);
    match (ready, serving && terminating) {
        (true, _) => Condition::Ready,
        (false, true) => Condition::Leaving,
        (false, false) => Condition::Unready,
    }
}

/// A port of the node that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port of the node.
    pub host_port: u16,
    /// Only at this address of the node.
    pub host_ip: Option<Ipv4Addr>,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// The pod's port.
    pub port: u16,
}

/// The ports of the node that a Pod of this node wants, once it has an address and as long as it lives.
pub fn host_ports(pod: &Value, node: &str) -> Vec<HostPort> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let over = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
    if spec["nodeName"].as_str() != Some(node) || spec["hostNetwork"].as_bool() == Some(true) || over {
        return Vec::new();
    }
    let Some(pod_address) = address(&status["podIP"]) else {
        return Vec::new();
    };
    let sidecar = |container: &&Value| container["restartPolicy"].as_str() == Some("Always");
    let containers = list(&spec["containers"]).chain(list(&spec["initContainers"]).filter(sidecar));
    let ports = containers.flat_map(|container| list(&container["ports"]));
    let wanted = ports.filter_map(|port| {
        Some(HostPort {
            namespace: text(&pod["metadata"], "namespace"),
            pod: text(&pod["metadata"], "name"),
            protocol: Protocol::read(&port["protocol"])?,
            host_port: number(&port["hostPort"])?,
            host_ip: address(&port["hostIP"]).filter(|address| !address.is_unspecified()),
            address: pod_address,
            port: number(&port["containerPort"])?,
        })
    });
    wanted.collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok()
}

fn addresses(value: &Value) -> Vec<Ipv4Addr> {
    list(value).filter_map(address).collect()
}

/// A port; 0 is none.
fn number(value: &Value) -> Option<u16> {
    let number = u16::try_from(value.as_u64()?).ok()?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_read() {
        let service = Service::read(&json!({
            "metadata": {"namespace": "shop", "name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "type": "LoadBalancer", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
                "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"},
                    {"port": 70000}, {"port": 1, "protocol": "ICMP"}],
                "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local",
                "loadBalancerSourceRanges": ["10.0.0.0/8", " 192.168.0.0/16", "nonsense"],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.5", "ipMode": "Proxy"}]}},
        }));
        assert_eq!(service.cluster_ips, [Ipv4Addr::new(10, 96, 0, 7)]);
        assert_eq!(service.ports.len(), 2);
        assert_eq!(
            (service.ports[0].node_port, service.ports[1].protocol),
            (Some(30080), Protocol::Udp)
        );
        assert_eq!(service.affinity_seconds, Some(10_800));
        assert_eq!(
            (service.external_policy, service.internal_policy),
            (Policy::Local, Policy::Cluster)
        );
        assert_eq!(service.source_ranges.len(), 2);
        assert_eq!(service.ingress, [Ipv4Addr::new(1, 2, 3, 4)]);
        assert!(service.load_balanced);
        let headless = Service::read(&json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}));
        assert!(headless.cluster_ips.is_empty());
        let name = Service::read(&json!({"spec": {"type": "ExternalName", "clusterIP": "10.96.0.1"}}));
        assert!(name.cluster_ips.is_empty());
    }

    #[test]
    fn conditions_have_defaults() {
        let check =
            |conditions: Value, expected| assert_eq!(condition(&conditions), expected, "{conditions}");
        check(Value::Null, Condition::Ready);
        check(json!({"ready": false}), Condition::Unready);
        check(
            json!({"ready": false, "serving": true, "terminating": true}),
            Condition::Leaving,
        );
        check(json!({"ready": false, "serving": true}), Condition::Unready);
        check(json!({"ready": true, "terminating": true}), Condition::Ready);
    }

    #[test]
    fn host_ports_are_those_of_pods_that_live_here() {
        let mut pod = json!({
            "metadata": {"namespace": "a", "name": "p"},
            "spec": {"nodeName": "n", "containers": [{"ports": [
                {"containerPort": 80, "hostPort": 8080},
                {"containerPort": 81},
                {"containerPort": 53, "hostPort": 5353, "protocol": "UDP", "hostIP": "127.0.0.1"},
            ]}]},
            "status": {"podIP": "10.1.2.3", "phase": "Running"},
        });
        let ports: Vec<_> = host_ports(&pod, "n")
            .iter()
            .map(|port| (port.host_port, port.port, port.host_ip))
            .collect();
        assert_eq!(ports, [(8080, 80, None), (5353, 53, Some(Ipv4Addr::LOCALHOST))]);
        assert!(host_ports(&pod, "m").is_empty());
        pod["status"]["phase"] = "Failed".into();
        assert!(host_ports(&pod, "n").is_empty());
        pod["status"]["phase"] = "Running".into();
        pod["spec"]["hostNetwork"] = true.into();
        assert!(host_ports(&pod, "n").is_empty());
    }
}
