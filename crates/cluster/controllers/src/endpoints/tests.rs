use super::*;
use crate::controller::{Controller, Look};
use crate::effect::{Effect, Outcome};
use crate::view::memory::Memory;

fn service(ports: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "s", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": ports},
    })
}

fn pod(number: u32, port: u32, ready: bool) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("p{number}"), "namespace": "shop", "uid": format!("u{number}"), "labels": {"app": "web"}},
        "spec": {"nodeName": "n", "containers": [{"ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.1.{}.{}", number / 200, number % 200), "conditions": [
            {"type": "Ready", "status": if ready { "True" } else { "False" }},
        ]},
    })
}

fn node() -> Value {
    json!({"kind": "Node", "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "z"}}})
}

fn look(controller: &Controller, memory: &Memory) -> Outcome {
    let key = Key {
        namespace: "shop".into(),
        name: "web".into(),
    };
    let now = "2026-01-01T01:00:00Z".parse().expect("a time");
    (controller.reconcile)(&Look {
        view: memory,
        key: &key,
        now,
        failure: None,
    })
}

fn named_port() -> Value {
    json!([{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}])
}

/// Carries slices out as the server would.
fn settle(memory: &mut Memory) -> usize {
    let mut writes = 0;
    for round in 0..5 {
        let outcome = look(&slices::CONTROLLER, memory);
        if outcome.effects.is_empty() {
            return writes;
        }
        for (place, effect) in outcome.effects.into_iter().enumerate() {
            writes += 1;
            match effect {
                Effect::Create { mut object, .. } => {
                    object["metadata"]["name"] = json!(format!("web-{round}-{place}"));
                    memory.put(object);
                }
                Effect::Update { object, .. } => memory.put(object),
                Effect::Delete { namespace, name, .. } => memory.remove("EndpointSlice", &namespace, &name),
                other => panic!("unexpected: {other:?}"),
            }
        }
    }
    panic!("the controller never rests");
}

fn slices(memory: &Memory) -> Vec<Arc<Value>> {
    memory.list(&crate::kind::ENDPOINT_SLICE, None)
}

#[test]
fn a_service_without_pods_has_an_empty_slice() {
    let mut memory = Memory::of([service(named_port()), node()]);
    settle(&mut memory);
    let [slice] = &slices(&memory)[..] else {
        panic!("one slice")
    };
    assert_eq!(slice["endpoints"], Value::Null);
    assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "web");
}

#[test]
fn pods_with_other_ports_are_in_other_slices() {
    let mut memory = Memory::of([
        service(named_port()),
        node(),
        pod(1, 8080, true),
        pod(2, 8081, false),
    ]);
    settle(&mut memory);
    let slices = slices(&memory);
    assert_eq!(slices.len(), 2);
    let endpoint = |port: u32| {
        let slice = slices
            .iter()
            .find(|slice| slice["ports"][0]["port"] == port)
            .expect("a slice");
        slice["endpoints"][0].clone()
    };
    assert_eq!(
        endpoint(8080)["conditions"],
        json!({"ready": true, "serving": true, "terminating": false})
    );
    assert_eq!(
        endpoint(8081)["conditions"],
        json!({"ready": false, "serving": false, "terminating": false})
    );
    assert_eq!(endpoint(8080)["zone"], "z");
}

#[test]
fn a_slice_holds_a_hundred_and_changes_touch_one() {
    let mut objects = vec![service(named_port()), node()];
    objects.extend((0..250).map(|number| pod(number, 8080, true)));
    let mut memory = Memory::of(objects);
    settle(&mut memory);
    let sizes = |memory: &Memory| -> Vec<usize> {
        let mut sizes: Vec<usize> = slices(memory)
            .iter()
            .map(|slice| slice["endpoints"].as_array().map_or(0, Vec::len))
            .collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(&memory), [50, 100, 100]);
    memory.put(pod(7, 8080, false));
    assert_eq!(settle(&mut memory), 1, "only the slice of the pod is written");
    memory.put(pod(300, 8080, true));
    assert_eq!(settle(&mut memory), 1);
    assert_eq!(sizes(&memory), [51, 100, 100]);
}

#[test]
fn the_last_pod_leaves_an_empty_slice() {
    let mut memory = Memory::of([service(named_port()), node(), pod(1, 8080, true)]);
    settle(&mut memory);
    memory.remove("Pod", "shop", "p1");
    settle(&mut memory);
    let [slice] = &slices(&memory)[..] else {
        panic!("one slice")
    };
    assert_eq!(slice["endpoints"], Value::Null);
}

#[test]
fn endpoints_group_ports_by_their_addresses() {
    let ports = json!([
        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
        {"name": "m", "port": 81, "targetPort": 9000, "protocol": "TCP"},
    ]);
    let memory = Memory::of([service(ports), node(), pod(1, 8080, true), pod(2, 8081, false)]);
    let outcome = look(&legacy::CONTROLLER, &memory);
    let [Effect::Create { object, .. }] = &outcome.effects[..] else {
        panic!("{outcome:?}")
    };
    let subsets = object["subsets"].as_array().expect("subsets");
    assert_eq!(subsets.len(), 3, "port m on both pods, http on each alone");
    let shared = subsets
        .iter()
        .find(|subset| subset["ports"][0]["name"] == "m")
        .expect("port m");
    assert_eq!(shared["addresses"][0]["ip"], "10.1.0.1");
    assert_eq!(shared["notReadyAddresses"][0]["ip"], "10.1.0.2");
}
