use super::model::{Field, Statement, Verdict};
use super::{IPV4, LIST_ELEM};
use crate::addresses::Cidr;
use crate::netlink::Messages;

// include/uapi/linux/netfilter/nf_tables.h
const EXPR_NAME: u16 = 1;
const EXPR_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
const REGISTER_VERDICT: u32 = 0;
const JUMP: i32 = -3;
const GOTO: i32 = -4;

/// The first part of a key is in `NFT_REG_1`, each further one in the next `NFT_REG32_*`, as `nft` does it and
/// understands it when it lists.
const REGISTERS: [u32; 4] = [1, 9, 10, 11];

/// How a field is read: the size of its value, its type for `nft` (`enum datatypes` of nftables), and whether its
/// value has the network's order of bytes.
pub(super) struct Shape {
    pub size_bytes: u32,
    pub kind: u32,
    pub network_order: bool,
}

impl Field {
    pub(super) fn shape(self) -> Shape {
        let (size_bytes, kind, network_order) = match self {
            Field::SourceAddress | Field::DestinationAddress | Field::OriginalDestination => (4, 7, true),
            Field::Protocol => (1, 12, true),
            Field::DestinationPort | Field::OriginalPort => (2, 13, true),
            Field::IcmpType => (1, 14, true),
            Field::InInterface | Field::OutInterface => (16, 41, false),
            Field::DestinationType | Field::SourceType => (4, 38, false),
            Field::State => (4, 26, false),
            Field::Status => (4, 28, false),
        };
        Shape {
            size_bytes,
            kind,
            network_order,
        }
    }

    /// The expression that loads it.
    fn load(self, m: &mut Messages, register: u32) {
        match self {
            Field::SourceAddress => payload(m, register, NETWORK, 12, 4),
            Field::DestinationAddress => payload(m, register, NETWORK, 16, 4),
            Field::DestinationPort => payload(m, register, TRANSPORT, 2, 2),
            Field::IcmpType => payload(m, register, TRANSPORT, 0, 1),
            Field::Protocol => meta(m, register, 16),
            Field::InInterface => meta(m, register, 6),
            Field::OutInterface => meta(m, register, 7),
            Field::DestinationType => fib(m, register, 1 << 1),
            Field::SourceType => fib(m, register, 1),
            Field::State => conntrack(m, register, 0, false),
            Field::Status => conntrack(m, register, 2, false),
            Field::OriginalDestination => conntrack(m, register, 20, true),
            Field::OriginalPort => conntrack(m, register, 12, true),
        }
    }
}

/// The anonymous set of a rule, which is made right before the rule.
pub(super) struct Anonymous {
    /// `NFT_SET_*`
    pub flags: u32,
    pub key_kind: u32,
    pub key_size: u32,
    pub network_order: bool,
    /// `NFT_DATA_VERDICT`, or a type of nftables.
    pub data_kind: Option<u32>,
    pub data_size: u32,
    pub elements: Vec<Element>,
}

/// An element of an anonymous set.
pub(super) struct Element {
    pub key: Vec<u8>,
    pub data: Option<Data>,
    /// It ends the range that the one before it began.
    pub ends: bool,
}

/// What a map gives.
pub(super) enum Data {
    Verdict(Verdict),
    Value(Vec<u8>),
}

const SET_ANONYMOUS: u32 = 0x1;
const SET_CONSTANT: u32 = 0x2;
const SET_INTERVAL: u32 = 0x4;
pub(super) const SET_MAP: u32 = 0x8;
pub(super) const DATA_KIND_VERDICT: u32 = 0xffff_ff00;
/// `TYPE_MARK` of nftables, the type of what numgen gives.
const KIND_NUMBER: u32 = 4;
/// An address and a port, six bits for each part.
const KIND_ADDRESS_PORT: u32 = 7 << 6 | 13;

impl Statement {
    /// The set that must be there before the rule.
    pub(super) fn anonymous(&self) -> Option<Anonymous> {
        match self {
            Statement::InRanges(field, ranges) => Some(Anonymous {
                flags: SET_ANONYMOUS | SET_CONSTANT | SET_INTERVAL,
                key_kind: field.shape().kind,
                key_size: field.shape().size_bytes,
                network_order: true,
                data_kind: None,
                data_size: 0,
                elements: intervals(ranges),
            }),
            Statement::Dnat(targets) if targets.len() > 1 => {
                let places = targets.iter().map(|(address, port)| {
                    let [high, low] = port.to_be_bytes();
                    Data::Value([&address.octets()[..], &[high, low, 0, 0]].concat())
                });
                Some(numbered(KIND_ADDRESS_PORT, 8, places.collect()))
            }
            Statement::Choose(chains) if chains.len() > 1 => {
                let verdicts = chains
                    .iter()
                    .map(|chain| Data::Verdict(Verdict::Goto(chain.clone())));
                Some(numbered(DATA_KIND_VERDICT, 0, verdicts.collect()))
            }
            _ => None,
        }
    }

