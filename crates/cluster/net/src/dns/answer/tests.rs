//! Questions and their answers, most of them those of `coredns/plugin/kubernetes/handler_test.go` with kubeadm's times.

use hickory_proto::op::MessageType;
use serde_json::{Value, json};

use super::*;

const SOA: &str =
    "cluster.local. 30 SOA ns.dns.cluster.local. hostmaster.cluster.local. 42 7200 1800 86400 30";

fn service(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "testns"}, "spec": spec})
}

fn slice(name: &str, service: &str, ports: Value, endpoints: Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "testns", "labels": {"kubernetes.io/service-name": service}},
        "ports": ports,
        "endpoints": endpoints,
    })
}

fn view() -> View {
    let http = json!([{"name": "http", "protocol": "TCP", "port": 80}]);
    let mut view = View::default();
    for name in ["testns", "kube-system"] {
        view.put_namespace(&json!({"metadata": {"name": name}}));
    }
    for (name, spec) in [
        (
            "svc1",
            json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": http}),
        ),
        ("svc6", json!({"clusterIP": "1234:abcd::1", "ports": http})),
        (
            "dual",
            json!({"clusterIP": "10.0.0.3", "clusterIPs": ["10.0.0.3", "10::3"], "ports": http}),
        ),
        (
            "two",
            json!({"clusterIP": "10.0.0.5", "ports": [
            {"name": "http", "port": 80}, {"name": "dns", "protocol": "UDP", "port": 53}]}),
        ),
        ("hdls1", json!({"clusterIP": "None", "ports": http})),
        ("hdlsprtls", json!({"clusterIP": "None"})),
        ("hdlsempty", json!({"clusterIP": "None", "ports": http})),
        (
            "external",
            json!({"type": "ExternalName", "externalName": "ext.interwebs.test"}),
        ),
        (
            "inward",
            json!({"type": "ExternalName", "externalName": "svc1.testns.svc.cluster.local"}),
        ),
        (
            "lost",
            json!({"type": "ExternalName", "externalName": "gone.testns.svc.cluster.local"}),
        ),
        (
            "self",
            json!({"type": "ExternalName", "externalName": "self.testns.svc.cluster.local"}),
        ),
        (
            "address",
            json!({"type": "ExternalName", "externalName": "192.0.2.1"}),
        ),
    ] {
        view.put_service(&service(name, spec));
    }
    let mut dns = service(
        "kube-dns",
        json!({"clusterIP": "10.96.0.10", "ports": [{"name": "dns", "port": 53}]}),
    );
    dns["metadata"]["namespace"] = "kube-system".into();
    view.put_service(&dns);
    let four = json!([
        {"addresses": ["172.0.0.2"]},
        {"addresses": ["172.0.0.3"], "conditions": {"ready": true}},
        {"addresses": ["172.0.0.9"], "conditions": {"ready": false}},
        {"addresses": ["172.0.0.4"], "hostname": "web-0"},
    ]);
    view.put_slice(&slice("hdls1-a", "hdls1", http.clone(), four));
    let six = json!([{"addresses": ["5678:abcd::1"]}]);
    view.put_slice(&slice("hdls1-b", "hdls1", http.clone(), six));
    let one = json!([{"addresses": ["172.0.0.20"]}]);
    view.put_slice(&slice("hdlsprtls-a", "hdlsprtls", json!([]), one));
    let behind = json!([{"addresses": ["172.0.0.4"]}]);
    view.put_slice(&slice("svc1-a", "svc1", http, behind));
    view.serial = 42;
    view
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).expect("a name");
    name.set_fqdn(true);
    message.queries.push(Query::query(name, kind));
    message
}

fn shown(records: &[Record]) -> Vec<String> {
    let show = |record: &Record| {
        format!(
            "{} {} {} {}",
            record.name,
            record.ttl,
            record.record_type(),
            record.data
        )
    };
    records.iter().map(show).collect()
}

