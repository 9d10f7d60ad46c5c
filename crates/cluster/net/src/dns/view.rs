//! What DNS knows of the cluster: names and addresses, made of Services, EndpointSlices and Namespaces as they change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use deploy_cluster_api::object;
use serde_json::Value;

/// A namespace and a name.
pub type Key = (Arc<str>, Arc<str>);

/// The state that questions are answered from. Parts are shared: a copy costs a pointer for each service.
#[derive(Clone, Debug, Default)]
pub struct View {
    namespaces: HashSet<Arc<str>>,
    services: HashMap<Key, Arc<Service>>,
    /// By namespace and name of the slice.
    slices: HashMap<Key, Arc<Slice>>,
    /// The slices of a service.
    of_service: HashMap<Key, BTreeSet<Arc<str>>>,
    by_cluster_address: HashMap<IpAddr, Key>,
    by_endpoint: HashMap<IpAddr, BTreeSet<Key>>,
    /// The serial number of the zone: the revision of the state.
    pub serial: u32,
}

/// A service as DNS sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How it is reached.
    pub way: Way,
    /// Its ports; those of a headless service come with its endpoints.
    pub ports: Vec<Port>,
}

/// How a service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By addresses of the cluster.
    Addresses(Vec<IpAddr>),
    /// By the addresses of its endpoints.
    Headless,
    /// By another name.
    External(String),
}

/// A port, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Empty where the only port has no name.
    pub name: String,
    /// `tcp`
    pub protocol: String,
    /// Its number.
    pub number: u16,
}

/// Some endpoints of a service: those that are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    service: Key,
    /// The ports of each.
    pub ports: Vec<Port>,
    /// Where they are.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its label below the service's name: the pod's hostname, or its address with dashes.
    pub label: String,
}

impl View {
    /// Whether there is such a namespace.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// A service.
    pub fn service(&self, key: &Key) -> Option<&Service> {
        self.services.get(key).map(|service| &**service)
    }

    /// The slices of a service, by name.
    pub fn slices(&self, key: &Key) -> impl Iterator<Item = &Slice> {
        let names = self.of_service.get(key).into_iter().flatten();
        names.filter_map(|name| {
            let slice = self.slices.get(&(key.0.clone(), name.clone()))?;
            Some(&**slice)
        })
    }

    /// The service that has this address of the cluster.
    pub fn at_cluster_address(&self, address: IpAddr) -> Option<&Key> {
        self.by_cluster_address.get(&address)
    }

    /// The services that have an endpoint at this address, and its label in each.
    pub fn at_endpoint(&self, address: IpAddr) -> Vec<(&Key, &str)> {
        let keys = self.by_endpoint.get(&address).into_iter().flatten();
        let endpoint = |key| {
            let mut endpoints = self.slices(key).flat_map(|slice| &slice.endpoints);
            let endpoint = endpoints.find(|endpoint| endpoint.address == address)?;
            Some((key, &*endpoint.label))
        };
        keys.filter_map(endpoint).collect()
    }

    /// Takes note of a namespace.
    pub fn put_namespace(&mut self, namespace: &Value) {
        self.namespaces.insert(object::name(namespace).into());
    }

    /// A namespace is gone.
    pub fn remove_namespace(&mut self, namespace: &Value) {
        self.namespaces.remove(object::name(namespace));
    }

    /// Takes note of a Service.
    pub fn put_service(&mut self, service: &Value) {
        self.remove_service(service);
        let key = key_of(service);
        let read = read_service(service);
        if let Way::Addresses(addresses) = &read.way {
            for address in addresses {
                self.by_cluster_address.insert(*address, key.clone());
            }
        }
        self.services.insert(key, Arc::new(read));
    }

    /// A Service is gone.
    pub fn remove_service(&mut self, service: &Value) {
        let key = key_of(service);
        let Some(known) = self.services.remove(&key) else {
            return;
        };
        if let Way::Addresses(addresses) = &known.way {
            for address in addresses {
                // Another service may have the address by now.
                if self.by_cluster_address.get(address) == Some(&key) {
                    self.by_cluster_address.remove(address);
                }
            }
        }
    }

    /// Takes note of an EndpointSlice.
    pub fn put_slice(&mut self, slice: &Value) {
        self.remove_slice(slice);
        let Some(read) = read_slice(slice) else {
            return;
        };
        let key = key_of(slice);
        for endpoint in &read.endpoints {
            let services = self.by_endpoint.entry(endpoint.address).or_default();
            services.insert(read.service.clone());
        }
        let names = self.of_service.entry(read.service.clone()).or_default();
        names.insert(key.1.clone());
        self.slices.insert(key, Arc::new(read));
    }

    /// An EndpointSlice is gone.
    pub fn remove_slice(&mut self, slice: &Value) {
        let key = key_of(slice);
        let Some(known) = self.slices.remove(&key) else {
            return;
        };
        if let Some(names) = self.of_service.get_mut(&known.service) {
            names.remove(&key.1);
            if names.is_empty() {
                self.of_service.remove(&known.service);
            }
        }
        for endpoint in &known.endpoints {
            let still_there = self
                .slices(&known.service)
                .flat_map(|slice| &slice.endpoints)
                .any(|other| other.address == endpoint.address);
            if still_there {
                continue;
            }
            if let Some(services) = self.by_endpoint.get_mut(&endpoint.address) {
                services.remove(&known.service);
                if services.is_empty() {
                    self.by_endpoint.remove(&endpoint.address);
                }
            }
        }
    }

