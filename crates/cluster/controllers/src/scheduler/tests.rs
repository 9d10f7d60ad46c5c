use super::*;
use crate::view::memory::Memory;

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"disk": "ssd", "size": "3"}},
        "status": {"allocatable": {"cpu": cpu, "memory": "2Gi", "pods": "3"}},
    })
}

fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "schedulerName": "default-scheduler",
            "containers": [{"resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}],
        },
        "status": {"phase": "Pending"},
    })
}

/// Where each pod goes, and why others wait.
fn outcome(objects: Vec<Value>) -> Vec<String> {
    let memory = Memory::of(objects);
    let key = Key {
        namespace: "".into(),
        name: "".into(),
    };
    let now = "2026-01-01T01:00:00Z".parse().expect("a time");
    let outcome = reconcile(&Look {
        view: &memory,
        key: &key,
        now,
        failure: None,
    });
    let said = outcome.effects.into_iter().filter_map(|effect| match effect {
        Effect::Bind { name, node, .. } => Some(format!("{name} -> {node}")),
        Effect::Event {
            r#type: "Warning",
            about,
            message,
            ..
        } => Some(format!("{}: {message}", object::name(&about))),
        _ => None,
    });
    said.collect()
}

/// What the real scheduler says of one node and one pod.
fn refused(change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut node, mut pod) = (node("n", "2"), pod("p", "1"));
    change(&mut node, &mut pod);
    let said = outcome(vec![node, pod]);
    let text = said.first().expect("it speaks").clone();
    text.replace(
        " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        "",
    )
}

#[test]
fn a_pod_goes_where_there_is_most_room() {
    assert_eq!(
        outcome(vec![node("a", "1"), node("b", "4"), pod("p", "1")]),
        ["p -> b"]
    );
}

#[test]
fn what_one_takes_the_next_one_sees() {
    let mut second = pod("q", "1500m");
    second["spec"]["priority"] = json!(7);
    let said = outcome(vec![node("a", "2"), pod("p", "1"), second]);
    assert_eq!(said[0], "q -> a", "the more important first");
    assert!(
        said[1].starts_with("p: 0/1 nodes are available: 1 Insufficient cpu. "),
        "{said:?}"
    );
    assert!(
        said[1].ends_with("1 No preemption victims found for incoming pod."),
        "{said:?}"
    );
}

#[test]
fn a_full_node_takes_no_more() {
    let said = outcome(vec![
        node("a", "2"),
        pod("p", "1m"),
        pod("q", "1m"),
        pod("r", "1m"),
        pod("s", "1m"),
    ]);
    assert_eq!(said.iter().filter(|line| line.contains("->")).count(), 3);
    assert!(said[3].contains("1 Too many pods."), "{said:?}");
}

#[test]
fn refusals_are_told_in_upstreams_words() {
    assert_eq!(
        outcome(vec![pod("p", "1")]),
        ["p: no nodes available to schedule pods"]
    );
    assert_eq!(
        refused(|_, pod| pod["spec"]["nodeSelector"] = json!({"disk": "hdd"})),
        "p: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    );
    assert_eq!(
        refused(
            |node, _| node["spec"]["taints"] = json!([{"key": "a", "value": "b", "effect": "NoSchedule"}])
        ),
        "p: 0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    );
    assert_eq!(
        refused(|node, _| node["spec"]["unschedulable"] = json!(true)),
        "p: 0/1 nodes are available: 1 node(s) were unschedulable."
    );
    assert_eq!(
        refused(|_, pod| {
            let requests = &mut pod["spec"]["containers"][0]["resources"]["requests"];
            *requests = json!({"cpu": "5", "memory": "64Gi"});
        }),
        "p: 0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
    );
    assert_eq!(
        refused(|_, pod| pod["spec"]["volumes"] = json!([{"persistentVolumeClaim": {"claimName": "nope"}}])),
        "p: 0/1 nodes are available: persistentvolumeclaim \"nope\" not found. not found"
    );
}

#[test]
fn tolerations_and_affinity_open_a_node() {
    let mut tainted = node("n", "2");
    tainted["spec"]["taints"] = json!([{"key": "a", "value": "b", "effect": "NoExecute"}]);
    let mut tolerant = pod("p", "1");
    tolerant["spec"]["tolerations"] = json!([{"key": "a", "operator": "Equal", "value": "b"}]);
    tolerant["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["2"]}]}],
    }}});
    assert_eq!(outcome(vec![tainted, tolerant]), ["p -> n"]);
}

#[test]
fn a_reason_is_told_once() {
    let mut waiting = pod("p", "5");
    let now = "2026-01-01T01:00:00Z".parse().expect("a time");
    let message = explain(
        &[Refusal {
            reasons: vec!["Insufficient cpu".to_owned()],
            room_would_help: false,
        }],
        1,
    );
    let mut first = Outcome::nothing();
    tell(&waiting, &message, now, &mut first);
    let Some(Effect::UpdateStatus { object, .. }) = first.effects.pop() else {
        panic!("it is told")
    };
    waiting = object;
    assert_eq!(outcome(vec![node("n", "2"), waiting]), Vec::<String>::new());
}