/// Code, answers, authorities, additional records; a name outside is `elsewhere`.
fn asked(name: &str, kind: RecordType) -> (String, Vec<String>, Vec<String>, Vec<String>) {
    match answer(&question(name, kind), &view(), 0) {
        Answer::Reply(reply) => {
            assert!(reply.metadata.authoritative || reply.metadata.response_code == ResponseCode::Refused);
            assert_eq!(
                (reply.metadata.id, reply.metadata.message_type),
                (7, MessageType::Response)
            );
            assert_eq!(reply.queries, question(name, kind).queries);
            (
                format!("{:?}", reply.metadata.response_code),
                shown(&reply.answers),
                shown(&reply.authorities),
                shown(&reply.additionals),
            )
        }
        Answer::Elsewhere => ("elsewhere".to_owned(), Vec::new(), Vec::new(), Vec::new()),
        Answer::Alias { reply, target } => (
            format!("alias {target}"),
            shown(&reply.answers),
            Vec::new(),
            Vec::new(),
        ),
    }
}

#[track_caller]
fn has(name: &str, kind: RecordType, answers: &[&str]) {
    let (code, got, authorities, _) = asked(name, kind);
    assert_eq!(code, "NoError", "{name}");
    assert_eq!(got, answers, "{name}");
    assert!(authorities.is_empty(), "{name}");
}

#[track_caller]
fn empty(name: &str, kind: RecordType) {
    let (code, answers, authorities, _) = asked(name, kind);
    assert_eq!(
        (&*code, answers, authorities),
        ("NoError", vec![], vec![SOA.to_owned()]),
        "{name} {kind}"
    );
}

#[track_caller]
fn nothing(name: &str, kind: RecordType) {
    let (code, answers, authorities, _) = asked(name, kind);
    assert_eq!(
        (&*code, answers, authorities),
        ("NXDomain", vec![], vec![SOA.to_owned()]),
        "{name} {kind}"
    );
}

#[test]
fn services_have_their_addresses() {
    use RecordType::{A, AAAA};
    has(
        "svc1.testns.svc.cluster.local",
        A,
        &["svc1.testns.svc.cluster.local. 30 A 10.0.0.1"],
    );
    has(
        "svc6.testns.svc.cluster.local",
        AAAA,
        &["svc6.testns.svc.cluster.local. 30 AAAA 1234:abcd::1"],
    );
    has(
        "dual.testns.svc.cluster.local",
        A,
        &["dual.testns.svc.cluster.local. 30 A 10.0.0.3"],
    );
    has(
        "dual.testns.svc.cluster.local",
        AAAA,
        &["dual.testns.svc.cluster.local. 30 AAAA 10::3"],
    );
    has(
        "two.testns.svc.cluster.local",
        A,
        &["two.testns.svc.cluster.local. 30 A 10.0.0.5"],
    );
    empty("svc1.testns.svc.cluster.local", AAAA);
    nothing("svc0.testns.svc.cluster.local", A);
    nothing("svc0.testns.svc.cluster.local", AAAA);
    nothing("svc1.other.svc.cluster.local", A);
}

