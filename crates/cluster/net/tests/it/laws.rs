//! Whatever the cluster was before: the difference leads to the same table as writing it anew.

use deploy_cluster_net::network::Network;
use deploy_cluster_net::nft::Table;
use deploy_cluster_net::services::{HostPort, Input, Protocol, Service, Slice, program};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::machine::{nft, on_a_machine, start};

/// A state of a service: none, or one of these kinds with these endpoints.
#[derive(Clone, Debug)]
struct State {
    kind: u8,
    endpoints: u8,
    local: u8,
    leaving: u8,
}

fn states() -> impl Strategy<Value = Vec<Vec<State>>> {
    let state = (0..9u8, 0..16u8, 0..16u8, 0..16u8).prop_map(|(kind, endpoints, local, leaving)| State {
        kind,
        endpoints,
        local,
        leaving,
    });
    proptest::collection::vec(proptest::collection::vec(state, 4), 2..7)
}

fn service(number: usize, state: &State) -> Option<Service> {
    let spec = match state.kind {
        0 => return None,
        1 => json!({"type": "ClusterIP"}),
        2 => json!({"sessionAffinity": "ClientIP"}),
        3 => json!({"externalTrafficPolicy": "Local"}),
        4 => json!({"internalTrafficPolicy": "Local"}),
        5 => {
            json!({"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"})
        }
        6 => json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "0.0.0.0/1"]}),
        7 => json!({"externalIPs": ["198.51.100.1"]}),
        _ => json!({"clusterIP": "None"}),
    };
    let mut object = json!({
        "metadata": {"namespace": "shop", "name": format!("web-{number}")},
        "spec": {"clusterIP": format!("10.96.0.{}", number + 10), "ports": [
            {"name": "a", "port": 80, "nodePort": 30_000 + number}, {"name": "b", "port": 53, "protocol": "UDP"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    Some(Service::read(&object))
}

fn slice(number: usize, state: &State) -> Slice {
    let bit = |bits: u8, place: u8| bits >> place & 1 == 1;
    let chosen = (0..4).filter(|place| bit(state.endpoints, *place));
    let endpoints: Vec<Value> = chosen
        .map(|place| {
            json!({"addresses": [format!("10.200.1.{}", place + 2)],
                "nodeName": if bit(state.local, place) { "node" } else { "other" },
                "conditions": {"ready": !bit(state.leaving, place), "serving": true,
                    "terminating": bit(state.leaving, place)}})
        })
        .collect();
    Slice::read(&json!({
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": format!("web-{number}")}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "a", "port": 8080}, {"name": "b", "port": 5353, "protocol": "UDP"}],
    }))
}

/// The table as `nft` shows it; the order of chains, sets and elements says nothing.
fn shown(table: &str) -> Vec<String> {
    let listed = nft(&format!("list table ip {table}"));
    let mut lines: Vec<String> = listed
        .lines()
        .map(|line| {
            line.trim()
                .trim_start_matches("elements = { ")
                .trim_end_matches([',', '}', ' '])
                .to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines
}

fn follows(network: &Network, history: &[Vec<State>]) {
    let node = network.node();
    let mut other = node.clone();
    other.table = "whole".to_owned();
    for states in history {
        let services: Vec<Service> = states
            .iter()
            .enumerate()
            .filter_map(|(number, state)| service(number, state))
            .collect();
        let slices: Vec<Slice> = states
            .iter()
            .enumerate()
            .map(|(number, state)| slice(number, state))
            .collect();
        let ports: Vec<HostPort> = (0..states[0].endpoints % 3)
            .map(|number| HostPort {
                namespace: "shop".to_owned(),
                pod: format!("pod-{number}"),
                protocol: Protocol::Tcp,
                host_port: 30_000 + u16::from(number),
                host_ip: None,
                address: [10, 200, 1, 7].into(),
                port: 80,
            })
            .collect();
        let input = Input {
            services: services.iter().collect(),
            slices: slices.iter().collect(),
            host_ports: ports.iter().collect(),
        };
        let applied = network.apply(&program(&input, &node)).unwrap();
        assert!(!applied.whole, "the kernel refused a difference: {history:?}");
        let mut whole = Table::open().unwrap();
        whole.apply(&program(&input, &other)).unwrap();
        let mut expected = shown("whole");
        for line in &mut expected {
            *line = line.replace("table ip whole", &format!("table ip {}", node.table));
        }
        expected.sort();
        assert_eq!(shown(&node.table), expected, "after {history:?}");
        whole.remove("whole").unwrap();
    }
}

#[test]
fn a_difference_leads_where_the_whole_leads() {
    on_a_machine(|| {
        let network = start("eeee0001");
        let config = Config {
            cases: 24,
            failure_persistence: None,
            ..Config::default()
        };
        TestRunner::new(config)
            .run(&states(), |history| {
                follows(&network, &history);
                Ok(())
            })
            .unwrap();
    });
}
