//! From a question to its answer: the Kubernetes DNS specification 1.1 for the zone `cluster.local`, and addresses back
//! to names. Where the specification leaves a choice it is made as in CoreDNS with kubeadm's configuration.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::limits;
use super::view::{Endpoint, Key, Port, Service, View, Way};

/// The zone of the cluster.
pub const ZONE: &str = "cluster.local";
/// The service that DNS itself is.
pub const SERVICE: (&str, &str) = ("kube-system", "kube-dns");

/// Seconds that an answer may be kept: `ttl 30` in kubeadm's configuration.
const TTL_SECONDS: u32 = 30;
/// Seconds that the version may be kept (`coredns/plugin/kubernetes Services`).
const VERSION_TTL_SECONDS: u32 = 28_800;
/// What the specification calls itself.
const VERSION: &str = "1.1.0";

/// What is to be done with a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This is the answer.
    Reply(Message),
    /// It is about a name outside the cluster.
    Elsewhere,
    /// The name stands for another one outside: what that has is to be added to the reply.
    Alias {
        /// With the alias in its answers.
        reply: Message,
        /// The name to ask for, with the type of the question.
        target: Name,
    },
}

/// Answers a question. `turn` is how far the addresses of a service are rotated, so that clients which take the first
/// one spread.
pub fn answer(question: &Message, view: &View, turn: usize) -> Answer {
    let mut reply = reply_to(question);
    let refused = if question.metadata.op_code != OpCode::Query {
        Some(ResponseCode::NotImp)
    } else if question.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
        Some(ResponseCode::BADVERS)
    } else if question.queries.len() != 1 {
        Some(ResponseCode::FormErr)
    } else {
        None
    };
    if let Some(code) = refused {
        set_code(&mut reply, code);
        return Answer::Reply(reply);
    }
    let query = &question.queries[0];
    if query.query_class() != DNSClass::IN
        || matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR)
    {
        reply.metadata.response_code = ResponseCode::Refused;
        return Answer::Reply(reply);
    }
    let labels = labels(query.name());
    if let Some(below) = below_zone(&labels) {
        reply.metadata.authoritative = true;
        return Asked { view, query, turn }.in_zone(below, reply);
    }
    match address_in_reverse(&labels).map(|address| reverse(view, query, address)) {
        Some(records) if !records.is_empty() => {
            reply.metadata.authoritative = true;
            if query.query_type() == RecordType::PTR {
                reply.answers = records;
            } else {
                reply.authorities.push(start_of_authority(view));
            }
            Answer::Reply(reply)
        }
        _ => Answer::Elsewhere,
    }
}

/// An answer that has nothing in it yet.
pub fn reply_to(question: &Message) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata = Metadata::response_from_request(&question.metadata);
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&question.queries);
    // RFC 6891 6.1.1: who shows that he knows EDNS is answered so.
    if let Some(asked) = &question.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(limits::UDP_BYTES_MAX);
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        reply.set_edns(edns);
    }
    reply
}

/// An answer that says why there is none.
pub fn failure(question: &Message, code: ResponseCode) -> Message {
    let mut reply = reply_to(question);
    set_code(&mut reply, code);
    reply
}

fn set_code(reply: &mut Message, code: ResponseCode) {
    reply.metadata.response_code = code;
    if let Some(edns) = &mut reply.edns {
        edns.set_rcode_high(code.high());
    }
}

/// One question in the zone.
struct Asked<'a> {
    view: &'a View,
    query: &'a Query,
    turn: usize,
}

/// What a name of the zone stands for.
enum Found {
    /// There is no such name.
    Nothing,
    /// There is, and it has no records.
    Empty,
    /// Addresses, each with the port and the name that SRV records show.
    Places(Vec<Place>),
    /// Another name.
    Alias(String),
    /// The version of the specification.
    Version,
    /// The zone itself.
    Zone,
}

/// One address with one port.
struct Place {
    address: IpAddr,
    /// `None`: an endpoint without ports.
    port: Option<u16>,
    target: Name,
}