#[test]
fn headless_services_have_those_of_ready_endpoints() {
    use RecordType::{A, AAAA};
    has(
        "hdls1.testns.svc.cluster.local",
        A,
        &[
            "hdls1.testns.svc.cluster.local. 30 A 172.0.0.2",
            "hdls1.testns.svc.cluster.local. 30 A 172.0.0.3",
            "hdls1.testns.svc.cluster.local. 30 A 172.0.0.4",
        ],
    );
    has(
        "hdls1.testns.svc.cluster.local",
        AAAA,
        &["hdls1.testns.svc.cluster.local. 30 AAAA 5678:abcd::1"],
    );
    has(
        "hdlsprtls.testns.svc.cluster.local",
        A,
        &["hdlsprtls.testns.svc.cluster.local. 30 A 172.0.0.20"],
    );
    has(
        "172-0-0-2.hdls1.testns.svc.cluster.local",
        A,
        &["172-0-0-2.hdls1.testns.svc.cluster.local. 30 A 172.0.0.2"],
    );
    has(
        "web-0.hdls1.testns.svc.cluster.local",
        A,
        &["web-0.hdls1.testns.svc.cluster.local. 30 A 172.0.0.4"],
    );
    has(
        "172-0-0-20.hdlsprtls.testns.svc.cluster.local",
        A,
        &["172-0-0-20.hdlsprtls.testns.svc.cluster.local. 30 A 172.0.0.20"],
    );
    // The endpoints of a service with an address have names, too.
    has(
        "172-0-0-4.svc1.testns.svc.cluster.local",
        A,
        &["172-0-0-4.svc1.testns.svc.cluster.local. 30 A 172.0.0.4"],
    );
    empty("172-0-0-2.hdls1.testns.svc.cluster.local", AAAA);
    nothing("172-0-0-9.hdls1.testns.svc.cluster.local", A);
    nothing("bogus.hdls1.testns.svc.cluster.local", A);
    nothing("hdlsempty.testns.svc.cluster.local", A);
}

#[test]
fn ports_are_found_by_name() {
    use RecordType::{A, SRV};
    let (code, answers, _, extra) = asked("_http._tcp.svc1.testns.svc.cluster.local", SRV);
    assert_eq!(code, "NoError");
    assert_eq!(
        answers,
        ["_http._tcp.svc1.testns.svc.cluster.local. 30 SRV 0 100 80 svc1.testns.svc.cluster.local."]
    );
    assert_eq!(extra, ["svc1.testns.svc.cluster.local. 30 A 10.0.0.1"]);
    let (_, answers, _, extra) = asked("_http._tcp.hdls1.testns.svc.cluster.local", SRV);
    let at = "_http._tcp.hdls1.testns.svc.cluster.local. 30 SRV 0 25 80";
    assert_eq!(
        answers,
        [
            format!("{at} 172-0-0-2.hdls1.testns.svc.cluster.local."),
            format!("{at} 172-0-0-3.hdls1.testns.svc.cluster.local."),
            format!("{at} web-0.hdls1.testns.svc.cluster.local."),
            format!("{at} 5678-abcd--1.hdls1.testns.svc.cluster.local."),
        ]
    );
    assert_eq!(extra.len(), 4);
    assert_eq!(
        extra[3],
        "5678-abcd--1.hdls1.testns.svc.cluster.local. 30 AAAA 5678:abcd::1"
    );
    let (_, answers, _, extra) = asked("dual.testns.svc.cluster.local", SRV);
    assert_eq!(
        answers,
        ["dual.testns.svc.cluster.local. 30 SRV 0 50 80 dual.testns.svc.cluster.local."]
    );
    assert_eq!(extra.len(), 2);
    has(
        "_http._tcp.svc1.testns.svc.cluster.local",
        A,
        &["_http._tcp.svc1.testns.svc.cluster.local. 30 A 10.0.0.1"],
    );
    has(
        "_dns._udp.two.testns.svc.cluster.local",
        SRV,
        &["_dns._udp.two.testns.svc.cluster.local. 30 SRV 0 100 53 two.testns.svc.cluster.local."],
    );
    nothing("_dns._tcp.two.testns.svc.cluster.local", SRV);
    nothing("_ftp._tcp.svc1.testns.svc.cluster.local", SRV);
    nothing("_http._tcp.hdlsprtls.testns.svc.cluster.local", SRV);
    empty("hdlsprtls.testns.svc.cluster.local", SRV);
    nothing("a.b.c.svc1.testns.svc.cluster.local", SRV);
}

