use std::time::Instant;

use deploy_cluster_net::network::{NetError, Network};

use super::machine::{Pod, ip, nft, on_a_machine, options, start, wait};

#[test]
fn pods_reach_each_other_and_the_node() {
    on_a_machine(|| {
        let network = start("aaaa0001");
        let web = Pod::new(&network, "web").serve(80);
        let client = Pod::new(&network, "client");
        assert_eq!(client.ask((web.address, 80)).unwrap(), client.address.to_string());
        // The node reaches pods by the bridge's address.
        let seen = super::machine::ask((web.address, 80).into()).unwrap();
        assert_eq!(seen, network.bridge_address().to_string());
    });
}

#[test]
fn a_pod_listens_where_it_likes() {
    on_a_machine(|| {
        let pod = Pod::new(&start("aaaa0007"), "web");
        let setting =
            |name: &str| pod.run(|| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap());
        assert_eq!(setting("ip_unprivileged_port_start").trim(), "0");
        assert_eq!(setting("ping_group_range").trim(), "0\t2147483647");
        assert_eq!(setting("conf/all/accept_redirects").trim(), "0");
        assert_eq!(setting("conf/eth0/accept_redirects").trim(), "0");
    });
}

#[test]
fn what_a_server_left_is_found_again() {
    on_a_machine(|| {
        let network = start("aaaa0002");
        let alive = Pod::new(&network, "alive").serve(80);
        let process = alive.process();
        wait(network.attach("dead")).unwrap();
        let (bridge, before) = (network.bridge().to_owned(), network.pod_network());
        // As when the server is killed: whatever it held is let go.
        drop(network);
        let network = start("aaaa0002");
        assert_eq!((network.bridge(), network.pod_network()), (&*bridge, before));
        assert_eq!(network.attached(), ["alive"]);
        let again = wait(network.attach("alive")).unwrap();
        assert_eq!(again.address, alive.address);
        let client = Pod::new(&network, "client");
        assert_ne!(client.address, alive.address);
        client.ask((alive.address, 80)).unwrap();
        drop(process);
    });
}

#[test]
fn nothing_is_left_after_a_crash_and_the_neighbour_stays() {
    on_a_machine(|| {
        let before = ip("-o link");
        let (first, second) = (start("aaaa0003"), start("bbbb0003"));
        assert!(!first.pod_network().overlaps(&second.pod_network()));
        let (a, b) = (Pod::new(&first, "a").serve(80), Pod::new(&second, "b").serve(80));
        let processes = (a.process(), b.process());
        drop(first);
        Network::sweep("aaaa0003").unwrap();
        Network::sweep("aaaa0003").unwrap();
        assert!(!ip("-o link").contains("aaaa0003"));
        assert_eq!(ip("-o link show master deploybbbb0003").lines().count(), 1);
        super::machine::ask((b.address, 80).into()).unwrap();
        wait(second.down()).unwrap();
        assert_eq!(ip("-o link"), before);
        assert_eq!(ip("route"), "");
        assert_eq!(nft("list ruleset"), "");
        drop(processes);
    });
}

#[test]
fn a_pod_is_attached_once_and_detached_once() {
    on_a_machine(|| {
        let network = start("aaaa0004");
        let first = wait(network.attach("a")).unwrap();
        assert_eq!(wait(network.attach("a")).unwrap(), first);
        wait(network.detach("a")).unwrap();
        wait(network.detach("a")).unwrap();
        assert_eq!(network.attachment("a"), None);
        assert_ne!(wait(network.attach("a")).unwrap().address, first.address);
    });
}

#[test]
fn a_hundred_pods_are_attached_in_little_time() {
    on_a_machine(|| {
        let network = start("aaaa0005");
        let started = Instant::now();
        for pod in 0..100 {
            wait(network.attach(&format!("pod-{pod}"))).unwrap();
        }
        let each = started.elapsed() / 100;
        eprintln!("a pod is attached in {each:?}");
        assert!(each.as_millis() < 50, "{each:?}");
    });
}

#[test]
fn without_the_right_to_it_says_what_is_missing() {
    on_a_machine(|| {
        let mut now = rustix::thread::capabilities(None).unwrap();
        now.effective.remove(rustix::thread::CapabilitySet::NET_ADMIN);
        // Of this thread alone.
        rustix::thread::set_capabilities(None, now).unwrap();
        let Err(error) = Network::start(options("aaaa0006")) else {
            panic!("it has no right to");
        };
        assert!(matches!(error, NetError::NotAllowed), "{error:?}");
        assert!(error.to_string().contains("root"), "{error}");
    });
}