impl Asked<'_> {
    fn in_zone(&self, below: &[String], mut reply: Message) -> Answer {
        match self.find(below) {
            Found::Nothing => reply.metadata.response_code = ResponseCode::NXDomain,
            Found::Empty => {}
            Found::Version => {
                if self.query.query_type() == RecordType::TXT {
                    let text = RData::TXT(TXT::new(vec![VERSION.to_owned()]));
                    reply.answers.push(self.record(VERSION_TTL_SECONDS, text));
                }
            }
            Found::Zone => self.zone(&mut reply),
            Found::Places(places) => self.places(&places, &mut reply),
            Found::Alias(target) => return self.alias(&target, reply),
        }
        if reply.answers.is_empty() {
            reply.authorities.push(start_of_authority(self.view));
        }
        Answer::Reply(reply)
    }

    /// Labels below the zone, the left one first (`coredns/plugin/kubernetes/parse.go`).
    fn find(&self, below: &[String]) -> Found {
        let (below, sort) = match below {
            [] => return Found::Zone,
            [version] if version == "dns-version" => return Found::Version,
            [ns, dns] if ns == "ns" && dns == "dns" => return self.own_service(),
            [below @ .., sort] => (below, &**sort),
        };
        if !matches!(sort, "svc" | "pod") {
            return Found::Nothing;
        }
        let Some((namespace, below)) = below.split_last() else {
            return Found::Empty;
        };
        if !self.view.has_namespace(namespace) {
            return Found::Nothing;
        }
        let Some((name, below)) = below.split_last() else {
            return Found::Empty;
        };
        if sort == "pod" {
            return self.pod(name, below);
        }
        let key: Key = (namespace.as_str().into(), name.as_str().into());
        match self.view.service(&key) {
            Some(service) => self.service(&key, service, below),
            None => Found::Nothing,
        }
    }

    fn own_service(&self) -> Found {
        let key: Key = (SERVICE.0.into(), SERVICE.1.into());
        match self.view.service(&key).map(|service| &service.way) {
            Some(Way::Addresses(addresses)) => places(
                addresses
                    .iter()
                    .map(|address| Place {
                        address: *address,
                        port: None,
                        target: self.query.name().clone(),
                    })
                    .collect(),
            ),
            _ => Found::Nothing,
        }
    }

    /// `pods insecure`: any address of a namespace that there is.
    fn pod(&self, name: &str, below: &[String]) -> Found {
        let four = name.matches('-').count() == 3 && !name.contains("--");
        let address = name.replace('-', if four { "." } else { ":" });
        match address.parse() {
            Ok(address) if below.is_empty() => Found::Places(vec![Place {
                address,
                port: None,
                target: self.query.name().clone(),
            }]),
            _ => Found::Nothing,
        }
    }

    fn service(&self, key: &Key, service: &Service, below: &[String]) -> Found {
        let (endpoint, port, protocol) = match below {
            [] => ("", "", ""),
            [endpoint] => (&**endpoint, "", ""),
            [port, protocol] => ("", stripped(port), stripped(protocol)),
            _ => return Found::Nothing,
        };
        let fits =
            |a: &Port| (port.is_empty() || a.name == port) && (protocol.is_empty() || a.protocol == protocol);
        match &service.way {
            Way::External(target) if below.is_empty() && target.parse::<IpAddr>().is_err() => {
                Found::Alias(target.clone())
            }
            Way::External(_) => Found::Nothing,
            Way::Addresses(addresses) if endpoint.is_empty() => {
                let target = name_of(&[&*key.1, &*key.0, "svc", ZONE]);
                let ports = service.ports.iter().filter(|port| fits(port));
                let each = ports.flat_map(|port| addresses.iter().map(move |address| (port, address)));
                places(
                    each.map(|(port, address)| Place {
                        address: *address,
                        port: Some(port.number),
                        target: target.clone(),
                    })
                    .collect(),
                )
            }
            Way::Addresses(_) | Way::Headless => {
                let mut found = Vec::new();
                for slice in self.view.slices(key) {
                    let endpoints = slice.endpoints.iter();
                    for at in endpoints.filter(|at| endpoint.is_empty() || at.label == endpoint) {
                        if slice.ports.is_empty() && port.is_empty() && protocol.is_empty() {
                            found.push(endpoint_place(key, at, None));
                        }
                        let ports = slice.ports.iter().filter(|port| fits(port));
                        found.extend(ports.map(|port| endpoint_place(key, at, Some(port.number))));
                    }
                }
                places(found)
            }
        }
    }

    fn zone(&self, reply: &mut Message) {
        match self.query.query_type() {
            RecordType::SOA => reply.answers.push(start_of_authority(self.view)),
            RecordType::NS => {
                let target = name_of(&[SERVICE.1, SERVICE.0, "svc", ZONE]);
                if let Found::Places(places) = self.own_service() {
                    let data = RData::NS(NS(target.clone()));
                    reply.answers.push(self.record(TTL_SECONDS, data));
                    let records = places.iter().map(|place| address_record(&target, place.address));
                    reply.additionals.extend(records);
                }
            }
            _ => {}
        }
    }

    fn places(&self, places: &[Place], reply: &mut Message) {
        match self.query.query_type() {
            kind @ (RecordType::A | RecordType::AAAA) => {
                let mut addresses: Vec<IpAddr> = Vec::new();
                for place in places {
                    let wanted = place.address.is_ipv4() == (kind == RecordType::A);
                    if wanted && !addresses.contains(&place.address) {
                        addresses.push(place.address);
                    }
                }
                if !addresses.is_empty() {
                    let by = self.turn % addresses.len();
                    addresses.rotate_left(by);
                }
                let records = addresses
                    .iter()
                    .map(|address| address_record(self.query.name(), *address));
                reply.answers.extend(records);
            }
            RecordType::SRV => self.services(places, reply),
            _ => {}
        }
    }

    /// SRV records, and the addresses of their targets (`coredns/plugin/backend_lookup.go SRV`).
    fn services(&self, places: &[Place], reply: &mut Message) {
        let with_port = places.iter().filter(|place| place.port.is_some()).count();
        let weight = u16::try_from(100 / with_port.max(1)).unwrap_or(1).max(1);
        for place in places {
            let Some(port) = place.port else {
                continue;
            };
            let data = RData::SRV(SRV::new(0, weight, port, place.target.clone()));
            let record = self.record(TTL_SECONDS, data);
            if !reply.answers.contains(&record) {
                reply.answers.push(record);
            }
            let record = address_record(&place.target, place.address);
            if !reply.additionals.contains(&record) {
                reply.additionals.push(record);
            }
        }
    }

    fn alias(&self, target: &str, mut reply: Message) -> Answer {
        let Ok(mut name) = Name::from_ascii(target) else {
            reply.authorities.push(start_of_authority(self.view));
            return Answer::Reply(reply);
        };
        name.set_fqdn(true);
        let kind = self.query.query_type();
        let follows = matches!(kind, RecordType::A | RecordType::AAAA);
        if follows || kind == RecordType::CNAME {
            let data = RData::CNAME(CNAME(name.clone()));
            reply.answers.push(self.record(TTL_SECONDS, data));
        }
        if !follows {
            if reply.answers.is_empty() {
                reply.authorities.push(start_of_authority(self.view));
            }
            return Answer::Reply(reply);
        }
        self.follow(name, reply)
    }

    /// Follows an alias as far as it stays in the zone.
    fn follow(&self, mut name: Name, mut reply: Message) -> Answer {
        for _ in 0..limits::ALIASES_MAX {
            let labels = labels(&name);
            let Some(below) = below_zone(&labels) else {
                return Answer::Alias { reply, target: name };
            };
            let query = Query::query(name.clone(), self.query.query_type());
            let next = Asked {
                query: &query,
                ..*self
            };
            match next.find(below) {
                Found::Places(places) => next.places(&places, &mut reply),
                Found::Alias(target) => {
                    if let Ok(mut target) = Name::from_ascii(&target) {
                        target.set_fqdn(true);
                        let data = RData::CNAME(CNAME(target.clone()));
                        reply.answers.push(next.record(TTL_SECONDS, data));
                        name = target;
                        continue;
                    }
                }
                Found::Nothing => reply.metadata.response_code = ResponseCode::NXDomain,
                Found::Empty | Found::Version | Found::Zone => {}
            }
            if reply
                .answers
                .last()
                .is_some_and(|last| last.record_type() == RecordType::CNAME)
            {
                reply.authorities.push(start_of_authority(self.view));
            }
            return Answer::Reply(reply);
        }
        // A chain without an end has no address.
        reply.answers.clear();
        reply.metadata.response_code = ResponseCode::ServFail;
        Answer::Reply(reply)
    }

    fn record(&self, ttl: u32, data: RData) -> Record {
        Record::from_rdata(self.query.name().clone(), ttl, data)
    }
}

