//! Services as a real API server answered them (1.34.2), random numbers aside.

use serde_json::{Value, json};

use super::*;

fn allocators() -> Allocators {
    let kubernetes =
        json!({"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"]}});
    Allocators::new(Range::parse("10.96.0.0/16").unwrap(), [kubernetes].into_iter())
}

fn service(spec: Value) -> Value {
    let mut service =
        json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "name": "a", "protocol": "TCP"}]}});
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

fn created(allocators: &Allocators, spec: Value) -> Result<Value, String> {
    let mut new = service(spec);
    let reservation = allocators
        .reserve(&mut new, None, false)
        .map_err(|error| error.message)?;
    reservation.keep();
    Ok(new)
}

fn updated(allocators: &Allocators, old: &Value, change: impl FnOnce(&mut Value)) -> Result<Value, String> {
    let mut new = old.clone();
    change(&mut new);
    let reservation = allocators
        .reserve(&mut new, Some(old), false)
        .map_err(|error| error.message)?;
    reservation.keep();
    Ok(new)
}

#[test]
fn a_service_gets_an_address_and_families() {
    let allocators = allocators();
    let plain = created(&allocators, json!({})).unwrap();
    let address = plain["spec"]["clusterIP"].as_str().unwrap();
    assert!(
        address.starts_with("10.96.") && plain["spec"]["clusterIPs"] == json!([address]),
        "{plain}"
    );
    assert_eq!(plain["spec"]["ipFamilies"], json!(["IPv4"]));
    assert_eq!(plain["spec"]["ipFamilyPolicy"], "SingleStack");
    let headless = created(&allocators, json!({"clusterIP": "None"})).unwrap();
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(headless["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(headless["spec"]["ipFamilyPolicy"], "RequireDualStack");
    let selecting = created(&allocators, json!({"clusterIP": "None", "selector": {"a": "b"}})).unwrap();
    assert_eq!(selecting["spec"]["ipFamilies"], json!(["IPv4"]));
    let prefers = created(&allocators, json!({"ipFamilyPolicy": "PreferDualStack"})).unwrap();
    assert_eq!(prefers["spec"]["ipFamilies"], json!(["IPv4"]));
    let external = created(&allocators, json!({"type": "ExternalName"})).unwrap();
    assert!(external["spec"]["clusterIP"].is_null() && external["spec"]["ipFamilies"].is_null());
}

#[test]
fn what_cannot_be_had_is_refused_in_upstreams_words() {
    let allocators = allocators();
    created(
        &allocators,
        json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
    )
    .unwrap();
    let taken = |ip: &str, why: &str| {
        format!(
            "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"{ip}\"]: failed to allocate IP {ip}: {why}"
        )
    };
    let outside = "the provided network does not match the current range";
    let cases = [
        (json!({"clusterIP": "10.96.0.1"}), taken("10.96.0.1", "provided IP is already allocated")),
        (json!({"clusterIP": "10.97.0.1"}), taken("10.97.0.1", outside)),
        (json!({"clusterIP": "10.96.0.0"}), taken("10.96.0.0", outside)),
        (json!({"clusterIP": "10.96.255.255"}), taken("10.96.255.255", outside)),
        (json!({"clusterIP": "fd00::1"}), "Service \"s\" is invalid: spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on this cluster".to_owned()),
        (json!({"ipFamilyPolicy": "RequireDualStack"}), "Service \"s\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services".to_owned()),
        (json!({"ipFamilies": ["IPv6"]}), "Service \"s\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster".to_owned()),
        (json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}), "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated".to_owned()),
        (json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}), "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767".to_owned()),
        (json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30080}), "Internal error occurred: failed to allocate requested HealthCheck NodePort 30080: provided port is already allocated".to_owned()),
    ];
    for (spec, message) in cases {
        assert_eq!(created(&allocators, spec.clone()), Err(message), "{spec}");
    }
    // A refusal leaves nothing behind: what it took before it failed is free.
    let two = json!({"type": "NodePort", "clusterIP": "10.96.5.5", "ports": [{"port": 1, "nodePort": 30100}, {"port": 2, "nodePort": 30080}]});
    assert!(created(&allocators, two).is_err());
    assert!(
        created(
            &allocators,
            json!({"type": "NodePort", "clusterIP": "10.96.5.5", "ports": [{"port": 1, "nodePort": 30100}]})
        )
        .is_ok()
    );
}