#[test]
fn init_containers_count_by_their_largest_moment() {
    let pod = json!({"spec": {
        "containers": [{"resources": {"requests": {"cpu": "100m"}}}],
        "initContainers": [
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}},
            {"resources": {"requests": {"cpu": "500m"}}},
        ],
    }});
    assert_eq!(
        room::requests(&pod)["cpu"],
        700,
        "the sidecar and the init container beside it"
    );
}

/// A pod with one claim, and what becomes of it.
fn with_claim(claim: Value, others: Vec<Value>) -> Vec<String> {
    let mut pod = pod("p", "1");
    pod["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]);
    let memory = Memory::of(others.into_iter().chain([node("n", "2"), pod, claim]));
    let key = Key {
        namespace: "".into(),
        name: "".into(),
    };
    let now = "2026-01-01T01:00:00Z".parse().expect("a time");
    let outcome = reconcile(&Look {
        view: &memory,
        key: &key,
        now,
        failure: None,
    });
    let said = outcome.effects.into_iter().filter_map(|effect| match effect {
        Effect::Bind { name, node, .. } => Some(format!("{name} -> {node}")),
        Effect::Patch {
            kind, name, patch, ..
        } => {
            let annotations = patch["metadata"]["annotations"].to_string();
            Some(format!("{}/{name} {annotations}", kind.plural))
        }
        Effect::Event {
            r#type: "Warning",
            message,
            ..
        } => Some(message),
        _ => None,
    });
    said.collect()
}

fn claim(class: &str, annotations: Value, volume: Value) -> Value {
    let phase = if volume.is_null() { "Pending" } else { "Bound" };
    json!({
        "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "shop", "name": "c", "uid": "u", "annotations": annotations},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                 "storageClassName": class, "volumeName": volume},
        "status": {"phase": phase},
    })
}

fn local_volume(disk: &str) -> Value {
    json!({
        "kind": "PersistentVolume",
        "metadata": {"name": "local"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "static",
                 "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                     {"key": "disk", "operator": "In", "values": [disk]}]}]}}},
        "status": {"phase": "Available"},
    })
}

fn waiting_class(name: &str, provisioner: &str) -> Value {
    json!({"kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner,
           "volumeBindingMode": "WaitForFirstConsumer"})
}

#[test]
fn a_pod_follows_its_volumes() {
    let made = || vec![waiting_class("made", "x.y/z")];
    let fixed = |disk: &str| {
        vec![
            waiting_class("static", "kubernetes.io/no-provisioner"),
            local_volume(disk),
        ]
    };
    let no_volume = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind. no new claims to \
                     deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    let selected = |node: &str| json!({"volume.kubernetes.io/selected-node": node});
    let null = || json!(null);
    let cases: Vec<(Value, Vec<Value>, Vec<&str>)> = vec![
        (
            claim("made", null(), null()),
            made(),
            vec![r#"persistentvolumeclaims/c {"volume.kubernetes.io/selected-node":"n"}"#],
        ),
        (claim("made", selected("n"), null()), made(), vec![]),
        (claim("made", selected("other"), null()), made(), vec![no_volume]),
        (
            claim("static", null(), null()),
            fixed("ssd"),
            vec![r#"persistentvolumes/local {"pv.kubernetes.io/bound-by-controller":"yes"}"#],
        ),
        (claim("static", null(), null()), fixed("tape"), vec![no_volume]),
        (
            claim("", null(), null()),
            vec![],
            vec!["0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"],
        ),
        (
            claim(
                "static",
                json!({"pv.kubernetes.io/bind-completed": "yes"}),
                json!("local"),
            ),
            fixed("ssd"),
            vec!["p -> n"],
        ),
        (
            claim(
                "static",
                json!({"pv.kubernetes.io/bind-completed": "yes"}),
                json!("local"),
            ),
            fixed("tape"),
            vec![
                "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity. no new claims to \
                 deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            ],
        ),
    ];
    for (claim, others, expected) in cases {
        assert_eq!(with_claim(claim.clone(), others), expected, "{claim}");
    }
}

#[test]
fn a_pod_waits_until_its_claim_says_that_it_is_bound() {
    let mut claim = claim(
        "static",
        json!({"pv.kubernetes.io/bind-completed": "yes"}),
        json!("local"),
    );
    let others = || {
        vec![
            waiting_class("static", "kubernetes.io/no-provisioner"),
            local_volume("ssd"),
        ]
    };
    claim["status"]["phase"] = json!("Pending");
    assert_eq!(with_claim(claim.clone(), others()), [""; 0]);
    claim["status"]["phase"] = json!("Bound");
    assert_eq!(with_claim(claim, others()), ["p -> n"]);
}