#[test]
fn pods_have_the_address_in_their_name() {
    use RecordType::{A, AAAA};
    has(
        "10-1-2-3.testns.pod.cluster.local",
        A,
        &["10-1-2-3.testns.pod.cluster.local. 30 A 10.1.2.3"],
    );
    has(
        "fd00--7.testns.pod.cluster.local",
        AAAA,
        &["fd00--7.testns.pod.cluster.local. 30 AAAA fd00::7"],
    );
    empty("10-1-2-3.testns.pod.cluster.local", AAAA);
    nothing("10-1-2-300.testns.pod.cluster.local", A);
    nothing("web.testns.pod.cluster.local", A);
    nothing("10-1-2-3.other.pod.cluster.local", A);
    nothing("x.10-1-2-3.testns.pod.cluster.local", A);
}

#[test]
fn names_between_exist_and_others_do_not() {
    for name in [
        "svc.cluster.local",
        "pod.cluster.local",
        "testns.svc.cluster.local",
        "testns.pod.cluster.local",
    ] {
        for kind in [
            RecordType::A,
            RecordType::NS,
            RecordType::TXT,
            RecordType::ANY,
            RecordType::MX,
        ] {
            empty(name, kind);
        }
    }
    for name in [
        "foo.cluster.local",
        "foo.svc.cluster.local",
        "svc1.testns.foo.cluster.local",
    ] {
        nothing(name, RecordType::A);
        nothing(name, RecordType::NS);
    }
    empty("svc1.testns.svc.cluster.local", RecordType::SOA);
    empty("svc1.testns.svc.cluster.local", RecordType::TXT);
    empty("svc1.testns.svc.cluster.local", RecordType::ANY);
    empty("svc1.testns.svc.cluster.local", RecordType::HTTPS);
    nothing("svc0.testns.svc.cluster.local", RecordType::TXT);
}

#[test]
fn the_zone_tells_of_itself() {
    has("cluster.local", RecordType::SOA, &[SOA]);
    empty("cluster.local", RecordType::A);
    has(
        "dns-version.cluster.local",
        RecordType::TXT,
        &["dns-version.cluster.local. 28800 TXT 1.1.0"],
    );
    empty("dns-version.cluster.local", RecordType::A);
    has(
        "ns.dns.cluster.local",
        RecordType::A,
        &["ns.dns.cluster.local. 30 A 10.96.0.10"],
    );
    let (code, answers, _, extra) = asked("cluster.local", RecordType::NS);
    assert_eq!(code, "NoError");
    assert_eq!(
        answers,
        ["cluster.local. 30 NS kube-dns.kube-system.svc.cluster.local."]
    );
    assert_eq!(extra, ["kube-dns.kube-system.svc.cluster.local. 30 A 10.96.0.10"]);
    assert_eq!(asked("cluster.local", RecordType::AXFR).0, "Refused");
}

#[test]
fn aliases_are_followed() {
    use RecordType::{A, AAAA, CNAME};
    let external = "external.testns.svc.cluster.local. 30 CNAME ext.interwebs.test.";
    has("external.testns.svc.cluster.local", CNAME, &[external]);
    let (code, answers, ..) = asked("external.testns.svc.cluster.local", A);
    assert_eq!(
        (&*code, answers),
        ("alias ext.interwebs.test.", vec![external.to_owned()])
    );
    let inward = "inward.testns.svc.cluster.local. 30 CNAME svc1.testns.svc.cluster.local.";
    has(
        "inward.testns.svc.cluster.local",
        A,
        &[inward, "svc1.testns.svc.cluster.local. 30 A 10.0.0.1"],
    );
    let (code, answers, authorities, _) = asked("inward.testns.svc.cluster.local", AAAA);
    assert_eq!(
        (&*code, answers, authorities),
        ("NoError", vec![inward.to_owned()], vec![SOA.to_owned()])
    );
    let (code, answers, ..) = asked("lost.testns.svc.cluster.local", A);
    assert_eq!((&*code, answers.len()), ("NXDomain", 1));
    assert_eq!(asked("self.testns.svc.cluster.local", A).0, "ServFail");
    empty("external.testns.svc.cluster.local", RecordType::SRV);
    nothing("endpoint.external.testns.svc.cluster.local", CNAME);
    nothing("a.b.external.testns.svc.cluster.local", CNAME);
    nothing("address.testns.svc.cluster.local", A);
}

