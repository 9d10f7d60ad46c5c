//! What the ruleset does to packets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use deploy_cluster_net::network::Network;
use deploy_cluster_net::services::{HostPort, Input, Protocol, Service, Slice, program};
use serde_json::{Value, json};

use super::machine::{self, PATIENCE, Pod, ip, nft, on_a_machine, start};

pub const WEB: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 7);
pub const NODE_PORT: u16 = 30_080;

/// A service `web` at [`WEB`]:80, with changes to its spec.
fn web(spec: Value) -> Service {
    let mut object = json!({
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"type": "NodePort", "clusterIP": WEB.to_string(), "clusterIPs": [WEB.to_string()],
            "ports": [{"port": 80, "nodePort": NODE_PORT}]},
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    Service::read(&object)
}

/// Its endpoints: addresses, all at port 8080, of the node `node`.
fn slice(pods: &[&Pod]) -> Slice {
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| json!({"addresses": [pod.address.to_string()], "nodeName": "node"}))
        .collect();
    slice_of(json!(endpoints))
}

fn slice_of(endpoints: Value) -> Slice {
    Slice::read(&json!({
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints,
    }))
}

fn apply(network: &Network, services: &[Service], slices: &[Slice]) {
    let input = Input {
        services: services.iter().collect(),
        slices: slices.iter().collect(),
        host_ports: Vec::new(),
    };
    network.apply(&program(&input, &network.node())).unwrap();
}

