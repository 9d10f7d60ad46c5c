//! DNS on sockets: what clients see, and how the view follows the cluster.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deploy_cluster_api::client::ResourceId;
use deploy_cluster_api::options::DeleteOptions;
use deploy_cluster_net::dns::{Dns, Options, Outside};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::world::{DEADLINE, World, until};

const ANY: &str = "127.0.0.1:0";

async fn started(world: &World, resolvers: Vec<SocketAddr>) -> Dns {
    let options = Options {
        listen: vec![ANY.parse().expect("an address")],
        client: world.client(),
        outside: Outside::Fixed(resolvers),
        service_at: Some("172.30.0.1:53".parse().expect("an address")),
    };
    Dns::start(options).await.expect("any port is free")
}

fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": address, "ports": [{"name": "http", "port": 80}]},
    })
}

fn slice(service: &str, count: usize) -> Value {
    let endpoints: Vec<Value> = (0..count)
        .map(|n| json!({"addresses": [format!("10.20.{}.{}", n / 200, n % 200 + 1)], "conditions": {"ready": true}}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-a"), "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": endpoints,
    })
}

fn question(name: &str) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.queries.push(Query::query(
        Name::from_ascii(name).expect("a name"),
        RecordType::A,
    ));
    message
}

async fn over_udp(server: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind(ANY).await.expect("a port");
    socket.send_to(packet, server).await.expect("sent");
    let mut buffer = vec![0; 65_535];
    let received = timeout(DEADLINE, socket.recv(&mut buffer)).await;
    let length = received.expect("in time").expect("an answer");
    buffer.truncate(length);
    buffer
}

async fn over_tcp(stream: &mut TcpStream, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len()).expect("short");
    stream.write_u16(length).await.expect("written");
    stream.write_all(packet).await.expect("written");
    let length = timeout(DEADLINE, stream.read_u16()).await;
    let mut buffer = vec![0; length.expect("in time").expect("an answer").into()];
    stream.read_exact(&mut buffer).await.expect("a whole answer");
    buffer
}

async fn asked(dns: &Dns, name: &str) -> Message {
    let packet = question(name).to_vec().expect("a message");
    let answer = over_udp(dns.addresses()[0], &packet).await;
    let answer = Message::from_vec(&answer).expect("a message");
    assert_eq!(answer.metadata.id, 4711);
    answer
}

async fn addresses(dns: &Dns, name: &str) -> Vec<String> {
    let answer = asked(dns, name).await;
    answer
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect()
}

/// A resolver that answers as it is told, and counts what it is asked.
struct Resolver {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
    tasks: [JoinHandle<()>; 2],
}

