//! The rules follow the cluster.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::Duration;

use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::negotiate::PatchKind;
use deploy_cluster_net::network::Network;
use deploy_cluster_net::services::Health;
use serde_json::{Value, json};

use super::machine::{PATIENCE, Pod, ip, nft, on_a_machine, start};
use super::world::World;

const SERVICES: ResourceId = ResourceId::new("", "v1", "services");
const SLICES: ResourceId = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");
const EVENTS: ResourceId = ResourceId::new("", "v1", "events");
const WEB: Ipv4Addr = Ipv4Addr::new(10, 96, 7, 7);

/// Runs an asynchronous test on a machine of its own.
fn run(test: impl AsyncFnOnce() + Send) {
    on_a_machine(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    });
}

fn service(kind: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "web"},
        "spec": {"type": kind, "clusterIP": WEB.to_string(), "ports": [
            {"name": "http", "port": 80, "targetPort": 8080},
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353}]},
    })
}

fn slice(pod: Ipv4Addr) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": "default", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 5353, "protocol": "UDP"}],
        "endpoints": [{"addresses": [pod.to_string()], "conditions": {"ready": true}, "nodeName": "node"}],
    })
}

async fn attached(network: &Network, uid: &str) -> Pod {
    Pod::of(&network.attach(uid).await.unwrap())
}

/// Until the rules are so that this holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn healthy(health: &mut tokio::sync::watch::Receiver<Health>, holds: impl FnMut(&Health) -> bool) {
    let found = tokio::time::timeout(PATIENCE, health.wait_for(holds)).await;
    found.expect("in time").expect("the rules are kept");
}

async fn point_at(client: &Client, pod: Ipv4Addr) {
    let patch = json!({"endpoints": slice(pod)["endpoints"]});
    client
        .patch(&SLICES, "default", "web-1", "", PatchKind::Merge, patch)
        .await
        .unwrap();
}

#[test]
fn rules_follow_services_and_their_endpoints() {
    run(async || {
        let world = World::start().await;
        let network = start("dddd0001");
        let (first, second) = (
            attached(&network, "a").await.serve(8080),
            attached(&network, "b").await.serve(8080),
        );
        let client = attached(&network, "client").await;
        world
            .create([service("LoadBalancer"), slice(first.address)])
            .await;
        let serving = network.serve(world.client());
        healthy(&mut serving.health(), |health| health.ready).await;
        client.ask((WEB, 80)).unwrap();
        assert_eq!(first.served.load(Ordering::SeqCst), 1);
        // The load balancer got the node's address, and works there.
        let node = network.node_address();
        until("the status has the node's address", || {
            let service = world.client().get(&SERVICES, "default", "web").unwrap();
            service["status"]["loadBalancer"]["ingress"][0]["ip"] == node.to_string()
        })
        .await;
        until("the balancer works", || client.ask((node, 80)).is_ok()).await;
        let before = second.served.load(Ordering::SeqCst);
        point_at(&world.client(), second.address).await;
        until("connections reach the second pod", || {
            client.ask((WEB, 80)).unwrap();
            second.served.load(Ordering::SeqCst) > before
        })
        .await;
        serving.shutdown().await;
        // Without us the rules go on; a server that starts again takes them over.
        client.ask((WEB, 80)).unwrap();
        let alive = [first.process(), second.process(), client.process()];
        let again = start("dddd0001");
        client.ask((WEB, 80)).unwrap();
        let serving = again.serve(world.client());
        healthy(&mut serving.health(), |health| health.ready).await;
        client.ask((WEB, 80)).unwrap();
        serving.shutdown().await;
        drop(alive);
    });
}

#[test]
fn datagrams_find_the_pod_that_is_there() {
    run(async || {
        let world = World::start().await;
        let network = start("dddd0002");
        let (first, second) = (attached(&network, "a").await, attached(&network, "b").await);
        let client = attached(&network, "client").await;
        world.create([service("ClusterIP"), slice(first.address)]).await;
        let serving = network.serve(world.client());
        healthy(&mut serving.health(), |health| health.ready).await;
        let bind = |pod: &Pod| {
            let socket = pod.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).unwrap());
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            socket
        };
        let (at_first, at_second) = (bind(&first), bind(&second));
        // One socket, so one connection to the kernel, which would go on towards the first pod for ever.
        let socket = client.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 4000)).unwrap());
        let mut buffer = [0; 8];
        socket.send_to(b"one", (WEB, 53)).unwrap();
        at_first.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(at_first.recv(&mut buffer).unwrap(), 3);
        point_at(&world.client(), second.address).await;
        until("datagrams reach the second pod", || {
            socket.send_to(b"three", (WEB, 53)).unwrap();
            at_second.recv(&mut buffer).is_ok_and(|length| length == 5)
        })
        .await;
        serving.shutdown().await;
    });
}