#[test]
fn addresses_have_names() {
    use RecordType::{A, PTR};
    has(
        "1.0.0.10.in-addr.arpa",
        PTR,
        &["1.0.0.10.in-addr.arpa. 30 PTR svc1.testns.svc.cluster.local."],
    );
    has(
        "4.0.0.172.in-addr.arpa",
        PTR,
        &[
            "4.0.0.172.in-addr.arpa. 30 PTR web-0.hdls1.testns.svc.cluster.local.",
            "4.0.0.172.in-addr.arpa. 30 PTR 172-0-0-4.svc1.testns.svc.cluster.local.",
        ],
    );
    let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.c.b.a.4.3.2.1.ip6.arpa";
    has(
        six,
        PTR,
        &[&format!("{six}. 30 PTR svc6.testns.svc.cluster.local.")],
    );
    empty("1.0.0.10.in-addr.arpa", A);
    for outside in [
        "9.9.9.9.in-addr.arpa",
        "0.0.10.in-addr.arpa",
        "x.0.0.10.in-addr.arpa",
        "in-addr.arpa",
        "arpa",
    ] {
        assert_eq!(asked(outside, PTR).0, "elsewhere", "{outside}");
    }
}

#[test]
fn other_names_are_asked_for_elsewhere() {
    for name in [
        "example.com",
        "local",
        "xcluster.local",
        "cluster.local.example.com",
        "svc1.testns.svc",
        ".",
    ] {
        assert_eq!(asked(name, RecordType::A).0, "elsewhere", "{name}");
    }
}

#[test]
fn case_does_not_matter_and_stays() {
    has(
        "SVC1.TestNS.svc.Cluster.LOCAL",
        RecordType::A,
        &["SVC1.TestNS.svc.Cluster.LOCAL. 30 A 10.0.0.1"],
    );
    let message = question("SVC1.TestNS.svc.Cluster.LOCAL", RecordType::A);
    let Answer::Reply(reply) = answer(&message, &view(), 0) else {
        panic!("a name of the zone");
    };
    assert!(reply.queries[0].name().eq_case(message.queries[0].name()));
}

#[test]
fn addresses_take_turns() {
    let first = |turn| match answer(
        &question("hdls1.testns.svc.cluster.local", RecordType::A),
        &view(),
        turn,
    ) {
        Answer::Reply(reply) => reply.answers[0].data.to_string(),
        _ => String::new(),
    };
    let firsts: Vec<String> = (0..4).map(first).collect();
    assert_eq!(firsts, ["172.0.0.2", "172.0.0.3", "172.0.0.4", "172.0.0.2"]);
}

#[test]
fn edns_is_answered_with_edns() {
    let mut message = question("svc1.testns.svc.cluster.local", RecordType::A);
    let reply = |message: &Message| match answer(message, &view(), 0) {
        Answer::Reply(reply) => reply,
        _ => panic!("a name of the zone"),
    };
    assert!(reply(&message).edns.is_none());
    let mut edns = Edns::new();
    edns.set_max_payload(1400);
    message.set_edns(edns.clone());
    assert_eq!(reply(&message).edns.map(|edns| edns.max_payload()), Some(4096));
    edns.set_version(1);
    message.set_edns(edns);
    let bytes = reply(&message).to_vec().expect("a message");
    let read = Message::from_vec(&bytes).expect("a message");
    // 16 is BADVERS here and BADSIG in signatures.
    assert_eq!(
        (u16::from(read.metadata.response_code), read.answers.len()),
        (16, 0)
    );
}

#[test]
fn other_classes_are_refused() {
    let mut message = question("svc1.testns.svc.cluster.local", RecordType::A);
    message.queries[0].set_query_class(DNSClass::CH);
    let Answer::Reply(reply) = answer(&message, &view(), 0) else {
        panic!("refused at once");
    };
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
}