/// A service without endpoints that fit has no name (specification, 2.4.1).
fn places(places: Vec<Place>) -> Found {
    if places.is_empty() {
        Found::Nothing
    } else {
        Found::Places(places)
    }
}

fn endpoint_place(key: &Key, endpoint: &Endpoint, port: Option<u16>) -> Place {
    Place {
        address: endpoint.address,
        port,
        target: name_of(&[&endpoint.label, &*key.1, &*key.0, "svc", ZONE]),
    }
}

fn address_record(name: &Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name.clone(), TTL_SECONDS, data)
}

fn start_of_authority(view: &View) -> Record {
    // The times are those of `coredns/plugin/backend_lookup.go SOA`.
    let soa = SOA::new(
        name_of(&["ns.dns", ZONE]),
        name_of(&["hostmaster", ZONE]),
        view.serial,
        7200,
        1800,
        86_400,
        TTL_SECONDS,
    );
    Record::from_rdata(name_of(&[ZONE]), TTL_SECONDS, RData::SOA(soa))
}

/// The names that an address has: that of its service, else those of its endpoints.
fn reverse(view: &View, query: &Query, address: IpAddr) -> Vec<Record> {
    let names: Vec<Name> = match view.at_cluster_address(address) {
        Some((namespace, name)) => vec![name_of(&[name, namespace, "svc", ZONE])],
        None => view
            .at_endpoint(address)
            .into_iter()
            .map(|((namespace, name), label)| name_of(&[label, name, namespace, "svc", ZONE]))
            .collect(),
    };
    let records = names
        .into_iter()
        .map(|name| Record::from_rdata(query.name().clone(), TTL_SECONDS, RData::PTR(PTR(name))));
    records.collect()
}

