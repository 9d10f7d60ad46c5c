//! The roles and bindings of the parts that a node brings along: kubelet, DNS, proxy, ingress, folders as volumes.
//!
//! Where upstream has a role, it is bound; upstream's own bindings are in the document beside this one. A kubelet elsewhere
//! is held by the node authorizer, which this server does not have: its one node is bound by name.

use serde_json::{Value, json};

use crate::authorization::GROUP;

/// The namespace of the parts' service accounts.
pub const NAMESPACE: &str = "kube-system";
/// Upstream's user for the proxy.
pub const PROXY: &str = "system:kube-proxy";
/// Upstream's account for DNS.
pub const DNS: &str = "kube-dns";
/// The account of the ingress.
pub const INGRESS: &str = "deploy-ingress";
/// The account that removes folders of volumes.
pub const VOLUMES: &str = "deploy-local-path";

/// All of them, for the node of this name.
pub fn objects(node: &str) -> Vec<Value> {
    let events = json!({"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]});
    let reads = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"]});
    let writes = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    vec![
        binding(
            "deploy:node",
            "system:node",
            &user(&format!("system:node:{node}")),
        ),
        role(
            "deploy:load-balancer",
            &json!([writes("", &["services/status"], &["patch", "update"])]),
        ),
        binding("deploy:load-balancer", "deploy:load-balancer", &user(PROXY)),
        role(
            "system:coredns",
            &json!([
                writes(
                    "",
                    &["endpoints", "services", "pods", "namespaces"],
                    &["list", "watch"]
                ),
                writes("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
            ]),
        ),
        binding("system:coredns", "system:coredns", &account(DNS)),
        role(
            "deploy:ingress",
            &json!([
                reads("", &["services", "endpoints", "pods", "secrets", "namespaces"]),
                reads("discovery.k8s.io", &["endpointslices"]),
                reads("networking.k8s.io", &["ingresses", "ingressclasses"]),
                writes("networking.k8s.io", &["ingressclasses"], &["create"]),
                writes("networking.k8s.io", &["ingresses/status"], &["patch", "update"]),
                events,
            ]),
        ),
        binding("deploy:ingress", "deploy:ingress", &account(INGRESS)),
        role(
            "deploy:local-path",
            &json!([
                writes("", &["persistentvolumes"], &["patch"]),
                writes("storage.k8s.io", &["storageclasses"], &["create", "delete"]),
            ]),
        ),
        binding("deploy:local-path", "deploy:local-path", &account(VOLUMES)),
        binding(
            "deploy:local-path-provisioner",
            "system:persistent-volume-provisioner",
            &account(VOLUMES),
        ),
        own_service(),
        own_service_binding(),
    ]
}

/// The DNS server says itself where it is found.
fn own_service() -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "Role",
        "metadata": {"name": "deploy:dns", "namespace": NAMESPACE},
        "rules": [
            {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "patch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["create", "patch"]},
        ],
    })
}

fn own_service_binding() -> Value {
    let mut binding = binding("deploy:dns", "deploy:dns", &account(DNS));
    binding["kind"] = "RoleBinding".into();
    binding["metadata"]["namespace"] = NAMESPACE.into();
    binding["roleRef"]["kind"] = "Role".into();
    binding
}

fn role(name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    })
}

fn binding(name: &str, role: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    })
}

fn user(name: &str) -> Value {
    json!({"apiGroup": GROUP, "kind": "User", "name": name})
}

fn account(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::rbac::Rbac;
    use crate::authorization::{Attributes, Authorizer as _};
    use crate::identity::UserInfo;

    #[test]
    fn each_part_may_do_its_work_and_no_other() {
        let rbac = Rbac::default();
        for object in super::super::objects().into_iter().chain(objects("n")) {
            let plural = format!("{}s", object["kind"].as_str().unwrap().to_ascii_lowercase());
            rbac.put(&format!("rbac.authorization.k8s.io/{plural}"), &object);
        }
        let may = |user: &UserInfo, verb: &str, group: &str, resource: &str, namespace: &str| {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            let wanted = Attributes {
                user: Some(user),
                verb,
                group,
                version: "v1",
                resource,
                subresource,
                namespace,
                resource_request: true,
                ..Attributes::default()
            };
            rbac.authorize(&wanted).allowed()
        };
        let kubelet = UserInfo::node("n");
        assert!(may(&kubelet, "patch", "", "nodes/status", ""));
        assert!(may(&kubelet, "patch", "", "pods/status", "default"));
        assert!(may(&kubelet, "delete", "", "pods", "default"));
        assert!(may(&kubelet, "create", "", "serviceaccounts/token", "default"));
        assert!(may(
            &kubelet,
            "patch",
            "coordination.k8s.io",
            "leases",
            "kube-node-lease"
        ));
        assert!(!may(&kubelet, "delete", "", "secrets", "default"));
        assert!(!may(&kubelet, "create", "apps", "deployments", "default"));
        assert!(!may(&UserInfo::node("other"), "patch", "", "nodes/status", ""));
        let proxy = UserInfo::named(PROXY, &[]);
        assert!(may(&proxy, "patch", "", "services/status", "default"));
        assert!(may(&proxy, "create", "", "events", "default"));
        assert!(!may(&proxy, "patch", "", "services", "default"));
        let dns = UserInfo::account(NAMESPACE, DNS);
        assert!(may(&dns, "patch", "", "services", NAMESPACE));
        assert!(may(&dns, "list", "discovery.k8s.io", "endpointslices", ""));
        assert!(!may(&dns, "patch", "", "services", "default"));
        let ingress = UserInfo::account(NAMESPACE, INGRESS);
        assert!(may(
            &ingress,
            "patch",
            "networking.k8s.io",
            "ingresses/status",
            "default"
        ));
        assert!(may(&ingress, "get", "", "secrets", "default"));
        assert!(!may(
            &ingress,
            "patch",
            "networking.k8s.io",
            "ingresses",
            "default"
        ));
        let volumes = UserInfo::account(NAMESPACE, VOLUMES);
        assert!(may(&volumes, "patch", "", "persistentvolumes", ""));
        assert!(may(&volumes, "create", "storage.k8s.io", "storageclasses", ""));
        assert!(!may(&volumes, "get", "", "secrets", "default"));
    }
}
