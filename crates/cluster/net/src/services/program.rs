use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::base::{
    CLUSTER_IPS, EXTERNAL_IPS, HAIRPIN, MASQUERADED, MASQUERADED_PORTS, NODE_PORTS, Node, REFUSE, REFUSED,
    REFUSED_PORTS, base, within,
};
use super::endpoints::{Endpoints, Place, Usable};
use super::read::{HostPort, Policy, Protocol, Service, ServicePort, Slice};
use crate::nft::{Chain, Field, Key, Rule, Ruleset, Set, SetKind, Statement, Verdict};

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Input<'a> {
    /// All services. Where two want the same door, the older one has it.
    pub services: Vec<&'a Service>,
    /// All slices.
    pub slices: Vec<&'a Slice>,
    /// The ports of the node that pods want.
    pub host_ports: Vec<&'a HostPort>,
}

/// The ruleset for what there is. The same input, in whatever order, gives the same ruleset.
pub fn program(input: &Input<'_>, node: &Node) -> Ruleset {
    let mut program = Program {
        node,
        ruleset: base(node),
    };
    let endpoints = Endpoints::of(input.slices.iter().copied());
    let mut services = input.services.clone();
    services.sort_by_key(|service| (&service.created, &service.namespace, &service.name));
    for service in services {
        for port in &service.ports {
            let usable = endpoints.usable(
                &service.namespace,
                &service.name,
                &port.name,
                port.protocol,
                &node.name,
            );
            program.service_port(service, port, &usable);
        }
    }
    let mut host_ports = input.host_ports.clone();
    host_ports.sort();
    for port in host_ports {
        program.host_port(port);
    }
    program.ruleset
}

/// Where datagrams are sent to: what is not among them any more must be forgotten ([`crate::conntrack`]).
pub fn datagram_places(input: &Input<'_>, node: &Node) -> BTreeSet<(Ipv4Addr, u16)> {
    let endpoints = Endpoints::of(input.slices.iter().copied());
    let mut places = BTreeSet::new();
    for service in input
        .services
        .iter()
        .filter(|service| !service.cluster_ips.is_empty())
    {
        let ports = service.ports.iter().filter(|port| port.protocol == Protocol::Udp);
        for port in ports {
            let (namespace, name) = (&service.namespace, &service.name);
            let usable = endpoints.usable(namespace, name, &port.name, port.protocol, &node.name);
            places.extend(usable.cluster.into_iter().chain(usable.local));
        }
    }
    let ports = input
        .host_ports
        .iter()
        .filter(|port| port.protocol == Protocol::Udp);
    places.extend(ports.map(|port| (port.address, port.port)));
    places
}

struct Program<'a> {
    node: &'a Node,
    ruleset: Ruleset,
}