    /// Forgets all Services, before they are listed anew.
    pub fn clear_services(&mut self) {
        self.services.clear();
        self.by_cluster_address.clear();
    }

    /// Forgets all EndpointSlices.
    pub fn clear_slices(&mut self) {
        self.slices.clear();
        self.of_service.clear();
        self.by_endpoint.clear();
    }

    /// Forgets all Namespaces.
    pub fn clear_namespaces(&mut self) {
        self.namespaces.clear();
    }
}

fn key_of(object: &Value) -> Key {
    (object::namespace(object).into(), object::name(object).into())
}

fn read_service(service: &Value) -> Service {
    let spec = &service["spec"];
    let way = if spec["type"] == "ExternalName" {
        let name = spec["externalName"].as_str().unwrap_or_default();
        Way::External(name.to_owned())
    } else if spec["clusterIP"] == "None" {
        Way::Headless
    } else {
        let many = spec["clusterIPs"].as_array().into_iter().flatten();
        let mut addresses: Vec<IpAddr> = many
            .chain([&spec["clusterIP"]])
            .filter_map(|address| address.as_str()?.parse().ok())
            .collect();
        let mut seen = HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        Way::Addresses(addresses)
    };
    Service {
        way,
        ports: read_ports(&spec["ports"]),
    }
}

fn read_ports(ports: &Value) -> Vec<Port> {
    let ports = ports.as_array().into_iter().flatten();
    ports
        .filter_map(|port| {
            let text = |field: &str| port[field].as_str().unwrap_or_default().to_ascii_lowercase();
            let protocol = Some(text("protocol")).filter(|protocol| !protocol.is_empty());
            Some(Port {
                name: text("name"),
                protocol: protocol.unwrap_or_else(|| "tcp".to_owned()),
                number: u16::try_from(port["port"].as_u64()?).ok()?,
            })
        })
        .collect()
}

fn read_slice(slice: &Value) -> Option<Slice> {
    let service = slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str()?;
    let endpoints = slice["endpoints"].as_array().into_iter().flatten();
    let endpoints = endpoints
        // Not known is ready (`EndpointConditions`).
        .filter(|endpoint| endpoint["conditions"]["ready"] != false)
        .flat_map(|endpoint| {
            let hostname = endpoint["hostname"].as_str().filter(|name| !name.is_empty());
            let addresses = endpoint["addresses"].as_array().into_iter().flatten();
            addresses.filter_map(move |address| {
                let address: IpAddr = address.as_str()?.parse().ok()?;
                let label = hostname.map_or_else(|| dashed(address), str::to_ascii_lowercase);
                Some(Endpoint { address, label })
            })
        })
        .collect();
    Some(Slice {
        service: (object::namespace(slice).into(), service.into()),
        ports: read_ports(&slice["ports"]),
        endpoints,
    })
}

/// The label of an endpoint without a hostname (`coredns/plugin/kubernetes endpointHostname`).
fn dashed(address: IpAddr) -> String {
    let label = address.to_string().replace(['.', ':'], "-");
    if label.ends_with('-') { label + "0" } else { label }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(name: &str, addresses: &[&str]) -> Value {
        let endpoints: Vec<Value> = addresses
            .iter()
            .map(|address| json!({"addresses": [address]}))
            .collect();
        json!({
            "metadata": {"name": name, "namespace": "a", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "HTTP", "port": 80}],
            "endpoints": endpoints,
        })
    }

    fn at(view: &View, address: &str) -> usize {
        view.at_endpoint(address.parse().expect("an address")).len()
    }

    #[test]
    fn endpoints_come_and_go_with_their_slices() {
        let mut view = View::default();
        view.put_slice(&slice("web-1", &["10.0.0.1", "10.0.0.2"]));
        view.put_slice(&slice("web-2", &["10.0.0.2", "10.0.0.3"]));
        assert_eq!((at(&view, "10.0.0.1"), at(&view, "10.0.0.2")), (1, 1));
        view.put_slice(&slice("web-1", &["10.0.0.4"]));
        assert_eq!((at(&view, "10.0.0.1"), at(&view, "10.0.0.2")), (0, 1));
        view.remove_slice(&slice("web-2", &[]));
        assert_eq!((at(&view, "10.0.0.2"), at(&view, "10.0.0.4")), (0, 1));
        view.remove_slice(&slice("web-1", &[]));
        assert!(view.by_endpoint.is_empty() && view.of_service.is_empty() && view.slices.is_empty());
    }

    #[test]
    fn an_address_that_moves_belongs_to_its_new_service() {
        let service = |name: &str, address: &str| json!({"metadata": {"name": name, "namespace": "a"}, "spec": {"clusterIP": address}});
        let mut view = View::default();
        view.put_service(&service("old", "10.96.0.7"));
        view.put_service(&service("new", "10.96.0.7"));
        view.remove_service(&service("old", "10.96.0.7"));
        let address = "10.96.0.7".parse().expect("an address");
        assert_eq!(view.at_cluster_address(address).map(|key| &*key.1), Some("new"));
    }

    #[test]
    fn addresses_make_labels() {
        let label = |address: &str| dashed(address.parse().expect("an address"));
        assert_eq!(label("10.0.0.1"), "10-0-0-1");
        assert_eq!(label("5678:abcd::1"), "5678-abcd--1");
        assert_eq!(label("10::"), "10--0");
    }
}