#[test]
fn rules_that_somebody_flushed_come_back_by_themselves() {
    run(async || {
        let world = World::start().await;
        let network = start("dddd0003");
        let pod = attached(&network, "a").await.serve(8080);
        let client = attached(&network, "client").await;
        world.create([service("ClusterIP"), slice(pod.address)]).await;
        let serving = network.serve(world.client());
        healthy(&mut serving.health(), |health| health.ready).await;
        nft("flush ruleset");
        until("the table is there again", || {
            nft("list tables").contains("deploy-dddd0003")
        })
        .await;
        client.ask((WEB, 80)).unwrap();
        nft("flush chain ip deploy-dddd0003 svc/default/web/tcp/80");
        until("the chain is full again", || client.ask((WEB, 80)).is_ok()).await;
        serving.shutdown().await;
    });
}

#[test]
fn a_firewall_that_drops_pods_is_told_of() {
    run(async || {
        let world = World::start().await;
        let network = start("dddd0004");
        world
            .create([json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}})])
            .await;
        let pods = (
            attached(&network, "a").await.serve(8080),
            attached(&network, "b").await,
        );
        let serving = network.serve(world.client());
        let mut health = serving.health();
        healthy(&mut health, |health| health.ready && health.obstacles.is_empty()).await;
        nft("add table ip filter");
        nft("add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }");
        healthy(&mut health, |health| health.obstacles.len() == 1).await;
        let remedy = health.borrow().obstacles[0].remedy.clone();
        assert_eq!(
            remedy,
            "iptables -I FORWARD -i deploydddd0004 -j ACCEPT && iptables -I FORWARD -o deploydddd0004 -j ACCEPT"
        );
        until("the node has an event", || {
            let events = world.client().list(&EVENTS, None);
            events.iter().any(|event| event["reason"] == "FirewallDropsPods")
        })
        .await;
        assert!(
            pods.1
                .run(|| std::net::TcpStream::connect_timeout(&(pods.0.address, 8080).into(), PATIENCE / 40))
                .is_err()
        );
        // What we advise helps, and is seen to.
        for direction in ["iifname", "oifname"] {
            nft(&format!(
                "insert rule ip filter FORWARD {direction} deploydddd0004 accept"
            ));
        }
        healthy(&mut health, |health| health.obstacles.is_empty()).await;
        pods.1.ask((pods.0.address, 8080)).unwrap();
        // firewalld refuses by its last rule.
        nft("add table inet firewalld");
        nft("add chain inet firewalld filter_INPUT { type filter hook input priority 10; policy accept; }");
        nft("add rule inet firewalld filter_INPUT ct state established,related accept");
        nft("add rule inet firewalld filter_INPUT reject with icmpx admin-prohibited");
        healthy(&mut health, |health| health.obstacles.len() == 1).await;
        assert!(health.borrow().obstacles[0].remedy.starts_with("firewall-cmd "));
        assert_eq!(ip("-o link show deploydddd0004").lines().count(), 1);
        serving.shutdown().await;
    });
}

#[test]
fn a_firewall_that_cannot_be_read_is_found_by_trying() {
    on_a_machine(|| {
        let network = start("dddd0005");
        if !tried("iptables-legacy -L -n") {
            eprintln!("skipped: needs iptables-legacy");
            return;
        }
        assert_eq!(network.obstacles().unwrap(), []);
        assert!(tried("iptables-legacy -P FORWARD DROP"));
        assert!(tried("iptables-legacy -P INPUT DROP"));
        let found = network.obstacles().unwrap();
        assert_eq!(found.len(), 2);
        for obstacle in found {
            for command in obstacle.remedy.split(" && ") {
                assert!(tried(command), "{command}");
            }
        }
        assert_eq!(network.obstacles().unwrap(), []);
        assert_eq!(
            ip("-o link show master deploydddd0005"),
            "",
            "nothing is left of the attempts"
        );
    });
}

fn tried(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap();
    std::process::Command::new(program)
        .args(words)
        .output()
        .is_ok_and(|output| output.status.success())
}
