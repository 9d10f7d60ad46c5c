use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::addresses::Cidr;
use crate::nft::{Chain, ChainKind, Field, Hook, Rule, Ruleset, Set, SetKind, Statement, Verdict};

/// What the ruleset must know of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name of the table.
    pub table: String,
    /// The name of the node, as endpoints have it.
    pub name: String,
    /// The bridge of the pods.
    pub bridge: String,
    /// The addresses of the pods.
    pub pod_network: Cidr,
    /// The addresses of the services.
    pub service_range: Cidr,
    /// The node's address for others: what load balancers get.
    pub address: Ipv4Addr,
}

// Names of chains and sets that are there whatever services there are.
pub(super) const CLUSTER_IPS: &str = "cluster-ips";
pub(super) const EXTERNAL_IPS: &str = "external-ips";
pub(super) const NODE_PORTS: &str = "node-ports";
pub(super) const REFUSED: &str = "no-endpoints";
pub(super) const REFUSED_PORTS: &str = "no-endpoint-node-ports";
pub(super) const HAIRPIN: &str = "hairpin";
pub(super) const MASQUERADED: &str = "masqueraded";
pub(super) const MASQUERADED_PORTS: &str = "masqueraded-node-ports";
pub(super) const REFUSE: &str = "refuse";
const EXTERNAL: &str = "external";
const CHECK: &str = "endpoints-check";

/// Address, protocol and port of a packet that no rule has changed yet.
pub(super) const DOOR: [Field; 3] = [Field::DestinationAddress, Field::Protocol, Field::DestinationPort];
pub(super) const PORT_DOOR: [Field; 2] = [Field::Protocol, Field::DestinationPort];
const FIRST_DOOR: [Field; 3] = [Field::OriginalDestination, Field::Protocol, Field::OriginalPort];
const FIRST_PORT_DOOR: [Field; 2] = [Field::Protocol, Field::OriginalPort];
const BOTH_ENDS: [Field; 2] = [Field::SourceAddress, Field::DestinationAddress];

// include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities
const RAW: i32 = -300;
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;
/// Before the filters of others: what has no endpoint is refused with a word, even where they drop it.
const BEFORE_FILTER: i32 = -10;
/// `IP_CT_NEW` as a bit of `ct state`.
const NEW: u32 = 8;
/// `IPS_DST_NAT`
const DESTINATION_CHANGED: u32 = 0x20;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMP_REDIRECT: u8 = 5;
const LOOPBACK: Cidr = Cidr {
    first: Ipv4Addr::new(127, 0, 0, 0),
    length: 8,
};

/// The table of a cluster without services: pods get out, and nothing else happens.
pub(super) fn base(node: &Node) -> Ruleset {
    let mut chains = BTreeMap::new();
    let mut chain = |name: &str, chain| chains.insert(name.to_owned(), chain);
    chain(
        "guard",
        Chain::at(ChainKind::Filter, Hook::Prerouting, RAW, vec![guard(node)]),
    );
    chain(
        "prerouting",
        Chain::at(ChainKind::Nat, Hook::Prerouting, DSTNAT, prerouting(node)),
    );
    chain(
        "output",
        Chain::at(ChainKind::Nat, Hook::Output, DSTNAT, output()),
    );
    chain(EXTERNAL, Chain::of(external()));
    chain(
        "postrouting",
        Chain::at(ChainKind::Nat, Hook::Postrouting, SRCNAT, postrouting(node)),
    );
    let check = || Rule::new(vec![Statement::HasBits(Field::State, NEW), jump(CHECK)]);
    let mut leaving = vec![check()];
    leaving.push(no_redirects(node));
    for (name, hook, rules) in [
        ("filter-input", Hook::Input, vec![check()]),
        ("filter-forward", Hook::Forward, vec![check()]),
        ("filter-output", Hook::Output, leaving),
    ] {
        chain(name, Chain::at(ChainKind::Filter, hook, BEFORE_FILTER, rules));
    }
    chain(CHECK, Chain::of(endpoints_check(node)));
    chain(REFUSE, Chain::of(refuse()));
    let sets = [
        (CLUSTER_IPS, Set::new(&DOOR, SetKind::Verdicts)),
        (EXTERNAL_IPS, Set::new(&DOOR, SetKind::Verdicts)),
        (NODE_PORTS, Set::new(&PORT_DOOR, SetKind::Verdicts)),
        (REFUSED, Set::new(&DOOR, SetKind::Verdicts)),
        (REFUSED_PORTS, Set::new(&PORT_DOOR, SetKind::Verdicts)),
        (HAIRPIN, Set::new(&BOTH_ENDS, SetKind::Plain)),
        (MASQUERADED, Set::new(&DOOR, SetKind::Plain)),
        (MASQUERADED_PORTS, Set::new(&PORT_DOOR, SetKind::Plain)),
    ];
    Ruleset {
        table: node.table.clone(),
        chains,
        sets: sets.map(|(name, set)| (name.to_owned(), set)).into(),
    }
}

