use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::addresses::Cidr;

/// All that a table holds. Two that are equal are the same to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The name of the table, of family `ip`.
    pub table: String,
    /// Its chains by name.
    pub chains: BTreeMap<String, Chain>,
    /// Its sets and maps by name.
    pub sets: BTreeMap<String, Set>,
}

/// Rules, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Where packets enter it by themselves; none for a chain that others send packets to.
    pub hooked: Option<Hooked>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// Where a chain stands in the way of packets. Its policy is to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hooked {
    /// What it may do.
    pub kind: ChainKind,
    /// At which point.
    pub hook: Hook,
    /// The lowest comes first.
    pub priority: i32,
}

/// What a chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// Let packets pass or not.
    Filter,
    /// Change addresses, once per connection.
    Nat,
}

/// Points on the way of a packet, with their numbers (`enum nf_inet_hooks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// All that comes in.
    Prerouting = 0,
    /// What is for this machine.
    Input = 1,
    /// What passes through.
    Forward = 2,
    /// What this machine sends.
    Output = 3,
    /// All that goes out.
    Postrouting = 4,
}

/// What is done with a packet, step by step; a step that does not match ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The steps.
    pub statements: Vec<Statement>,
    /// For people who list it; empty for none, up to 127 bytes are kept.
    pub comment: String,
}

/// A step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `field value`, or `field != value`.
    Is {
        /// What is looked at.
        field: Field,
        /// False for `!=`.
        equal: bool,
        /// The wanted value, as [`Field::value`] and its kin make it.
        value: Vec<u8>,
    },
    /// `field & bits != 0`
    HasBits(Field, u32),
    /// `ip saddr 10.0.0.0/8`, or `!=`.
    Within {
        /// An address.
        field: Field,
        /// False for `!=`.
        inside: bool,
        /// The range.
        range: Cidr,
    },
    /// `fields @set`
    InSet(Vec<Field>, String),
    /// `field { ranges }`
    InRanges(Field, Vec<Cidr>),
    /// `fields vmap @map`
    Map(Vec<Field>, String),
    /// `update @set { field timeout ... }`
    Update {
        /// The set.
        set: String,
        /// The key.
        field: Field,
        /// For how long it stays.
        timeout_ms: u64,
    },
    /// `dnat to` one of these, by chance.
    Dnat(Vec<(Ipv4Addr, u16)>),
    /// `goto` one of these chains, by chance.
    Choose(Vec<String>),
    /// `masquerade`
    Masquerade,
    /// `reject`: an ICMP message that says that the port is not reachable.
    Reject,
    /// `reject with tcp reset`, after [`Field::Protocol`] was found to be TCP.
    Reset,
    /// `counter`
    Counter,
    /// The end.
    Verdict(Verdict),
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Its way ends here, without a word.
    Drop,
    /// It passes this chain.
    Accept,
    /// It visits another chain and comes back.
    Jump(String),
    /// It goes on in another chain.
    Goto(String),
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `ip saddr`
    SourceAddress,
    /// `ip daddr`
    DestinationAddress,
    /// `meta l4proto`
    Protocol,
    /// `th dport`
    DestinationPort,
    /// `icmp type`, after [`Field::Protocol`] was found to be ICMP.
    IcmpType,
    /// `iifname`
    InInterface,
    /// `oifname`
    OutInterface,
    /// `fib daddr type`
    DestinationType,
    /// `fib saddr type`
    SourceType,
    /// `ct state`
    State,
    /// `ct status`
    Status,
    /// `ct original ip daddr`: before it was changed.
    OriginalDestination,
    /// `ct original proto-dst`
    OriginalPort,
}

/// `RTN_LOCAL`: an address of this machine, as [`Field::DestinationType`] gives it.
pub(super) const LOCAL: u32 = 2;

impl Field {
    /// The value of an address.
    pub fn address(address: Ipv4Addr) -> Vec<u8> {
        address.octets().to_vec()
    }

    /// The value of an interface's name.
    pub fn interface(name: &str) -> Vec<u8> {
        let mut value = [0; 16];
        let length = name.len().min(15);
        value[..length].copy_from_slice(&name.as_bytes()[..length]);
        value.to_vec()
    }

    /// The value of a type of address that is this machine's.
    pub fn local() -> Vec<u8> {
        LOCAL.to_ne_bytes().to_vec()
    }
}

/// A set, or a map to verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// What its keys are made of.
    pub key: Vec<Field>,
    /// What it is.
    pub kind: SetKind,
    /// What is in it. Of a set that rules fill, nothing is ours.
    pub elements: BTreeMap<Key, Option<Verdict>>,
}

/// What a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// Keys.
    Plain,
    /// Keys with verdicts, each of which counts its packets.
    Verdicts,
    /// Rules add keys, which expire.
    Remembers,
}

/// The key of an element: its parts, each at a multiple of four bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// The empty key, to add to.
    pub fn new() -> Key {
        Key::default()
    }

    /// And an address.
    #[must_use]
    pub fn address(mut self, address: Ipv4Addr) -> Key {
        self.0.extend_from_slice(&address.octets());
        self
    }

    /// And the number of a protocol above IP.
    #[must_use]
    pub fn protocol(mut self, number: u8) -> Key {
        self.0.extend_from_slice(&[number, 0, 0, 0]);
        self
    }

    /// And a port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Key {
        let [high, low] = port.to_be_bytes();
        self.0.extend_from_slice(&[high, low, 0, 0]);
        self
    }
}

impl Set {
    /// An empty one.
    pub fn new(key: &[Field], kind: SetKind) -> Set {
        Set {
            key: key.to_vec(),
            kind,
            elements: BTreeMap::new(),
        }
    }
}

impl Rule {
    /// Without a comment.
    pub fn new(statements: Vec<Statement>) -> Rule {
        Rule {
            statements,
            comment: String::new(),
        }
    }

    /// With a comment.
    pub fn told(comment: impl Into<String>, statements: Vec<Statement>) -> Rule {
        Rule {
            statements,
            comment: comment.into(),
        }
    }
}

impl Chain {
    /// One that others send packets to.
    pub fn of(rules: Vec<Rule>) -> Chain {
        Chain { hooked: None, rules }
    }

    /// One that packets enter by themselves.
    pub fn at(kind: ChainKind, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
        let hooked = Some(Hooked { kind, hook, priority });
        Chain { hooked, rules }
    }
}