impl Resolver {
    async fn start(answer: fn(&Message, bool) -> Option<Message>) -> Resolver {
        let listener = TcpListener::bind(ANY).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let socket = UdpSocket::bind(address).await.expect("the same port");
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let datagrams = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::Relaxed);
                let question = Message::from_vec(&buffer[..length]).expect("a message");
                if let Some(answer) = answer(&question, false) {
                    let bytes = answer.to_vec().expect("a message");
                    socket.send_to(&bytes, client).await.expect("sent");
                }
            }
        });
        let connections = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u16().await.expect("a length");
                let mut buffer = vec![0; length.into()];
                stream.read_exact(&mut buffer).await.expect("a question");
                let question = Message::from_vec(&buffer).expect("a message");
                if let Some(answer) = answer(&question, true) {
                    let bytes = answer.to_vec().expect("a message");
                    let length = u16::try_from(bytes.len()).expect("short");
                    stream.write_u16(length).await.expect("written");
                    stream.write_all(&bytes).await.expect("written");
                }
            }
        });
        Resolver {
            address,
            asked,
            tasks: [datagrams, connections],
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn reply_with(question: &Message, addresses: &[[u8; 4]]) -> Message {
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.queries.clone_from(&question.queries);
    let name = question.queries[0].name();
    for address in addresses {
        let data = RData::A(A((*address).into()));
        reply.answers.push(Record::from_rdata(name.clone(), 60, data));
    }
    reply
}

#[tokio::test]
async fn the_view_follows_the_cluster() {
    let world = World::start().await;
    world.create([service("early", "10.96.7.1")]).await;
    let dns = started(&world, Vec::new()).await;
    assert_eq!(
        addresses(&dns, "early.default.svc.cluster.local.").await,
        ["10.96.7.1"]
    );
    assert_eq!(
        addresses(&dns, "kubernetes.default.svc.cluster.local.").await,
        ["10.96.0.1"]
    );
    let name = "late.default.svc.cluster.local.";
    assert_eq!(
        asked(&dns, name).await.metadata.response_code,
        ResponseCode::NXDomain
    );
    world.create([service("late", "None"), slice("late", 3)]).await;
    until("three endpoints", async || addresses(&dns, name).await.len() == 3).await;
    let slices = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");
    let mut changed = (*world.client().get(&slices, "default", "late-a").expect("created")).clone();
    changed["endpoints"][0]["conditions"]["ready"] = false.into();
    world
        .client()
        .update(&slices, changed)
        .await
        .expect("a good slice");
    until("two are ready", async || addresses(&dns, name).await.len() == 2).await;
    let services = ResourceId::new("", "v1", "services");
    let (client, options) = (world.client(), DeleteOptions::default());
    let gone = client.delete(&services, "default", "late", &options).await;
    gone.expect("it was there");
    until("no service", async || {
        asked(&dns, name).await.metadata.response_code == ResponseCode::NXDomain
    })
    .await;
    dns.shutdown().await;
}

#[tokio::test]
async fn its_own_service_is_made_and_mended() {
    let world = World::start().await;
    let dns = started(&world, Vec::new()).await;
    let name = "kube-dns.kube-system.svc.cluster.local.";
    assert_eq!(addresses(&dns, name).await, ["10.96.0.10"]);
    dns.shutdown().await;
    let options = Options {
        listen: vec![ANY.parse().expect("an address")],
        client: world.client(),
        outside: Outside::Fixed(Vec::new()),
        service_at: Some("172.31.0.1:53".parse().expect("an address")),
    };
    let dns = Dns::start(options).await.expect("it starts again");
    let slices = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");
    let slice = world
        .client()
        .get(&slices, "kube-system", "kube-dns")
        .expect("made");
    assert_eq!(slice["endpoints"][0]["addresses"], json!(["172.31.0.1"]));
    dns.shutdown().await;
}

#[tokio::test]
async fn long_answers_go_over_tcp() {
    let world = World::start().await;
    world.create([service("many", "None"), slice("many", 100)]).await;
    let dns = started(&world, Vec::new()).await;
    let server = dns.addresses()[0];
    let name = "many.default.svc.cluster.local.";
    let cut = asked(&dns, name).await;
    assert!(cut.metadata.truncation && cut.answers.len() < 100);
    let packet = question(name).to_vec().expect("a message");
    let mut stream = TcpStream::connect(server).await.expect("it listens");
    for _ in 0..3 {
        let whole = Message::from_vec(&over_tcp(&mut stream, &packet).await).expect("a message");
        assert!(!whole.metadata.truncation);
        assert_eq!(whole.answers.len(), 100);
    }
    dns.shutdown().await;
}

#[tokio::test]
async fn bad_packets_do_no_harm() {
    let world = World::start().await;
    let dns = started(&world, Vec::new()).await;
    let server = dns.addresses()[0];
    let socket = UdpSocket::bind(ANY).await.expect("a port");
    for noise in [&[][..], &[1; 5], &[0xff; 40], &[0; 11]] {
        socket.send_to(noise, server).await.expect("sent");
    }
    let mut half = question("web.default.svc.cluster.local.")
        .to_vec()
        .expect("a message");
    half.truncate(25);
    assert_eq!(over_udp(server, &half).await[3] & 0x0f, 1, "FORMERR");
    let mut stream = TcpStream::connect(server).await.expect("it listens");
    assert_eq!(over_tcp(&mut stream, &half).await[3] & 0x0f, 1, "FORMERR");
    assert_eq!(
        addresses(&dns, "kubernetes.default.svc.cluster.local.").await,
        ["10.96.0.1"]
    );
    let text = dns.metrics();
    assert!(
        text.contains("coredns_dns_responses_total{rcode=\"NOERROR\"} 1\n"),
        "{text}"
    );
    dns.shutdown().await;
}

#[tokio::test]
async fn other_names_are_asked_once_and_kept() {
    let resolver = Resolver::start(|question, _| Some(reply_with(question, &[[192, 0, 2, 7]]))).await;
    let world = World::start().await;
    let dns = started(&world, vec![resolver.address]).await;
    assert_eq!(addresses(&dns, "www.example.com.").await, ["192.0.2.7"]);
    assert_eq!(addresses(&dns, "WWW.example.com.").await, ["192.0.2.7"]);
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
    assert!(dns.metrics().contains("coredns_cache_hits_total 1\n"));
    dns.shutdown().await;
}

#[tokio::test]
async fn the_next_resolver_is_asked_when_one_fails() {
    let refusing = Resolver::start(|question, _| {
        let mut reply = reply_with(question, &[]);
        reply.metadata.response_code = ResponseCode::Refused;
        Some(reply)
    })
    .await;
    let good = Resolver::start(|question, _| Some(reply_with(question, &[[192, 0, 2, 8]]))).await;
    let world = World::start().await;
    let dns = started(&world, vec![refusing.address, good.address]).await;
    assert_eq!(addresses(&dns, "www.example.com.").await, ["192.0.2.8"]);
    dns.shutdown().await;
    let dns = started(&world, Vec::new()).await;
    assert_eq!(
        asked(&dns, "www.example.com.").await.metadata.response_code,
        ResponseCode::ServFail
    );
    dns.shutdown().await;
}

#[tokio::test]
async fn what_is_cut_is_asked_again_over_tcp() {
    let resolver = Resolver::start(|question, whole| {
        let mut reply = reply_with(question, if whole { &[[192, 0, 2, 9]] } else { &[] });
        reply.metadata.truncation = !whole;
        Some(reply)
    })
    .await;
    let world = World::start().await;
    let dns = started(&world, vec![resolver.address]).await;
    assert_eq!(addresses(&dns, "www.example.com.").await, ["192.0.2.9"]);
    dns.shutdown().await;
}

#[tokio::test]
async fn forged_answers_are_ignored() {
    let forger = Resolver::start(|question, _| {
        let mut reply = reply_with(question, &[[6, 6, 6, 6]]);
        reply.metadata.id = reply.metadata.id.wrapping_add(1);
        Some(reply)
    })
    .await;
    let good = Resolver::start(|question, _| Some(reply_with(question, &[[192, 0, 2, 10]]))).await;
    let world = World::start().await;
    let dns = started(&world, vec![forger.address, good.address]).await;
    assert_eq!(addresses(&dns, "www.example.com.").await, ["192.0.2.10"]);
    dns.shutdown().await;
}

#[tokio::test]
async fn external_names_lead_outside() {
    let resolver = Resolver::start(|question, _| {
        let mut reply = reply_with(question, &[]);
        let name = question.queries[0].name().clone();
        let real = Name::from_ascii("real.example.com.").expect("a name");
        let alias = RData::CNAME(CNAME(real.clone()));
        reply.answers.push(Record::from_rdata(name, 60, alias));
        let address = RData::A(A([192, 0, 2, 11].into()));
        reply.answers.push(Record::from_rdata(real, 60, address));
        Some(reply)
    })
    .await;
    let world = World::start().await;
    let outside = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "pay", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "api.example.com"},
    });
    world.create([outside]).await;
    let dns = started(&world, vec![resolver.address]).await;
    assert_eq!(
        addresses(&dns, "pay.default.svc.cluster.local.").await,
        ["api.example.com.", "real.example.com.", "192.0.2.11"]
    );
    dns.shutdown().await;
    let dns = started(&world, Vec::new()).await;
    let answer = asked(&dns, "pay.default.svc.cluster.local.").await;
    assert_eq!(
        (answer.metadata.response_code, answer.answers.len()),
        (ResponseCode::ServFail, 0)
    );
    dns.shutdown().await;
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let world = World::start().await;
    let dns = started(&world, Vec::new()).await;
    let taken = dns.addresses()[0];
    let options = Options {
        listen: vec![taken],
        client: world.client(),
        outside: Outside::Fixed(Vec::new()),
        service_at: None,
    };
    let error = Dns::start(options).await.err().expect("it is taken");
    assert_eq!(error.to_string(), format!("DNS cannot listen on {taken}"));
    dns.shutdown().await;
}
