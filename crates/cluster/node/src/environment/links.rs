//! Environment variables that tell where services are (`pkg/kubelet/envvars`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::lookups::Lookups;

/// The service that every container hears of, wherever it is.
const MASTER: (&str, &str) = ("default", "kubernetes");

/// The variables for a pod: of the API server always, of its namespace's services where `enableServiceLinks` says so.
pub(super) fn variables(pod: &Value, lookups: &dyn Lookups) -> BTreeMap<String, String> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut services: BTreeMap<String, std::sync::Arc<Value>> = BTreeMap::new();
    if pod["spec"]["enableServiceLinks"] != false {
        for service in lookups
            .services(namespace)
            .into_iter()
            .filter(|service| has_address(service))
        {
            services.insert(name(&service).to_owned(), service);
        }
    }
    // In its own namespace it may be any of the two; elsewhere a namesake does not hide a pod's own service.
    for service in lookups.services(MASTER.0) {
        if name(&service) == MASTER.1 {
            services.entry(MASTER.1.to_owned()).or_insert(service);
        }
    }
    services
        .values()
        .flat_map(|service| of_service(service))
        .collect()
}

fn name(service: &Value) -> &str {
    service["metadata"]["name"].as_str().unwrap_or_default()
}

fn has_address(service: &Value) -> bool {
    !matches!(service["spec"]["clusterIP"].as_str(), None | Some("" | "None"))
}

fn of_service(service: &Value) -> Vec<(String, String)> {
    let address = service["spec"]["clusterIP"].as_str().unwrap_or_default();
    let ports = service["spec"]["ports"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let Some(first) = ports.first().filter(|_| has_address(service)) else {
        return Vec::new();
    };
    let prefix = variable(name(service));
    let mut all = vec![
        (format!("{prefix}_SERVICE_HOST"), address.to_owned()),
        (format!("{prefix}_SERVICE_PORT"), number(first)),
    ];
    for port in ports {
        if let Some(own) = port["name"].as_str().filter(|own| !own.is_empty()) {
            all.push((format!("{prefix}_SERVICE_PORT_{}", variable(own)), number(port)));
        }
    }
    for (index, port) in ports.iter().enumerate() {
        all.extend(links(&prefix, address, port, index == 0));
    }
    all
}

/// As Docker's links were.
fn links(prefix: &str, address: &str, port: &Value, is_first: bool) -> Vec<(String, String)> {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let number = number(port);
    let host = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    let url = format!("{}://{host}:{number}", protocol.to_lowercase());
    let own = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
    let mut all = Vec::new();
    if is_first {
        all.push((format!("{prefix}_PORT"), url.clone()));
    }
    all.extend([
        (own.clone(), url),
        (format!("{own}_PROTO"), protocol.to_lowercase()),
        (format!("{own}_PORT"), number),
        (format!("{own}_ADDR"), address.to_owned()),
    ]);
    all
}

fn number(port: &Value) -> String {
    port["port"].as_i64().unwrap_or_default().to_string()
}

fn variable(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::super::lookups::memory::Memory;
    use super::*;
    use serde_json::json;

    fn service(namespace: &str, name: &str, address: &str, ports: &Value) -> Value {
        json!({"kind": "Service", "metadata": {"namespace": namespace, "name": name},
               "spec": {"clusterIP": address, "ports": ports}})
    }

    fn world() -> Memory {
        Memory::of([
            service(
                "default",
                "kubernetes",
                "10.96.0.1",
                &json!([{"name": "https", "port": 443}]),
            ),
            service(
                "shop",
                "my-db",
                "10.96.0.7",
                &json!([{"name": "p-1", "port": 5432, "protocol": "TCP"}, {"name": "stats", "port": 81, "protocol": "UDP"}]),
            ),
            service("shop", "headless", "None", &json!([{"port": 80}])),
            service("shop", "outside", "", &json!([])),
        ])
    }

    #[test]
    fn services_become_variables() {
        let pod = json!({"metadata": {"namespace": "shop"}, "spec": {}});
        let found = variables(&pod, &world());
        let expected = [
            ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
            ("KUBERNETES_PORT_443_TCP", "tcp://10.96.0.1:443"),
            ("KUBERNETES_PORT_443_TCP_ADDR", "10.96.0.1"),
            ("KUBERNETES_PORT_443_TCP_PORT", "443"),
            ("KUBERNETES_PORT_443_TCP_PROTO", "tcp"),
            ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
            ("KUBERNETES_SERVICE_PORT", "443"),
            ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
            ("MY_DB_PORT", "tcp://10.96.0.7:5432"),
            ("MY_DB_PORT_5432_TCP", "tcp://10.96.0.7:5432"),
            ("MY_DB_PORT_5432_TCP_ADDR", "10.96.0.7"),
            ("MY_DB_PORT_5432_TCP_PORT", "5432"),
            ("MY_DB_PORT_5432_TCP_PROTO", "tcp"),
            ("MY_DB_PORT_81_UDP", "udp://10.96.0.7:81"),
            ("MY_DB_PORT_81_UDP_ADDR", "10.96.0.7"),
            ("MY_DB_PORT_81_UDP_PORT", "81"),
            ("MY_DB_PORT_81_UDP_PROTO", "udp"),
            ("MY_DB_SERVICE_HOST", "10.96.0.7"),
            ("MY_DB_SERVICE_PORT", "5432"),
            ("MY_DB_SERVICE_PORT_P_1", "5432"),
            ("MY_DB_SERVICE_PORT_STATS", "81"),
        ];
        let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn without_links_only_the_api_server_is_known() {
        let pod = json!({"metadata": {"namespace": "shop"}, "spec": {"enableServiceLinks": false}});
        let found = variables(&pod, &world());
        assert!(!found.is_empty());
        assert!(
            found.keys().all(|name| name.starts_with("KUBERNETES_")),
            "{found:?}"
        );
    }
}