impl Program<'_> {
    fn service_port(&mut self, service: &Service, port: &ServicePort, usable: &Usable) {
        if service.cluster_ips.is_empty() {
            return;
        }
        let (internal, external) = (
            chosen(service.internal_policy, usable),
            chosen(service.external_policy, usable),
        );
        let doors = Doors {
            name: format!(
                "{}/{}/{}/{}",
                service.namespace,
                service.name,
                port.protocol.word(),
                port.port
            ),
            comment: match &*port.name {
                "" => format!("{}/{}", service.namespace, service.name),
                name => format!("{}/{}:{name}", service.namespace, service.name),
            },
        };
        for place in &usable.cluster {
            self.hairpin(place.0);
        }
        let (map, verdict) = match self.spread(&doors, "svc", service, internal) {
            Some(chain) => (CLUSTER_IPS, goto(&chain)),
            None => (REFUSED, refusal(usable)),
        };
        for address in &service.cluster_ips {
            self.element(map, door(*address, port.protocol, port.port), verdict.clone());
        }
        self.outside(service, port, &doors, usable, external);
    }

    /// The doors for those outside the cluster: node port, external addresses, load balancers.
    fn outside(
        &mut self,
        service: &Service,
        port: &ServicePort,
        doors: &Doors,
        usable: &Usable,
        external: &[Place],
    ) {
        let addresses = service.external_ips.iter().map(|address| (*address, false));
        let balanced = service.ingress.iter().filter(|_| service.load_balanced);
        let addresses: Vec<(Ipv4Addr, bool)> = addresses
            .chain(balanced.map(|address| (*address, true)))
            .collect();
        if addresses.is_empty() && port.node_port.is_none() {
            return;
        }
        let key = |address| door(address, port.protocol, port.port);
        let port_key = |node_port| Key::new().protocol(port.protocol.number()).port(node_port);
        let Some(chain) = self.outside_chain(service, doors, usable, external) else {
            for (address, _) in addresses {
                self.element(REFUSED, key(address), refusal(usable));
            }
            if let Some(node_port) = port.node_port {
                self.element(REFUSED_PORTS, port_key(node_port), refusal(usable));
            }
            return;
        };
        for (address, balanced) in addresses {
            let guarded = if balanced && !service.source_ranges.is_empty() {
                self.guarded(service, doors, &chain)
            } else {
                chain.clone()
            };
            self.element(EXTERNAL_IPS, key(address), goto(&guarded));
            if service.external_policy == Policy::Cluster {
                self.member(MASQUERADED, key(address));
            }
        }
        if let Some(node_port) = port.node_port {
            self.element(NODE_PORTS, port_key(node_port), goto(&chain));
            if service.external_policy == Policy::Cluster {
                self.member(MASQUERADED_PORTS, port_key(node_port));
            }
        }
    }

    /// The chain for those outside. None where nobody answers.
    fn outside_chain(
        &mut self,
        service: &Service,
        doors: &Doors,
        usable: &Usable,
        external: &[Place],
    ) -> Option<String> {
        if usable.nobody() {
            return None;
        }
        // The cluster itself meets all endpoints, whatever the policy says of strangers.
        let all = match service.internal_policy {
            Policy::Cluster => Some(doors.chain("svc")).filter(|_| !usable.cluster.is_empty()),
            Policy::Local => self.spread(doors, "all", service, &usable.cluster),
        };
        if service.external_policy == Policy::Cluster {
            return all;
        }
        let mut rules = Vec::new();
        if let Some(all) = all {
            let goto = || Statement::Verdict(Verdict::Goto(all.clone()));
            let pods = within(Field::SourceAddress, true, self.node.pod_network);
            rules.push(Rule::told("pods", vec![pods, goto()]));
            let local = Statement::Is {
                field: Field::SourceType,
                equal: true,
                value: Field::local(),
            };
            rules.push(Rule::told("the node", vec![local, goto()]));
        }
        rules.push(match self.spread(doors, "local", service, external) {
            Some(chain) => Rule::new(vec![Statement::Verdict(Verdict::Goto(chain))]),
            // As upstream: the node has no endpoint, another one may; a balancer shall not take this for an answer.
            None => Rule::new(vec![Statement::Counter, Statement::Verdict(Verdict::Drop)]),
        });
        let name = doors.chain("ext");
        self.ruleset.chains.insert(name.clone(), Chain::of(rules));
        Some(name)
    }

    /// Only some may use the load balancer.
    fn guarded(&mut self, service: &Service, doors: &Doors, chain: &str) -> String {
        let name = doors.chain("lb");
        let goto = Statement::Verdict(Verdict::Goto(chain.to_owned()));
        let allowed = Statement::InRanges(Field::SourceAddress, service.source_ranges.clone());
        let rules = vec![
            Rule::told("loadBalancerSourceRanges", vec![allowed, goto]),
            Rule::new(vec![Statement::Counter, Statement::Verdict(Verdict::Drop)]),
        ];
        self.ruleset.chains.insert(name.clone(), Chain::of(rules));
        name
    }

    /// A chain that sends each new connection to one of these. None for nobody.
    fn spread(&mut self, doors: &Doors, role: &str, service: &Service, places: &[Place]) -> Option<String> {
        if places.is_empty() {
            return None;
        }
        let name = doors.chain(role);
        let rules = match service.affinity_seconds {
            None => {
                let spread = Rule::told(&doors.comment, vec![Statement::Dnat(places.to_vec())]);
                let first = Statement::Dnat(places[..1].to_vec());
                with_the_late(spread, first, places.len())
            }
            Some(seconds) => self.sticky(doors, seconds, places),
        };
        self.ruleset.chains.insert(name.clone(), Chain::of(rules));
        Some(name)
    }

    /// Clients are remembered by endpoint, so that one endpoint that goes takes its own clients along, no others.
    fn sticky(&mut self, doors: &Doors, seconds: u32, places: &[Place]) -> Vec<Rule> {
        let mut chains = Vec::new();
        let mut rules = Vec::new();
        for (address, port) in places {
            let chain = format!("ep/{}/{address}/{port}", doors.name);
            let clients = format!("clients/{}/{address}/{port}", doors.name);
            let goto = Statement::Verdict(Verdict::Goto(chain.clone()));
            let known = Statement::InSet(vec![Field::SourceAddress], clients.clone());
            rules.push(Rule::told(&doors.comment, vec![known, goto]));
            let remember = Statement::Update {
                set: clients.clone(),
                field: Field::SourceAddress,
                timeout_ms: u64::from(seconds) * 1000,
            };
            let there = Statement::Dnat(vec![(*address, *port)]);
            let of_endpoint = vec![Rule::new(vec![remember]), Rule::new(vec![there])];
            self.ruleset.chains.insert(chain.clone(), Chain::of(of_endpoint));
            let set = Set::new(&[Field::SourceAddress], SetKind::Remembers);
            self.ruleset.sets.insert(clients, set);
            chains.push(chain);
        }
        let first = Statement::Choose(chains[..1].to_vec());
        let count = chains.len();
        let spread = Rule::new(vec![Statement::Choose(chains)]);
        rules.extend(with_the_late(spread, first, count));
        rules
    }

    fn host_port(&mut self, port: &HostPort) {
        let chain = format!(
            "host/{}/{}/{}/{}",
            port.namespace,
            port.pod,
            port.protocol.word(),
            port.host_port
        );
        let place = (port.address, port.port);
        let rule = Rule::told(
            format!("{}/{}", port.namespace, port.pod),
            vec![Statement::Dnat(vec![place])],
        );
        let (map, key) = match port.host_ip {
            Some(address) => (EXTERNAL_IPS, door(address, port.protocol, port.host_port)),
            None => (
                NODE_PORTS,
                Key::new().protocol(port.protocol.number()).port(port.host_port),
            ),
        };
        if self.element(map, key, goto(&chain)) {
            self.ruleset.chains.insert(chain, Chain::of(vec![rule]));
            self.hairpin(port.address);
        }
    }

    fn hairpin(&mut self, address: Ipv4Addr) {
        if self.node.pod_network.contains(address) {
            self.member(HAIRPIN, Key::new().address(address).address(address));
        }
    }

    /// False where the door is another's.
    fn element(&mut self, map: &str, key: Key, verdict: Verdict) -> bool {
        let elements = &mut self.set(map).elements;
        let free = !elements.contains_key(&key);
        if free {
            elements.insert(key, Some(verdict));
        }
        free
    }

    fn member(&mut self, set: &str, key: Key) {
        self.set(set).elements.insert(key, None);
    }

    fn set(&mut self, name: &str) -> &mut Set {
        self.ruleset
            .sets
            .get_mut(name)
            .expect("the base has all sets that services fill")
    }
}

