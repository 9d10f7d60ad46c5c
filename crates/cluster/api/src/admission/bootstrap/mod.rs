//! What every cluster has before its first user: namespaces, priority classes, flow control, the service `kubernetes`.
//!
//! Roles and bindings are in [`crate::authorization::bootstrap`]. The server creates what is missing, in this order,
//! each time it starts, as [`crate::identity::UserInfo::api_server`] with the field manager `kube-apiserver`.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::identifiers;

/// What the objects depend on.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The address of the service `kubernetes`, the first of the range.
    pub service_address: Ipv4Addr,
    /// `10.96.0.0/16`
    pub service_range: &'a str,
    /// The certificate of the cluster's authority, in PEM.
    pub authority: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// An object that every cluster has.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The whole object, without what the server fills in.
    pub object: Value,
    /// What becomes of one that is there: nothing, or these fields of it are set to ours.
    pub restored: &'static [&'static str],
}

/// The namespaces of the system.
pub fn namespaces() -> Vec<Value> {
    let namespace = |name: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        })
    };
    ["kube-system", "kube-public", "kube-node-lease", "default"]
        .map(namespace)
        .into()
}

/// All other objects: priority classes, flow control, the two ConfigMaps of `kube-system`, and the service
/// `kubernetes` with its range and its endpoints.
pub fn objects(site: &Site<'_>) -> Vec<Wanted> {
    let keep = |object| Wanted {
        object,
        restored: &[],
    };
    let mut objects: Vec<Wanted> = priority_classes().into_iter().map(keep).collect();
    objects.extend(flow_control(site.now).into_iter().map(keep));
    objects.push(Wanted {
        object: extension_authentication(site.authority),
        restored: &["data"],
    });
    objects.push(keep(token_tracking(site.now)));
    objects.extend(api_services(site.now).into_iter().map(keep));
    objects.push(keep(service_range(site)));
    objects.push(keep(service(site)));
    objects.extend(found_at(site.listen));
    objects
}

/// Where the service `kubernetes` leads.
pub fn found_at(address: SocketAddr) -> Vec<Wanted> {
    let [endpoints, slice] = endpoints(address);
    let endpoints = Wanted {
        object: endpoints,
        restored: &["subsets"],
    };
    let slice = Wanted {
        object: slice,
        restored: &["endpoints", "ports"],
    };
    vec![endpoints, slice]
}

/// Group, priority of the group, version, priority of the version
/// (`pkg/controlplane/apiserver/aggregator.go DefaultGenericAPIServicePriorities`, `pkg/controlplane/instance.go`).
const API_SERVICES: [(&str, u32, &str, u32); 21] = [
    ("", 18000, "v1", 1),
    ("admissionregistration.k8s.io", 16700, "v1", 15),
    ("apiextensions.k8s.io", 16700, "v1", 15),
    ("apps", 17800, "v1", 15),
    ("authentication.k8s.io", 17700, "v1", 15),
    ("authorization.k8s.io", 17600, "v1", 15),
    ("autoscaling", 17500, "v1", 15),
    ("autoscaling", 17500, "v2", 30),
    ("batch", 17400, "v1", 15),
    ("certificates.k8s.io", 17300, "v1", 15),
    ("coordination.k8s.io", 16500, "v1", 15),
    ("discovery.k8s.io", 16200, "v1", 15),
    ("events.k8s.io", 17750, "v1", 15),
    ("flowcontrol.apiserver.k8s.io", 16100, "v1", 21),
    ("networking.k8s.io", 17200, "v1", 15),
    ("node.k8s.io", 16300, "v1", 15),
    ("policy", 17100, "v1", 15),
    ("rbac.authorization.k8s.io", 17000, "v1", 15),
    ("resource.k8s.io", 16200, "v1", 21),
    ("scheduling.k8s.io", 16600, "v1", 15),
    ("storage.k8s.io", 16800, "v1", 15),
];

/// The built-in versions, as the aggregator of upstream registers them: served here.
fn api_services(now: i64) -> Vec<Value> {
    let service = |(group, group_priority, version, priority): (&str, u32, &str, u32)| {
        let mut spec =
            json!({"groupPriorityMinimum": group_priority, "version": version, "versionPriority": priority});
        if !group.is_empty() {
            spec["group"] = group.into();
        }
        json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {
                "name": format!("{version}.{group}"),
                "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
            },
            "spec": spec,
            "status": {"conditions": [{
                "type": "Available",
                "status": "True",
                "reason": "Local",
                "message": "Local APIServices are always available",
                "lastTransitionTime": identifiers::time_text(now),
            }]},
        })
    };
    API_SERVICES.map(service).into()
}

