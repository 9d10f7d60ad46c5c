use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::read::{Condition, Protocol, Slice};

/// Where a connection can end.
pub(super) type Place = (Ipv4Addr, u16);

/// The endpoints of all services: by namespace and name, then by port.
pub(super) struct Endpoints<'a> {
    services: BTreeMap<(&'a str, &'a str), Ports<'a>>,
}

/// By the name of the service's port.
type Ports<'a> = BTreeMap<(&'a str, Protocol), Vec<Known<'a>>>;

struct Known<'a> {
    place: Place,
    node: &'a str,
    condition: Condition,
}

/// Those of one port that take traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usable {
    /// Of all nodes.
    pub cluster: Vec<Place>,
    /// Of this node.
    pub local: Vec<Place>,
}

impl Usable {
    /// True where nobody at all answers.
    pub fn nobody(&self) -> bool {
        self.cluster.is_empty() && self.local.is_empty()
    }
}

impl<'a> Endpoints<'a> {
    pub fn of(slices: impl Iterator<Item = &'a Slice>) -> Endpoints<'a> {
        let mut services: BTreeMap<_, Ports<'a>> = BTreeMap::new();
        for slice in slices {
            let service = services.entry((&*slice.namespace, &*slice.service)).or_default();
            for port in &slice.ports {
                let known = slice.endpoints.iter().map(|endpoint| Known {
                    place: (endpoint.address, port.port),
                    node: &endpoint.node,
                    condition: endpoint.condition,
                });
                service
                    .entry((&*port.name, port.protocol))
                    .or_default()
                    .extend(known);
            }
        }
        Endpoints { services }
    }

    /// For each policy by itself: those that are ready, or where nobody is, those that leave
    /// (`pkg/proxy/topology.go CategorizeEndpoints`). Sorted, and each once.
    pub fn usable(
        &self,
        namespace: &str,
        service: &str,
        port: &str,
        protocol: Protocol,
        node: &str,
    ) -> Usable {
        let ports = self.services.get(&(namespace, service));
        let Some(known) = ports.and_then(|ports| ports.get(&(port, protocol))) else {
            return Usable::default();
        };
        Usable {
            cluster: best(known.iter()),
            local: best(
                known
                    .iter()
                    .filter(|known| !node.is_empty() && known.node == node),
            ),
        }
    }
}

fn best<'a>(known: impl Iterator<Item = &'a Known<'a>> + Clone) -> Vec<Place> {
    for wanted in [Condition::Ready, Condition::Leaving] {
        let found: BTreeSet<Place> = known
            .clone()
            .filter(|known| known.condition == wanted)
            .map(|known| known.place)
            .collect();
        if !found.is_empty() {
            return found.into_iter().collect();
        }
    }
    Vec::new()
}
