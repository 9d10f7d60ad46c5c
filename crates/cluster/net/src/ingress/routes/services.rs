//! From the backend that an Ingress names to endpoints.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use deploy_cluster_api::object;
use serde_json::Value;

/// Services and their slices, found by name.
#[derive(Debug, Default)]
pub struct Services<'a> {
    services: HashMap<(&'a str, &'a str), &'a Value>,
    slices: HashMap<(&'a str, &'a str), Vec<&'a Value>>,
}

/// An endpoint, and the pod behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub address: SocketAddr,
    /// Empty where no pod is named.
    pub pod: String,
}

/// Why a backend has no endpoints for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlaces {
    /// There is no such service: it may come.
    NoService,
    /// The service has no such port.
    NoPort,
    /// The service is a name.
    External,
}

impl<'a> Services<'a> {
    pub fn new(services: &'a [Arc<Value>], slices: &'a [Arc<Value>]) -> Services<'a> {
        let mut known = Services::default();
        for service in services {
            let key = (object::namespace(service), object::name(service));
            known.services.insert(key, service);
        }
        for slice in slices {
            if let Some(name) = slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str() {
                let key = (object::namespace(slice), name);
                known.slices.entry(key).or_default().push(slice);
            }
        }
        known
    }

    /// The endpoints of `{"name": ..., "port": {"number" or "name"}}`: those that are ready, and if there are none, those
    /// that end and still serve (as kube-proxy does).
    pub fn places(&self, namespace: &str, backend: &Value) -> Result<Vec<Place>, NoPlaces> {
        let name = backend["name"].as_str().unwrap_or_default();
        let service = self.services.get(&(namespace, name)).ok_or(NoPlaces::NoService)?;
        if service["spec"]["type"] == "ExternalName" {
            return Err(NoPlaces::External);
        }
        let port = &backend["port"];
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        let wanted = ports.filter(|known| {
            known["protocol"]
                .as_str()
                .is_none_or(|protocol| protocol == "TCP")
        });
        let mut wanted = wanted.filter(|known| match port["number"].as_u64() {
            Some(number) if number > 0 => known["port"] == number,
            _ => known["name"] == port["name"] && port["name"].is_string(),
        });
        let found = wanted.next().ok_or(NoPlaces::NoPort)?;
        let port_name = found["name"].as_str().unwrap_or_default();
        let slices = self.slices.get(&(namespace, name)).map_or(&[][..], Vec::as_slice);
        let ready = |conditions: &Value| conditions["ready"] != false;
        let ending = |conditions: &Value| conditions["serving"] == true && conditions["terminating"] == true;
        let mut places = collect(slices, port_name, ready);
        if places.is_empty() {
            places = collect(slices, port_name, ending);
        }
        places.sort_by_key(|place| place.address);
        places.dedup_by_key(|place| place.address);
        Ok(places)
    }
}

fn collect(slices: &[&Value], port_name: &str, fits: impl Fn(&Value) -> bool) -> Vec<Place> {
    let mut places = Vec::new();
    for slice in slices {
        let mut ports = slice["ports"].as_array().into_iter().flatten();
        let port = ports.find(|port| port["name"].as_str().unwrap_or_default() == port_name);
        let Some(port) = port
            .and_then(|port| port["port"].as_u64())
            .and_then(|port| u16::try_from(port).ok())
        else {
            continue;
        };
        let endpoints = slice["endpoints"].as_array().into_iter().flatten();
        for endpoint in endpoints.filter(|endpoint| fits(&endpoint["conditions"])) {
            let pod = Some(&endpoint["targetRef"]).filter(|target| target["kind"] == "Pod");
            let pod = pod.and_then(|pod| pod["name"].as_str()).unwrap_or_default();
            let addresses = endpoint["addresses"].as_array().into_iter().flatten();
            // All addresses of one endpoint are the same (`discovery/v1 Endpoint.addresses`).
            let address = addresses
                .filter_map(|address| address.as_str()?.parse::<IpAddr>().ok())
                .next();
            places.extend(address.map(|address| Place {
                address: SocketAddr::new(address, port),
                pod: pod.to_owned(),
            }));
        }
    }
    places
}