    /// Its expressions; `anonymous` names the set that it needs.
    pub(super) fn write(&self, m: &mut Messages, anonymous: Option<(&str, u32)>) {
        match self {
            Statement::Is { field, equal, value } => {
                field.load(m, REGISTERS[0]);
                compare(m, *equal, value);
            }
            Statement::HasBits(field, bits) => {
                field.load(m, REGISTERS[0]);
                masked(m, &bits.to_ne_bytes());
                compare(m, false, &[0; 4]);
            }
            Statement::Within { field, inside, range } => {
                field.load(m, REGISTERS[0]);
                masked(m, &range.mask().to_be_bytes());
                compare(m, *inside, &range.first.octets());
            }
            Statement::InSet(fields, set) => {
                load_all(m, fields);
                lookup(m, set, None, None);
            }
            Statement::InRanges(field, _) => {
                field.load(m, REGISTERS[0]);
                if let Some((name, id)) = anonymous {
                    lookup(m, name, Some(id), None);
                }
            }
            Statement::Map(fields, map) => {
                load_all(m, fields);
                lookup(m, map, None, Some(REGISTER_VERDICT));
            }
            Statement::Update {
                set,
                field,
                timeout_ms,
            } => {
                field.load(m, REGISTERS[0]);
                expression(m, "dynset", |m| {
                    m.text(1, set);
                    m.be32(3, DYNSET_UPDATE);
                    m.be32(4, REGISTERS[0]);
                    m.be64(6, *timeout_ms);
                });
            }
            Statement::Dnat(targets) => dnat(m, targets, anonymous),
            Statement::Choose(chains) => choose(m, chains, anonymous),
            Statement::Masquerade => expression(m, "masq", |_| ()),
            Statement::Reject => expression(m, "reject", |m| {
                m.be32(1, REJECT_ICMP);
                m.u8(2, PORT_UNREACHABLE);
            }),
            Statement::Reset => expression(m, "reject", |m| m.be32(1, REJECT_RESET)),
            Statement::Counter => expression(m, "counter", |m| {
                m.be64(1, 0);
                m.be64(2, 0);
            }),
            Statement::Verdict(verdict) => immediate_verdict(m, verdict),
        }
    }
}

const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const DYNSET_UPDATE: u32 = 1;
const REJECT_ICMP: u32 = 0;
const REJECT_RESET: u32 = 1;
/// `ICMP_PORT_UNREACH`: a client sees "connection refused" at once.
const PORT_UNREACHABLE: u8 = 3;

fn numbered(data_kind: u32, data_size: u32, data: Vec<Data>) -> Anonymous {
    let elements = (0u32..).zip(data).map(|(place, data)| Element {
        key: place.to_ne_bytes().to_vec(),
        data: Some(data),
        ends: false,
    });
    Anonymous {
        flags: SET_ANONYMOUS | SET_CONSTANT | SET_MAP,
        key_kind: KIND_NUMBER,
        key_size: 4,
        network_order: false,
        data_kind: Some(data_kind),
        data_size,
        elements: elements.collect(),
    }
}

/// Where each range begins and where it has ended. The kernel's tree wants ranges that do not touch, and a beginning
/// that belongs to none.
fn intervals(ranges: &[Cidr]) -> Vec<Element> {
    let bounds = |range: &Cidr| {
        let first = range.first.to_bits();
        (u64::from(first), u64::from(first | !range.mask()) + 1)
    };
    let mut all: Vec<(u64, u64)> = ranges.iter().map(bounds).collect();
    all.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    let mut elements = Vec::new();
    let mut add = |place: u64, ends: bool| {
        if let Ok(place) = u32::try_from(place) {
            let key = place.to_be_bytes().to_vec();
            elements.push(Element {
                key,
                data: None,
                ends,
            });
        }
    };
    if merged.first().is_none_or(|first| first.0 > 0) {
        add(0, true);
    }
    for (start, end) in merged {
        add(start, false);
        add(end, true);
    }
    elements
}

fn load_all(m: &mut Messages, fields: &[Field]) {
    for (field, register) in fields.iter().zip(REGISTERS) {
        field.load(m, register);
    }
}

fn dnat(m: &mut Messages, targets: &[(std::net::Ipv4Addr, u16)], anonymous: Option<(&str, u32)>) {
    match (targets, anonymous) {
        ([(address, port)], _) => {
            immediate(m, REGISTERS[0], &address.octets());
            immediate(m, REGISTERS[1], &port.to_be_bytes());
        }
        (_, Some((name, id))) => {
            numgen(m, targets.len());
            lookup(m, name, Some(id), Some(REGISTERS[0]));
        }
        _ => return,
    }
    expression(m, "nat", |m| {
        m.be32(1, NAT_DNAT);
        m.be32(2, u32::from(IPV4));
        m.be32(3, REGISTERS[0]);
        m.be32(5, REGISTERS[1]);
    });
}

const NAT_DNAT: u32 = 1;