/// How the chains of a service port are called.
struct Doors {
    name: String,
    comment: String,
}

impl Doors {
    fn chain(&self, role: &str) -> String {
        format!("{role}/{}", self.name)
    }
}

/// A packet that is on its way through a chain while the chain is replaced goes on in the old rules, but finds their map
/// empty (elements are judged by the generation of the moment, rules by that of the packet's entry:
/// `net/netfilter/nf_tables_core.c nft_do_chain`). The rule after it catches those.
fn with_the_late(spread: Rule, first: Statement, count: usize) -> Vec<Rule> {
    match count {
        1 => vec![spread],
        _ => vec![spread, Rule::told("while this chain is replaced", vec![first])],
    }
}

fn chosen(policy: Policy, usable: &Usable) -> &[Place] {
    match policy {
        Policy::Cluster => &usable.cluster,
        Policy::Local => &usable.local,
    }
}

fn door(address: Ipv4Addr, protocol: Protocol, port: u16) -> Key {
    Key::new().address(address).protocol(protocol.number()).port(port)
}

fn goto(chain: &str) -> Verdict {
    Verdict::Goto(chain.to_owned())
}

/// Nobody at all is a refusal. Somebody, but not here, is silence (`pkg/proxy/nftables/proxier.go syncProxyRules`).
fn refusal(usable: &Usable) -> Verdict {
    if usable.nobody() {
        goto(REFUSE)
    } else {
        Verdict::Drop
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NODE_PORT: u16 = 30_080;

    fn node() -> Node {
        Node {
            table: "deploy-0a1b2c3d".to_owned(),
            name: "node".to_owned(),
            bridge: "deploy0a1b2c3d".to_owned(),
            pod_network: "10.200.1.0/24".parse().unwrap(),
            service_range: "10.96.0.0/16".parse().unwrap(),
            address: Ipv4Addr::new(192, 0, 2, 1),
        }
    }

    fn service(name: &str, address: &str, spec: Value) -> Service {
        let mut object = json!({
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"clusterIP": address, "ports": [{"port": 80, "nodePort": NODE_PORT}]},
        });
        for (field, value) in spec.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        Service::read(&object)
    }

    fn slice(name: &str, endpoints: &[(&str, &str)]) -> Slice {
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|(address, node)| json!({"addresses": [address], "nodeName": node}))
            .collect();
        Slice::read(&json!({
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints,
        }))
    }

    fn of(services: &[Service], slices: &[Slice]) -> Ruleset {
        let input = Input {
            services: services.iter().collect(),
            slices: slices.iter().collect(),
            host_ports: Vec::new(),
        };
        program(&input, &node())
    }

    fn verdict(ruleset: &Ruleset, set: &str, key: &Key) -> Option<Verdict> {
        ruleset.sets[set].elements.get(key).cloned().flatten()
    }

    fn web() -> Key {
        door(Ipv4Addr::new(10, 96, 0, 7), Protocol::Tcp, 80)
    }

    fn node_port() -> Key {
        Key::new().protocol(6).port(NODE_PORT)
    }

    #[test]
    fn without_services_only_the_base_is_there() {
        let empty = of(&[], &[]);
        assert_eq!(empty, of(&[], &[slice("gone", &[("10.200.1.2", "node")])]));
        assert!(empty.sets.values().all(|set| set.elements.is_empty()));
        for (address, kind) in [
            ("None", "ClusterIP"),
            ("", "ExternalName"),
            ("10.96.0.7", "ExternalName"),
        ] {
            let none = service("web", address, json!({"type": kind}));
            assert_eq!(
                of(&[none], &[slice("web", &[("10.200.1.2", "node")])]),
                empty,
                "{address} {kind}"
            );
        }
    }

    #[test]
    fn order_says_nothing() {
        let services = [
            service("a", "10.96.0.7", json!({})),
            service("b", "10.96.0.8", json!({})),
        ];
        let slices = [
            slice("a", &[("10.200.1.2", "node"), ("10.200.1.3", "node")]),
            slice("a", &[("10.200.1.3", "node"), ("10.200.1.1", "node")]),
            slice("b", &[("10.200.1.4", "node")]),
        ];
        let (mut other_services, mut other_slices) = (services.clone(), slices.clone());
        other_services.reverse();
        other_slices.reverse();
        let ruleset = of(&services, &slices);
        assert_eq!(of(&other_services, &other_slices), ruleset);
        // An endpoint that two slices have is one.
        let rule = &ruleset.chains["svc/shop/a/tcp/80"].rules[0];
        let places = [1, 2, 3].map(|last| (Ipv4Addr::new(10, 200, 1, last), 8080));
        assert_eq!(rule.statements, [Statement::Dnat(places.to_vec())]);
    }

    #[test]
    fn the_older_service_has_the_node_port() {
        let mut old = service("old", "10.96.0.7", json!({}));
        old.created = "2025-01-01T00:00:00Z".to_owned();
        let young = service("a-young", "10.96.0.8", json!({}));
        let slices = [
            slice("old", &[("10.200.1.2", "node")]),
            slice("a-young", &[("10.200.1.3", "node")]),
        ];
        let ruleset = of(&[young, old], &slices);
        assert_eq!(
            verdict(&ruleset, NODE_PORTS, &node_port()),
            Some(goto("svc/shop/old/tcp/80"))
        );
    }

    #[test]
    fn nobody_is_refused_and_nobody_here_is_silence() {
        let elsewhere = [slice("web", &[("10.200.9.2", "other")])];
        let internal = || service("web", "10.96.0.7", json!({"internalTrafficPolicy": "Local"}));
        let nobody = of(&[internal()], &[]);
        assert_eq!(verdict(&nobody, REFUSED, &web()), Some(goto(REFUSE)));
        assert_eq!(verdict(&nobody, REFUSED_PORTS, &node_port()), Some(goto(REFUSE)));
        assert_eq!(verdict(&nobody, CLUSTER_IPS, &web()), None);
        let not_here = of(&[internal()], &elsewhere);
        assert_eq!(verdict(&not_here, REFUSED, &web()), Some(Verdict::Drop));
        // The policy for strangers is another one: they reach all.
        assert_eq!(
            verdict(&not_here, NODE_PORTS, &node_port()),
            Some(goto("all/shop/web/tcp/80"))
        );
        let external = service("web", "10.96.0.7", json!({"externalTrafficPolicy": "Local"}));
        let ruleset = of(&[external], &elsewhere);
        assert_eq!(
            verdict(&ruleset, CLUSTER_IPS, &web()),
            Some(goto("svc/shop/web/tcp/80"))
        );
        assert_eq!(
            verdict(&ruleset, NODE_PORTS, &node_port()),
            Some(goto("ext/shop/web/tcp/80"))
        );
        let last = ruleset.chains["ext/shop/web/tcp/80"].rules.last().unwrap();
        assert_eq!(last.statements.last(), Some(&Statement::Verdict(Verdict::Drop)));
        assert!(ruleset.sets[MASQUERADED_PORTS].elements.is_empty());
    }

    #[test]
    fn each_chain_that_is_meant_is_there() {
        let services = [
            service(
                "a",
                "10.96.0.7",
                json!({"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local"}),
            ),
            service(
                "b",
                "10.96.0.8",
                json!({"sessionAffinity": "ClientIP", "externalIPs": ["198.51.100.1"]}),
            ),
            service(
                "c",
                "10.96.0.9",
                json!({"sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local"}),
            ),
            service(
                "d",
                "10.96.0.10",
                json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]}),
            ),
        ];
        for nodes in [["node", "node"], ["node", "other"], ["other", "other"]] {
            let endpoints = [("10.200.1.2", nodes[0]), ("10.200.1.3", nodes[1])];
            let slices = ["a", "b", "c", "d"].map(|name| slice(name, &endpoints));
            let ruleset = of(&services, &slices);
            let mut verdicts: Vec<&Verdict> = ruleset
                .sets
                .values()
                .flat_map(|set| set.elements.values().flatten())
                .collect();
            let statements = || {
                ruleset
                    .chains
                    .values()
                    .flat_map(|chain| &chain.rules)
                    .flat_map(|rule| &rule.statements)
            };
            verdicts.extend(statements().filter_map(|statement| match statement {
                Statement::Verdict(verdict) => Some(verdict),
                _ => None,
            }));
            for verdict in verdicts {
                if let Verdict::Goto(chain) | Verdict::Jump(chain) = verdict {
                    assert!(ruleset.chains.contains_key(chain), "{chain} with {nodes:?}");
                }
            }
            for statement in statements() {
                match statement {
                    Statement::Choose(chains) => {
                        assert!(chains.iter().all(|chain| ruleset.chains.contains_key(chain)));
                    }
                    Statement::InSet(_, set) | Statement::Map(_, set) | Statement::Update { set, .. } => {
                        assert!(ruleset.sets.contains_key(set), "{set}");
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn datagrams_go_to_places_of_udp_only() {
        let ports =
            json!({"ports": [{"name": "a", "port": 53, "protocol": "UDP"}, {"name": "b", "port": 53}]});
        let service = service("dns", "10.96.0.10", ports);
        let slice = Slice::read(&json!({
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "dns"}},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.200.1.2"]}],
            "ports": [{"name": "a", "port": 5353, "protocol": "UDP"}, {"name": "b", "port": 5354}],
        }));
        let input = Input {
            services: vec![&service],
            slices: vec![&slice],
            host_ports: Vec::new(),
        };
        let places: Vec<_> = datagram_places(&input, &node()).into_iter().collect();
        assert_eq!(places, [(Ipv4Addr::new(10, 200, 1, 2), 5353)]);
    }
}
