use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::read::{Protocol, Service};

/// What the status of a service shall say of its load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The service's namespace.
    pub namespace: String,
    /// The service's name.
    pub name: String,
    /// The address that it is reached at; none for one that waits, or is no load balancer any more.
    pub address: Option<Ipv4Addr>,
    /// The port that an older service has already, where it waits for that.
    pub taken: Option<(Protocol, u16)>,
}

/// The services whose status is not what it shall be. There is one address, the node's: of two services that want the
/// same port of it, the older one has it, and the other one waits.
pub fn assignments<'a>(services: impl Iterator<Item = &'a Service>, node: Ipv4Addr) -> Vec<Assignment> {
    let mut services: Vec<&Service> = services.collect();
    services.sort_by_key(|service| (&service.created, &service.namespace, &service.name));
    let mut taken = BTreeSet::new();
    let mut wanted = Vec::new();
    for service in services {
        let ports = || service.ports.iter().map(|port| (port.protocol, port.port));
        let conflict = ports()
            .find(|port| taken.contains(port))
            .filter(|_| service.load_balanced);
        let address = (service.load_balanced && conflict.is_none()).then_some(node);
        if address.is_some() {
            taken.extend(ports());
        }
        // What a service is that somebody else balances is not ours to say.
        let ours = service.load_balanced || service.ingress == [node];
        if ours && service.ingress.as_slice() != address.as_slice() {
            wanted.push(Assignment {
                namespace: service.namespace.clone(),
                name: service.name.clone(),
                address,
                taken: conflict,
            });
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::super::read::ServicePort;
    use super::*;

    const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 5);

    fn service(name: &str, created: &str, port: u16) -> Service {
        Service {
            name: name.to_owned(),
            created: created.to_owned(),
            load_balanced: true,
            ports: vec![ServicePort {
                name: String::new(),
                protocol: Protocol::Tcp,
                port,
                node_port: None,
            }],
            ..Service::default()
        }
    }

    fn told(services: &[Service]) -> Vec<(String, Option<Ipv4Addr>)> {
        let all = assignments(services.iter(), NODE);
        all.into_iter().map(|a| (a.name, a.address)).collect()
    }

    #[test]
    fn the_older_one_has_the_port() {
        let mut services = [
            service("young", "2", 80),
            service("old", "1", 80),
            service("other", "3", 81),
        ];
        assert_eq!(
            told(&services),
            [("old".to_owned(), Some(NODE)), ("other".to_owned(), Some(NODE))]
        );
        services[1].ingress = vec![NODE];
        services[2].ingress = vec![NODE];
        assert_eq!(told(&services), []);
        services[1].load_balanced = false;
        assert_eq!(
            told(&services),
            [("old".to_owned(), None), ("young".to_owned(), Some(NODE))]
        );
    }

    #[test]
    fn the_balancers_of_others_are_left_alone() {
        let mut other = service("other", "1", 80);
        other.load_balanced = false;
        other.ingress = vec![Ipv4Addr::new(1, 2, 3, 4)];
        assert_eq!(told(&[other]), []);
    }
}