fn priority_classes() -> [Value; 2] {
    let class = |name: &str, value: u32, description: &str| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        })
    };
    [
        class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
        class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
    ]
}

/// The objects of API priority and fairness. They are served, and nothing is queued by them: one server on one machine
/// has no flow to protect from another.
fn flow_control(now: i64) -> Vec<Value> {
    let mut objects: Vec<Value> =
        serde_json::from_str(include_str!("flow_control.json")).expect("a test reads the built-in document");
    let conditions = objects
        .iter_mut()
        .filter_map(|object| object["status"]["conditions"].as_array_mut());
    for condition in conditions.flatten() {
        condition["lastTransitionTime"] = identifiers::time_text(now).into();
    }
    objects
}

/// Tells API servers behind this one how to know its users (`pkg/controlplane/controller/clusterauthenticationtrust`).
fn extension_authentication(authority: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {"client-ca-file": authority},
    })
}

/// Since when tokens in Secrets are tracked (`pkg/controlplane/controller/legacytokentracking`).
fn token_tracking(now: i64) -> Value {
    let day = &identifiers::time_text(now)[..10];
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-apiserver-legacy-service-account-token-tracking", "namespace": "kube-system"},
        "data": {"since": day},
    })
}

fn service_range(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [site.service_range]},
        "status": {"conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "",
            "message": "Kubernetes default Service CIDR is ready",
            "lastTransitionTime": identifiers::time_text(site.now),
        }]},
    })
}

fn service(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": site.service_address.to_string(),
            "clusterIPs": [site.service_address.to_string()],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": site.listen.port()}],
        },
    })
}

/// Where the server is found, as Endpoints and as EndpointSlice (`pkg/controlplane/reconcilers`).
fn endpoints(listen: SocketAddr) -> [Value; 2] {
    // Endpoints may not name the loopback or the unspecified address; upstream then has a reconciler that names none.
    let address = listen.ip();
    let reachable = !address.is_loopback() && !address.is_unspecified();
    let (ip, port) = (address.to_string(), listen.port());
    let ports = json!([{"name": "https", "port": port, "protocol": "TCP"}]);
    let subsets = if reachable {
        json!([{"addresses": [{"ip": ip}], "ports": ports}])
    } else {
        Value::Array(Vec::new())
    };
    let ready = if reachable {
        json!([{"addresses": [ip], "conditions": {"ready": true}}])
    } else {
        Value::Array(Vec::new())
    };
    let metadata = |labels: Value| json!({"name": "kubernetes", "namespace": "default", "labels": labels});
    [
        json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": metadata(json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
            "subsets": subsets,
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata(json!({"kubernetes.io/service-name": "kubernetes"})),
            "addressType": if address.is_ipv6() { "IPv6" } else { "IPv4" },
            "endpoints": ready,
            "ports": ports,
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_whole() {
        let site = Site {
            listen: ([192, 0, 2, 1], 6443).into(),
            service_address: Ipv4Addr::new(10, 96, 0, 1),
            service_range: "10.96.0.0/16",
            authority: "PEM",
            now: 1_790_000_000,
        };
        let objects = objects(&site);
        assert_eq!(objects.len(), 2 + 19 + 2 + API_SERVICES.len() + 2 + 2);
        for wanted in &objects {
            let object = &wanted.object;
            assert!(
                object["kind"].is_string() && object["metadata"]["name"].is_string(),
                "{object}"
            );
            assert!(
                wanted.restored.iter().all(|field| !object[*field].is_null()),
                "{object}"
            );
        }
        let find = |kind: &str| &objects.iter().find(|w| w.object["kind"] == kind).unwrap().object;
        assert_eq!(
            find("FlowSchema")["status"]["conditions"][0]["lastTransitionTime"],
            "2026-09-21T14:13:20Z"
        );
        assert_eq!(find("EndpointSlice")["endpoints"][0]["addresses"][0], "192.0.2.1");
        assert_eq!(find("Endpoints")["subsets"][0]["ports"][0]["port"], 6443);
        assert_eq!(find("Service")["spec"]["clusterIP"], "10.96.0.1");
        assert_eq!(namespaces().len(), 4);
    }
}