/// `route_localnet` on the bridge would let pods reach what listens on the node's 127.0.0.1 only.
fn guard(node: &Node) -> Rule {
    let rule = vec![
        from_pods(node),
        within(Field::DestinationAddress, true, LOOPBACK),
        Statement::Counter,
        Statement::Verdict(Verdict::Drop),
    ];
    Rule::told("pods stay out of the node's own 127.0.0.1", rule)
}

/// Cluster IPs are for pods of this cluster: another one on this machine may have the same range.
fn prerouting(node: &Node) -> Vec<Rule> {
    let map = Statement::Map(DOOR.to_vec(), CLUSTER_IPS.to_owned());
    vec![
        Rule::new(vec![from_pods(node), map]),
        Rule::new(vec![jump(EXTERNAL)]),
    ]
}

fn output() -> Vec<Rule> {
    let map = Statement::Map(DOOR.to_vec(), CLUSTER_IPS.to_owned());
    vec![Rule::new(vec![map]), Rule::new(vec![jump(EXTERNAL)])]
}

fn external() -> Vec<Rule> {
    let local = is(Field::DestinationType, true, Field::local());
    vec![
        Rule::new(vec![Statement::Map(DOOR.to_vec(), EXTERNAL_IPS.to_owned())]),
        Rule::new(vec![
            local,
            Statement::Map(PORT_DOOR.to_vec(), NODE_PORTS.to_owned()),
        ]),
    ]
}

fn postrouting(node: &Node) -> Vec<Rule> {
    let changed = || Statement::HasBits(Field::Status, DESTINATION_CHANGED);
    let in_set = |fields: &[Field], set: &str| Statement::InSet(fields.to_vec(), set.to_owned());
    let to_pods = |equal| is(Field::OutInterface, equal, Field::interface(&node.bridge));
    let masquerade = |comment: &str, mut statements: Vec<Statement>| {
        statements.push(Statement::Counter);
        statements.push(Statement::Masquerade);
        Rule::told(comment, statements)
    };
    vec![
        masquerade(
            "a pod that reaches itself through a service",
            vec![changed(), in_set(&BOTH_ENDS, HAIRPIN)],
        ),
        masquerade(
            "from the node's 127.0.0.1",
            vec![to_pods(true), within(Field::SourceAddress, true, LOOPBACK)],
        ),
        masquerade(
            "through an external address, traffic policy Cluster",
            vec![changed(), in_set(&FIRST_DOOR, MASQUERADED)],
        ),
        masquerade(
            "through a node port, traffic policy Cluster",
            vec![
                changed(),
                within(Field::OriginalDestination, false, node.service_range),
                in_set(&FIRST_PORT_DOOR, MASQUERADED_PORTS),
            ],
        ),
        masquerade(
            "pods that leave the cluster",
            vec![
                within(Field::SourceAddress, true, node.pod_network),
                to_pods(false),
            ],
        ),
    ]
}

/// Packets that found no endpoint still have the address of the service here.
fn endpoints_check(node: &Node) -> Vec<Rule> {
    let refuse = || Statement::Verdict(Verdict::Goto(REFUSE.to_owned()));
    vec![
        Rule::new(vec![Statement::Map(DOOR.to_vec(), REFUSED.to_owned())]),
        Rule::new(vec![
            is(Field::DestinationType, true, Field::local()),
            Statement::Map(PORT_DOOR.to_vec(), REFUSED_PORTS.to_owned()),
        ]),
        // Upstream drops what goes to an address that no service has; a word at once is kinder.
        Rule::told(
            "no such service, or no such port",
            vec![
                from_pods(node),
                within(Field::DestinationAddress, true, node.service_range),
                refuse(),
            ],
        ),
        Rule::new(vec![
            is(Field::OutInterface, true, Field::interface(&node.bridge)),
            within(Field::DestinationAddress, true, node.service_range),
            refuse(),
        ]),
    ]
}

/// A reset for TCP: of ICMP messages the kernel sends each client a few per second only.
fn refuse() -> Vec<Rule> {
    let tcp = is(Field::Protocol, true, vec![TCP]);
    vec![
        Rule::new(vec![tcp, Statement::Counter, Statement::Reset]),
        Rule::new(vec![Statement::Counter, Statement::Reject]),
    ]
}

/// Packets between pods pass the node although they could go straight: nobody shall tell the pods so.
fn no_redirects(node: &Node) -> Rule {
    Rule::new(vec![
        is(Field::OutInterface, true, Field::interface(&node.bridge)),
        is(Field::Protocol, true, vec![ICMP]),
        is(Field::IcmpType, true, vec![ICMP_REDIRECT]),
        Statement::Verdict(Verdict::Drop),
    ])
}

fn from_pods(node: &Node) -> Statement {
    is(Field::InInterface, true, Field::interface(&node.bridge))
}

fn is(field: Field, equal: bool, value: Vec<u8>) -> Statement {
    Statement::Is { field, equal, value }
}

pub(super) fn within(field: Field, inside: bool, range: Cidr) -> Statement {
    Statement::Within { field, inside, range }
}

fn jump(chain: &str) -> Statement {
    Statement::Verdict(Verdict::Jump(chain.to_owned()))
}