fn name_of(parts: &[&str]) -> Name {
    let mut name = Name::from_ascii(parts.join(".")).unwrap_or_else(|_| Name::root());
    name.set_fqdn(true);
    name
}

/// Lower case, the left one first. A label that is no text is one that nothing here is called.
fn labels(name: &Name) -> Vec<String> {
    let text = |label: &[u8]| String::from_utf8_lossy(label).to_ascii_lowercase();
    name.iter().map(text).collect()
}

fn below_zone(labels: &[String]) -> Option<&[String]> {
    match labels {
        [below @ .., cluster, local] if cluster == "cluster" && local == "local" => Some(below),
        _ => None,
    }
}

/// The address of `4.3.2.1.in-addr.arpa` or its like for IPv6, if it is a whole one.
fn address_in_reverse(labels: &[String]) -> Option<IpAddr> {
    let [digits @ .., family, arpa] = labels else {
        return None;
    };
    if arpa != "arpa" {
        return None;
    }
    match (family.as_str(), digits.len()) {
        ("in-addr", 4) => {
            let mut octets = [0; 4];
            for (octet, label) in octets.iter_mut().zip(digits.iter().rev()) {
                *octet = label.parse().ok()?;
            }
            Some(IpAddr::from(octets))
        }
        ("ip6", 32) => {
            let mut bits: u128 = 0;
            for label in digits.iter().rev() {
                let digit = label.chars().next().filter(|_| label.len() == 1)?.to_digit(16)?;
                bits = bits << 4 | u128::from(digit);
            }
            Some(IpAddr::from(bits.to_be_bytes()))
        }
        _ => None,
    }
}

fn stripped(label: &str) -> &str {
    label.strip_prefix('_').unwrap_or(label)
}

#[cfg(test)]
mod tests;