fn choose(m: &mut Messages, chains: &[String], anonymous: Option<(&str, u32)>) {
    match (chains, anonymous) {
        ([chain], _) => immediate_verdict(m, &Verdict::Goto(chain.clone())),
        (_, Some((name, id))) => {
            numgen(m, chains.len());
            lookup(m, name, Some(id), Some(REGISTER_VERDICT));
        }
        _ => {}
    }
}

pub(super) fn expression(m: &mut Messages, name: &str, data: impl FnOnce(&mut Messages)) {
    m.nested(LIST_ELEM, |m| named(m, name, data));
}

/// An expression without the element of a list around it, as sets have them.
pub(super) fn named(m: &mut Messages, name: &str, data: impl FnOnce(&mut Messages)) {
    m.text(EXPR_NAME, name);
    m.nested(EXPR_DATA, data);
}

fn payload(m: &mut Messages, register: u32, base: u32, offset: u32, length: u32) {
    expression(m, "payload", |m| {
        m.be32(1, register);
        m.be32(2, base);
        m.be32(3, offset);
        m.be32(4, length);
    });
}

fn meta(m: &mut Messages, register: u32, key: u32) {
    expression(m, "meta", |m| {
        m.be32(2, key);
        m.be32(1, register);
    });
}

/// The type of an address: `NFT_FIB_RESULT_ADDRTYPE`.
fn fib(m: &mut Messages, register: u32, flags: u32) {
    expression(m, "fib", |m| {
        m.be32(3, flags);
        m.be32(2, 3);
        m.be32(1, register);
    });
}

fn conntrack(m: &mut Messages, register: u32, key: u32, original: bool) {
    expression(m, "ct", |m| {
        m.be32(2, key);
        m.be32(1, register);
        if original {
            m.u8(3, 0);
        }
    });
}

/// By chance, below `count`.
fn numgen(m: &mut Messages, count: usize) {
    expression(m, "numgen", |m| {
        m.be32(1, REGISTERS[0]);
        m.be32(2, u32::try_from(count).unwrap_or(u32::MAX));
        m.be32(3, 1);
        m.be32(4, 0);
    });
}

fn masked(m: &mut Messages, mask: &[u8]) {
    expression(m, "bitwise", |m| {
        m.be32(1, REGISTERS[0]);
        m.be32(2, REGISTERS[0]);
        m.be32(3, u32::try_from(mask.len()).unwrap_or_default());
        m.nested(4, |m| m.attribute(DATA_VALUE, mask));
        m.nested(5, |m| m.attribute(DATA_VALUE, &vec![0; mask.len()]));
    });
}

fn compare(m: &mut Messages, equal: bool, value: &[u8]) {
    expression(m, "cmp", |m| {
        m.be32(1, REGISTERS[0]);
        m.be32(2, u32::from(!equal));
        m.nested(3, |m| m.attribute(DATA_VALUE, value));
    });
}

fn lookup(m: &mut Messages, set: &str, id: Option<u32>, result: Option<u32>) {
    expression(m, "lookup", |m| {
        m.text(1, set);
        m.be32(2, REGISTERS[0]);
        if let Some(register) = result {
            m.be32(3, register);
        }
        if let Some(id) = id {
            m.be32(4, id);
        }
    });
}

fn immediate(m: &mut Messages, register: u32, value: &[u8]) {
    expression(m, "immediate", |m| {
        m.be32(1, register);
        m.nested(2, |m| m.attribute(DATA_VALUE, value));
    });
}

fn immediate_verdict(m: &mut Messages, verdict: &Verdict) {
    expression(m, "immediate", |m| {
        m.be32(1, REGISTER_VERDICT);
        m.nested(2, |m| write_verdict(m, verdict));
    });
}

/// The value of a register, or of an element of a map.
pub(super) fn write_data(m: &mut Messages, data: &Data) {
    match data {
        Data::Verdict(verdict) => write_verdict(m, verdict),
        Data::Value(value) => m.attribute(DATA_VALUE, value),
    }
}

pub(super) fn write_key(m: &mut Messages, key: &[u8]) {
    m.attribute(DATA_VALUE, key);
}

fn write_verdict(m: &mut Messages, verdict: &Verdict) {
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (JUMP, Some(chain)),
        Verdict::Goto(chain) => (GOTO, Some(chain)),
    };
    m.nested(DATA_VERDICT, |m| {
        m.attribute(VERDICT_CODE, &code.to_be_bytes());
        if let Some(chain) = chain {
            m.text(VERDICT_CHAIN, chain);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(ranges: &[&str]) -> Vec<(Vec<u8>, bool)> {
        let ranges: Vec<Cidr> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        intervals(&ranges).into_iter().map(|e| (e.key, e.ends)).collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let expected = vec![
            (vec![0, 0, 0, 0], true),
            (vec![10, 0, 0, 0], false),
            (vec![12, 0, 0, 0], true),
        ];
        assert_eq!(bounds(&["11.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"]), expected);
    }

    #[test]
    fn everything_has_no_end() {
        assert_eq!(bounds(&["0.0.0.0/0"]), vec![(vec![0, 0, 0, 0], false)]);
        assert_eq!(bounds(&[]), vec![(vec![0, 0, 0, 0], true)]);
    }
}