#[test]
fn protocols_share_a_node_port() {
    let ports = json!([
        {"port": 80, "name": "a", "protocol": "TCP", "nodePort": 30080},
        {"port": 80, "name": "b", "protocol": "UDP"},
        {"port": 81, "name": "c", "protocol": "TCP", "nodePort": 30081},
        {"port": 82, "name": "d", "protocol": "TCP"},
    ]);
    let new = created(&allocators(), json!({"type": "NodePort", "ports": ports})).unwrap();
    let found: Vec<u64> = list(&new["spec"]["ports"])
        .iter()
        .map(|port| port["nodePort"].as_u64().unwrap())
        .collect();
    assert_eq!(found[..3], [30080, 30080, 30081]);
    assert!((30000..=32767).contains(&found[3]));
    let balancer = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false});
    assert!(created(&allocators(), balancer).unwrap()["spec"]["ports"][0]["nodePort"].is_null());
    let local = created(
        &allocators(),
        json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}),
    )
    .unwrap();
    assert!(local["spec"]["healthCheckNodePort"].is_u64() && local["spec"]["ports"][0]["nodePort"].is_u64());
}

#[test]
fn a_type_change_takes_and_leaves() {
    let allocators = allocators();
    let external = created(
        &allocators,
        json!({"type": "ExternalName", "externalName": "x.y"}),
    )
    .unwrap();
    let spec = json!({"type": "ClusterIP", "clusterIP": "10.96.7.7"});
    let inner = updated(&allocators, &external, |s| {
        s["spec"]["type"] = spec["type"].clone();
        s["spec"]["clusterIP"] = spec["clusterIP"].clone();
        s["spec"]["clusterIPs"] = json!(["10.96.7.7"]);
    })
    .unwrap();
    assert_eq!(inner["spec"]["clusterIPs"], json!(["10.96.7.7"]));
    assert!(created(&allocators, json!({"clusterIP": "10.96.7.7"})).is_err());
    let open = updated(&allocators, &inner, |s| s["spec"]["type"] = "NodePort".into()).unwrap();
    let port = open["spec"]["ports"][0]["nodePort"].clone();
    let asks = json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": port}]});
    assert!(created(&allocators, asks.clone()).is_err());
    // What a client leaves out of a replacement stays.
    let replaced = updated(&allocators, &open, |s| {
        let spec = s["spec"].as_object_mut().unwrap();
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        spec["ports"][0].as_object_mut().unwrap().remove("nodePort");
    })
    .unwrap();
    assert_eq!(replaced["spec"], open["spec"]);
    let closed = updated(&allocators, &open, |s| {
        s["spec"]["type"] = "ClusterIP".into();
        s["spec"]["ports"][0].as_object_mut().unwrap().remove("nodePort");
    })
    .unwrap();
    assert!(created(&allocators, asks).is_ok());
    updated(&allocators, &closed, |s| {
        s["spec"]["type"] = "ExternalName".into()
    })
    .unwrap();
    let again = created(&allocators, json!({"clusterIP": "10.96.7.7"})).unwrap();
    allocators.release(&again);
    assert!(created(&allocators, json!({"clusterIP": "10.96.7.7"})).is_ok());
}

#[test]
fn a_dry_run_and_a_failed_write_take_nothing() {
    let allocators = allocators();
    let mut new = service(json!({"clusterIP": "10.96.3.3", "type": "NodePort"}));
    allocators.reserve(&mut new.clone(), None, true).unwrap().keep();
    drop(allocators.reserve(&mut new.clone(), None, false).unwrap());
    allocators.reserve(&mut new, None, false).unwrap().keep();
    let restarted = Allocators::new(Range::parse("10.96.0.0/16").unwrap(), [new.clone()].into_iter());
    assert!(
        restarted.reserve(&mut new, None, false).is_err(),
        "what a live Service has is taken after a restart"
    );
}

#[test]
fn ranges_are_networks() {
    assert_eq!(
        Range::parse("10.96.0.0/16").unwrap().first(),
        Ipv4Addr::new(10, 96, 0, 1)
    );
    for text in [
        "",
        "10.96.0.0",
        "10.96.0.1/16",
        "10.96.0.0/30",
        "fd00::/112",
        "10.0.0.0/2",
    ] {
        assert_eq!(Range::parse(text), None, "{text}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}