fn refused(answer: std::io::Result<String>) -> bool {
    matches!(answer, Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Both settings of the bridge: machines with Docker or Kubernetes have the first, others the second.
fn with_and_without_bridge_netfilter(test: impl Fn(&Network) + Send + Sync) {
    for value in ["1", "0"] {
        let path = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        on_a_machine(|| {
            if std::fs::write(path, value).is_err() && value == "1" {
                eprintln!("skipped: this kernel has no {path}");
                return;
            }
            test(&start("cccc0001"));
        });
    }
}

#[test]
fn a_cluster_address_spreads_over_its_pods() {
    with_and_without_bridge_netfilter(|network| {
        let pods = ["a", "b", "c"].map(|uid| Pod::new(network, uid).serve(8080));
        let client = Pod::new(network, "client");
        apply(
            network,
            &[web(json!({}))],
            &[slice(&[&pods[0], &pods[1], &pods[2]])],
        );
        for _ in 0..60 {
            assert_eq!(client.ask((WEB, 80)).unwrap(), client.address.to_string());
        }
        let served: Vec<usize> = pods.iter().map(|pod| pod.served.load(Ordering::SeqCst)).collect();
        assert_eq!(served.iter().sum::<usize>(), 60);
        // Each has a third; that one gets less than 4 of 60 happens once in 100 million runs.
        assert!(served.iter().all(|served| *served >= 4), "{served:?}");
        // The node itself, from the address on the bridge.
        let seen = machine::ask((WEB, 80).into()).unwrap();
        assert_eq!(seen, network.bridge_address().to_string());
        let counted = nft("list map ip deploy-cccc0001 cluster-ips");
        assert!(
            counted.contains("10.96.0.7 . tcp . 80 counter packets 61 "),
            "{counted}"
        );
    });
}

#[test]
fn a_pod_reaches_itself_through_its_service() {
    with_and_without_bridge_netfilter(|network| {
        let pod = Pod::new(network, "a").serve(8080);
        apply(network, &[web(json!({}))], &[slice(&[&pod])]);
        assert_eq!(pod.ask((WEB, 80)).unwrap(), network.bridge_address().to_string());
        assert_eq!(
            pod.ask((network.bridge_address(), NODE_PORT)).unwrap(),
            network.bridge_address().to_string()
        );
    });
}

/// A machine beside the node, by a link of its own.
struct Neighbour {
    pod: Pod,
}

const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Must be there before the network starts, so that the node's address is that of the link.
fn neighbour() -> Neighbour {
    let namespace = deploy_cluster_net::link::Namespace::create().unwrap();
    let path = namespace.path();
    ip(&format!(
        "link add up0 type veth peer name eth0 netns {}",
        path.display()
    ));
    ip("addr add 192.0.2.1/24 dev up0");
    ip("link set up0 up");
    ip("route add default via 192.0.2.2");
    let pod = Pod::of(&deploy_cluster_net::network::Attachment {
        netns: path,
        address: Ipv4Addr::new(192, 0, 2, 2),
        gateway: NODE,
    });
    pod.run(|| {
        ip("link set lo up");
        ip("addr add 192.0.2.2/24 dev eth0");
        ip("link set eth0 up");
    });
    Neighbour { pod }
}

#[test]
fn strangers_enter_by_node_ports_and_load_balancers() {
    on_a_machine(|| {
        let neighbour = neighbour();
        let network = start("cccc0002");
        assert_eq!(network.node_address(), NODE);
        let pod = Pod::new(&network, "a").serve(8080);
        let bridge = network.bridge_address().to_string();
        let mut service = web(json!({"type": "LoadBalancer", "externalIPs": ["198.51.100.9"]}));
        service.ingress = vec![NODE];
        let pods = [slice(&[&pod])];
        apply(&network, std::slice::from_ref(&service), &pods);
        // Traffic policy Cluster: the node answers for the pod, as upstream.
        for door in [(NODE, NODE_PORT), (NODE, 80)] {
            assert_eq!(neighbour.pod.ask(door).unwrap(), bridge, "{door:?}");
        }
        neighbour.pod.run(|| ip("route add 198.51.100.9 via 192.0.2.1"));
        assert_eq!(
            neighbour.pod.ask((Ipv4Addr::new(198, 51, 100, 9), 80)).unwrap(),
            bridge
        );
        // The node's own 127.0.0.1, and pods.
        assert_eq!(
            machine::ask((Ipv4Addr::LOCALHOST, NODE_PORT).into()).unwrap(),
            bridge
        );
        assert_eq!(machine::ask((NODE, 80).into()).unwrap(), bridge);
        let client = Pod::new(&network, "client");
        client.ask((NODE, NODE_PORT)).unwrap();
        // Traffic policy Local: the pod sees who asks.
        let mut local = service.clone();
        local.external_policy = deploy_cluster_net::services::Policy::Local;
        apply(&network, std::slice::from_ref(&local), &pods);
        assert_eq!(neighbour.pod.ask((NODE, NODE_PORT)).unwrap(), "192.0.2.2");
        assert_eq!(neighbour.pod.ask((NODE, 80)).unwrap(), "192.0.2.2");
        assert_eq!(client.ask((NODE, 80)).unwrap(), client.address.to_string());
        // Only some may.
        local.source_ranges = vec!["203.0.113.0/24".parse().unwrap()];
        apply(&network, std::slice::from_ref(&local), &pods);
        let started = Instant::now();
        let silent = neighbour
            .pod
            .run(|| TcpStream::connect_timeout(&(NODE, 80).into(), PATIENCE / 20));
        assert_eq!(silent.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        assert!(started.elapsed() < PATIENCE);
        neighbour.pod.ask((NODE, NODE_PORT)).unwrap();
        local.source_ranges.push("192.0.2.0/30".parse().unwrap());
        apply(&network, &[local], &pods);
        neighbour.pod.ask((NODE, 80)).unwrap();
        // A pod gets out, as the node.
        let outside = neighbour.pod.serve(9000);
        assert_eq!(client.ask((outside.address, 9000)).unwrap(), NODE.to_string());
    });
}

#[test]
fn nobody_there_is_refused_at_once() {
    with_and_without_bridge_netfilter(|network| {
        let (pod, client) = (Pod::new(network, "a").serve(8080), Pod::new(network, "client"));
        apply(network, &[web(json!({}))], &[]);
        let started = Instant::now();
        for _ in 0..100 {
            assert!(refused(client.ask((WEB, 80))));
        }
        assert!(refused(machine::ask((WEB, 80).into())));
        assert!(refused(client.ask((network.bridge_address(), NODE_PORT))));
        assert!(refused(machine::ask((Ipv4Addr::LOCALHOST, NODE_PORT).into())));
        // No such port, no such service.
        assert!(refused(client.ask((WEB, 81))));
        assert!(refused(client.ask((Ipv4Addr::new(10, 96, 9, 9), 80))));
        assert!(refused(machine::ask((Ipv4Addr::new(10, 96, 9, 9), 80).into())));
        assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
        // Endpoints that are not ready are nobody; those that leave are better than nobody.
        let unready = json!([{"addresses": [pod.address.to_string()], "conditions": {"ready": false}}]);
        apply(network, &[web(json!({}))], &[slice_of(unready)]);
        assert!(refused(client.ask((WEB, 80))));
        let leaving = json!([{"addresses": [pod.address.to_string()],
            "conditions": {"ready": false, "serving": true, "terminating": true}}]);
        apply(network, &[web(json!({}))], &[slice_of(leaving)]);
        client.ask((WEB, 80)).unwrap();
        // Nothing is left of the refusals.
        apply(network, &[], &[]);
        assert!(!nft("list ruleset").contains("10.96.0.7"));
    });
}

#[test]
fn a_client_stays_with_its_pod() {
    on_a_machine(|| {
        let network = start("cccc0003");
        let pods = ["a", "b", "c"].map(|uid| Pod::new(&network, uid).serve(8080));
        let clients = ["d", "e", "f", "g", "h", "i"].map(|uid| Pod::new(&network, uid));
        let sticky = [web(json!({"sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}))];
        apply(&network, &sticky, &[slice(&[&pods[0], &pods[1], &pods[2]])]);
        let count = || pods.each_ref().map(|pod| pod.served.load(Ordering::SeqCst));
        let mut homes = BTreeMap::new();
        for (number, client) in clients.iter().enumerate() {
            let before = count();
            for _ in 0..10 {
                client.ask((WEB, 80)).unwrap();
            }
            let after = count();
            let home = (0..3).find(|pod| after[*pod] == before[*pod] + 10);
            homes.insert(number, home.expect("all ten went to one pod"));
        }
        // Whoever's pod stays keeps it when another one goes.
        apply(&network, &sticky, &[slice(&[&pods[0], &pods[1]])]);
        for (number, client) in clients
            .iter()
            .enumerate()
            .filter(|(number, _)| homes[number] != 2)
        {
            let before = count()[homes[&number]];
            client.ask((WEB, 80)).unwrap();
            assert_eq!(count()[homes[&number]], before + 1);
        }
        for client in &clients {
            client.ask((WEB, 80)).unwrap();
        }
        let listed = nft("list ruleset");
        assert!(listed.contains("update @clients/shop/web/tcp/80/"), "{listed}");
        assert!(listed.contains("timeout 10m"), "{listed}");
    });
}

#[test]
fn datagrams_and_several_ports() {
    with_and_without_bridge_netfilter(|network| {
        let (pod, client) = (Pod::new(network, "a").serve(8080), Pod::new(network, "client"));
        let server = pod.run(|| UdpSocket::bind((pod.address, 5353)).unwrap());
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let service = web(json!({"ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "http", "port": 53}]}));
        let slice = Slice::read(&json!({
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "endpoints": [{"addresses": [pod.address.to_string()]}],
            "ports": [{"name": "dns", "port": 5353, "protocol": "UDP"}, {"name": "http", "port": 8080}],
        }));
        apply(network, &[service], &[slice]);
        client.ask((WEB, 53)).unwrap();
        let socket = client.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // Connected: an answer from another address than that of the service would not arrive.
        socket.connect((WEB, 53)).unwrap();
        socket.send(b"name?").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..length], from.ip()),
            (&b"name?"[..], client.address.into())
        );
        server.send_to(b"here", from).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"here");
        // Nobody there is said of datagrams, too.
        apply(
            network,
            &[web(json!({"ports": [{"port": 54, "protocol": "UDP"}]}))],
            &[],
        );
        let socket = client.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect((WEB, 54)).unwrap();
        socket.send(b"name?").unwrap();
        assert_eq!(
            socket.recv(&mut buffer).unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    });
}

#[test]
fn a_port_of_the_node_leads_to_its_pod() {
    on_a_machine(|| {
        let network = start("cccc0004");
        let pod = Pod::new(&network, "a").serve(8080);
        let client = Pod::new(&network, "client");
        let port = |host_port, host_ip| HostPort {
            namespace: "shop".to_owned(),
            pod: "a".to_owned(),
            protocol: Protocol::Tcp,
            host_port,
            host_ip,
            address: pod.address,
            port: 8080,
        };
        let ports = [port(8081, None), port(8082, Some(Ipv4Addr::LOCALHOST))];
        let input = Input {
            host_ports: ports.iter().collect(),
            ..Input::default()
        };
        network.apply(&program(&input, &network.node())).unwrap();
        let bridge = network.bridge_address();
        assert_eq!(client.ask((bridge, 8081)).unwrap(), client.address.to_string());
        assert_eq!(pod.ask((bridge, 8081)).unwrap(), bridge.to_string());
        machine::ask((Ipv4Addr::LOCALHOST, 8081).into()).unwrap();
        machine::ask((Ipv4Addr::LOCALHOST, 8082).into()).unwrap();
        assert!(refused(client.ask((bridge, 8082))));
    });
}

#[test]
fn pods_do_not_reach_what_only_the_node_shall() {
    on_a_machine(|| {
        let network = start("cccc0005");
        let client = Pod::new(&network, "client");
        let secret = TcpListener::bind((Ipv4Addr::LOCALHOST, 7080)).unwrap();
        client.run(|| {
            ip(&format!(
                "route add 127.0.0.2/32 via {}",
                network.bridge_address()
            ));
            std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
            ip("rule add from all lookup main pref 0");
            ip("addr del 127.0.0.1/8 dev lo");
            ip(&format!(
                "route add 127.0.0.1/32 via {} src {}",
                network.bridge_address(),
                client.address
            ));
            let answer = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, 7080).into(), PATIENCE / 20);
            assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        });
        let shown = nft("list chain ip deploy-cccc0005 guard");
        assert!(
            !shown.contains("counter packets 0"),
            "the packets came as far as the guard: {shown}"
        );
        drop(secret);
    });
}

#[test]
fn no_connection_fails_while_endpoints_change() {
    on_a_machine(|| {
        let network = start("cccc0006");
        let pods = ["a", "b", "c"].map(|uid| Pod::new(&network, uid).serve(8080));
        let clients = ["d", "e"].map(|uid| Pod::new(&network, uid));
        let services = [web(json!({}))];
        apply(&network, &services, &[slice(&[&pods[0]])]);
        let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for client in &clients {
                scope.spawn(|| {
                    client.run(|| {
                        while !over.load(Ordering::SeqCst) {
                            machine::ask((WEB, 80).into()).unwrap();
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                });
            }
            // Each change waits for some traffic, so that all of them meet it.
            for round in 0..100 {
                let before = done.load(Ordering::SeqCst);
                let some: Vec<&Pod> = (0..=round % 3).map(|pod| &pods[(pod + round) % 3]).collect();
                apply(&network, &services, &[slice(&some)]);
                let started = Instant::now();
                while done.load(Ordering::SeqCst) < before + 2 && started.elapsed() < PATIENCE {
                    thread::yield_now();
                }
            }
            over.store(true, Ordering::SeqCst);
        });
        let connections = done.load(Ordering::SeqCst);
        assert!(connections >= 200, "{connections}");
        let counted = nft("list map ip deploy-cccc0006 cluster-ips");
        assert!(
            counted.contains(&format!("counter packets {connections} ")),
            "{connections} in {counted}"
        );
    });
}

#[test]
fn established_connections_outlive_changes() {
    on_a_machine(|| {
        let network = start("cccc0007");
        let (pod, client) = (Pod::new(&network, "a"), Pod::new(&network, "client"));
        let listener = pod.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap());
        apply(&network, &[web(json!({}))], &[slice(&[&pod])]);
        let mut stream = client.run(|| TcpStream::connect_timeout(&(WEB, 80).into(), PATIENCE).unwrap());
        let (mut served, _) = listener.accept().unwrap();
        apply(&network, &[web(json!({}))], &[]);
        stream.write_all(b"still").unwrap();
        let mut buffer = [0; 5];
        served.set_read_timeout(Some(PATIENCE)).unwrap();
        served.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"still");
    });
}

#[test]
fn a_service_leads_to_the_node_itself() {
    with_and_without_bridge_netfilter(|network| {
        let client = Pod::new(network, "client");
        // As the API does: on the bridge, and the service `kubernetes` has that endpoint.
        let bridge = network.bridge_address();
        let listener = TcpListener::bind((bridge, 16_443)).unwrap();
        let slice = Slice::read(&json!({
            "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"port": 16443}], "endpoints": [{"addresses": [bridge.to_string()]}],
        }));
        apply(network, &[web(json!({}))], &[slice]);
        thread::scope(|scope| {
            let seen = scope.spawn(|| [(); 2].map(|()| listener.accept().unwrap().1.ip()));
            client.ask((WEB, 80)).unwrap();
            machine::ask((WEB, 80).into()).unwrap();
            assert_eq!(seen.join().unwrap(), [client.address, bridge]);
        });
    });
}

#[test]
fn packets_are_as_long_as_the_way_out_takes() {
    on_a_machine(|| {
        let _neighbour = neighbour();
        ip("link set up0 mtu 1400");
        let network = start("cccc0011");
        let pod = Pod::new(&network, "a");
        for shown in [
            pod.run(|| ip("-o link show eth0")),
            ip("-o link show deploycccc0011"),
        ] {
            assert!(shown.contains(" mtu 1400 "), "{shown}");
        }
    });
}

#[test]
fn two_clusters_keep_apart() {
    on_a_machine(|| {
        let networks = ["cccc0009", "cccc0010"].map(start);
        let pods = networks
            .each_ref()
            .map(|network| Pod::new(network, "a").serve(8080));
        let clients = networks.each_ref().map(|network| Pod::new(network, "client"));
        for (network, pod) in networks.iter().zip(&pods) {
            // The same address in both.
            apply(
                network,
                &[web(json!({"ports": [{"port": 80}]}))],
                &[slice(&[pod])],
            );
        }
        for (number, client) in clients.iter().enumerate() {
            let before = pods.each_ref().map(|pod| pod.served.load(Ordering::SeqCst));
            client.ask((WEB, 80)).unwrap();
            assert_eq!(pods[number].served.load(Ordering::SeqCst), before[number] + 1);
        }
        // Pods of one reach those of the other as strangers do: by the node.
        let seen = clients[0].ask((pods[1].address, 8080)).unwrap();
        assert_eq!(seen, networks[1].bridge_address().to_string());
        // The end of one is nothing to the other, nor to the node.
        let [first, second] = networks;
        machine::wait(first.down()).unwrap();
        clients[1].ask((WEB, 80)).unwrap();
        machine::ask((WEB, 80).into()).unwrap();
        machine::wait(second.down()).unwrap();
        assert_eq!(nft("list ruleset"), "");
    });
}

#[test]
fn a_thousand_services() {
    on_a_machine(|| {
        let network = start("cccc0008");
        let count = 1000u16;
        let services: Vec<Service> = (0..count)
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                Service::read(&json!({
                    "metadata": {"namespace": "shop", "name": format!("web-{n}")},
                    "spec": {"clusterIP": format!("10.96.{}.{low}", high + 1),
                        "ports": [{"port": 80, "nodePort": 30_000 + n}]},
                }))
            })
            .collect();
        let slices: Vec<Slice> = (0..count)
            .map(|n| {
                let pods: Vec<Value> =
                    (2..5).map(|pod| json!({"addresses": [network.pod_network().nth(pod).to_string()]})).collect();
                Slice::read(&json!({
                    "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": format!("web-{n}")}},
                    "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": pods,
                }))
            })
            .collect();
        let input = |skip: usize| Input {
            services: services.iter().collect(),
            slices: slices.iter().skip(skip).collect(),
            host_ports: Vec::new(),
        };
        let started = Instant::now();
        let ruleset = program(&input(0), &network.node());
        let programmed = started.elapsed();
        let whole = network.apply(&ruleset).unwrap();
        let started = Instant::now();
        let changed = program(&input(1), &network.node());
        let one = network.apply(&changed).unwrap();
        eprintln!(
            "1,000 services: program {programmed:?}, kernel {:?}, {} KB; one change {:?} of which kernel {:?}, {} bytes",
            whole.took,
            whole.bytes / 1024,
            started.elapsed(),
            one.took,
            one.bytes
        );
        assert!(!one.whole && one.messages < 12, "{one:?}");
        assert!(whole.bytes < 4 << 20, "{whole:?}");
    });
}
