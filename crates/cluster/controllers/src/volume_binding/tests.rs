use serde_json::json;

use super::*;
use crate::effect::Effect;
use crate::view::memory::Memory;

fn claim(name: &str, spec: Value) -> Value {
    let mut claim = json!({
        "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "shop", "name": name, "uid": format!("uid-{name}"), "resourceVersion": "5"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "a"},
        "status": {"phase": "Pending"},
    });
    merge(&mut claim["spec"], spec);
    claim
}

fn volume(name: &str, spec: Value) -> Value {
    let mut volume = json!({
        "kind": "PersistentVolume",
        "metadata": {"name": name, "resourceVersion": "6", "labels": {"name": name}},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "a",
                 "persistentVolumeReclaimPolicy": "Retain"},
        "status": {"phase": "Available"},
    });
    merge(&mut volume["spec"], spec);
    volume
}

fn merge(object: &mut Value, changes: Value) {
    for (field, value) in changes.as_object().cloned().unwrap_or_default() {
        object[field] = value;
    }
}

fn class(name: &str, mode: &str, provisioner: &str) -> Value {
    json!({"kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode})
}

/// What is done and said, a line each.
fn look(memory: &Memory, namespace: &str, name: &str) -> Vec<String> {
    let key = Key {
        namespace: namespace.into(),
        name: name.into(),
    };
    let outcome = reconcile(&Look {
        view: memory,
        key: &key,
        now: "2026-01-01T00:00:00Z".parse().expect("a time"),
        failure: None,
    });
    let lines = outcome.effects.into_iter().map(|effect| match effect {
        Effect::Patch {
            name,
            subresource,
            mut patch,
            ..
        } => {
            if let Some(Value::Object(metadata)) = patch.pointer_mut("/metadata") {
                metadata.remove("resourceVersion");
            }
            if let Some(Value::Object(reference)) = patch.pointer_mut("/spec/claimRef") {
                reference.retain(|field, _| field == "uid");
            }
            format!("{name}/{subresource} {patch}")
        }
        Effect::Event { reason, message, .. } => format!("{reason}: {message}"),
        other => panic!("nothing else is done: {other:?}"),
    });
    lines.collect()
}

/// The volume that a claim gets.
fn chosen(claim: &Value, others: Vec<Value>) -> Option<String> {
    let memory = Memory::of(others.into_iter().chain([claim.clone()]));
    let first = look(&memory, "shop", object::name(claim)).into_iter().next()?;
    first
        .contains("claimRef")
        .then(|| first.split('/').next().unwrap_or_default().to_owned())
}

#[test]
fn both_sides_of_a_binding_are_written() {
    let memory = Memory::of([claim("c", json!({})), volume("v", json!({}))]);
    let expected = [
        r#"v/ {"metadata":{"annotations":{"pv.kubernetes.io/bound-by-controller":"yes"}},"spec":{"claimRef":{"uid":"uid-c"}}}"#,
        r#"v/status {"status":{"message":null,"phase":"Bound"}}"#,
        r#"c/ {"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes","pv.kubernetes.io/bound-by-controller":"yes"}},"spec":{"volumeName":"v"}}"#,
        r#"c/status {"status":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},"phase":"Bound"}}"#,
    ];
    assert_eq!(look(&memory, "shop", "c"), expected);
}

#[test]
fn what_is_half_bound_is_finished() {
    let mut half = volume(
        "v",
        json!({"claimRef": {"namespace": "shop", "name": "c", "uid": "uid-c"}}),
    );
    half["status"]["phase"] = json!("Bound");
    half["metadata"]["annotations"] = json!({BOUND_BY_CONTROLLER: "yes"});
    let mut own = claim("c", json!({"volumeName": "v"}));
    own["metadata"]["annotations"] = json!({BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"});
    let mut memory = Memory::of([own.clone(), half]);
    let done = look(&memory, "shop", "c");
    assert_eq!(done.len(), 1, "only the claim's status was missing: {done:?}");
    own["status"] =
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "9Gi"}});
    memory.put(own);
    assert_eq!(
        look(&memory, "shop", "c"),
        [""; 0],
        "the size of a bound claim is its own"
    );
}

#[test]
fn the_smallest_that_suits_is_chosen() {
    let sized = |name: &str, size: &str| volume(name, json!({"capacity": {"storage": size}}));
    let all = || {
        vec![
            sized("small", "500Mi"),
            sized("huge", "1Ti"),
            sized("fits", "2Gi"),
            sized("large", "10Gi"),
        ]
    };
    assert_eq!(chosen(&claim("c", json!({})), all()).as_deref(), Some("fits"));
    let selective = claim("c", json!({"selector": {"matchLabels": {"name": "large"}}}));
    assert_eq!(chosen(&selective, all()).as_deref(), Some("large"));
    let mut wide = sized("wide", "1Gi");
    wide["spec"]["accessModes"] = json!(["ReadWriteOnce", "ReadWriteMany"]);
    let with_wide = [all(), vec![wide]].concat();
    assert_eq!(
        chosen(&claim("c", json!({})), with_wide.clone()).as_deref(),
        Some("fits"),
        "the fewest modes first"
    );
    let many = claim("c", json!({"accessModes": ["ReadWriteMany"]}));
    assert_eq!(chosen(&many, with_wide).as_deref(), Some("wide"));
}

#[test]
fn what_does_not_suit_is_not_taken() {
    type Change = fn(&mut Value);
    let cases: [Change; 7] = [
        |volume| volume["spec"]["storageClassName"] = json!("b"),
        |volume| volume["spec"]["volumeMode"] = json!("Block"),
        |volume| volume["spec"]["accessModes"] = json!(["ReadOnlyMany"]),
        |volume| volume["spec"]["volumeAttributesClassName"] = json!("gold"),
        |volume| volume["spec"]["claimRef"] = json!({"namespace": "shop", "name": "other"}),
        |volume| volume["status"]["phase"] = json!("Released"),
        |volume| volume["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let mut unfit = volume("v", json!({}));
        change(&mut unfit);
        assert_eq!(chosen(&claim("c", json!({})), vec![unfit]), None, "case {number}");
    }
    let kept = json!({"claimRef": {"namespace": "shop", "name": "c"}, "storageClassName": "other"});
    assert_eq!(
        chosen(
            &claim("c", json!({})),
            vec![volume("v", json!({})), volume("kept", kept)]
        )
        .as_deref(),
        Some("kept"),
        "what a person has kept for it comes first"
    );
}

#[test]
fn claims_that_wait_say_for_what() {
    let asked = "{\"metadata\":{\"annotations\":{\"volume.beta.kubernetes.io/storage-provisioner\":\"x.y/z\",\
                 \"volume.kubernetes.io/storage-provisioner\":\"x.y/z\"}}}";
    let waiting = "Waiting for a volume to be created either by the external provisioner 'x.y/z' or manually by the \
                   system administrator. If volume creation is delayed, please verify that the provisioner is running \
                   and correctly registered.";
    let pod = |name: &str| {
        json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": name},
               "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]}})
    };
    let wait = || class("a", "WaitForFirstConsumer", "x.y/z");
    let mut selected = claim("c", json!({}));
    selected["metadata"]["annotations"] = json!({SELECTED_NODE: "n"});
    let mut default = class("d", "Immediate", "x.y/z");
    default["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    let cases: Vec<(Value, Vec<Value>, Vec<String>)> = vec![
        (
            claim("c", json!({"storageClassName": ""})),
            vec![],
            vec![
                "FailedBinding: no persistent volumes available for this claim and no storage class is set"
                    .to_owned(),
            ],
        ),
        (
            claim("c", json!({"storageClassName": null})),
            vec![default],
            vec!["c/ {\"spec\":{\"storageClassName\":\"d\"}}".to_owned()],
        ),
        (
            claim("c", json!({})),
            vec![wait(), volume("v", json!({}))],
            vec!["WaitForFirstConsumer: waiting for first consumer to be created before binding".to_owned()],
        ),
        (
            claim("c", json!({})),
            vec![wait(), pod("p")],
            vec!["WaitForPodScheduled: waiting for pod p to be scheduled".to_owned()],
        ),
        (
            claim("c", json!({})),
            vec![wait(), pod("p"), pod("q")],
            vec!["WaitForPodScheduled: waiting for pods p,q to be scheduled".to_owned()],
        ),
        (
            selected,
            vec![wait()],
            vec![format!("c/ {asked}"), format!("ExternalProvisioning: {waiting}")],
        ),
        (
            claim("c", json!({})),
            vec![class("a", "Immediate", "x.y/z")],
            vec![format!("c/ {asked}"), format!("ExternalProvisioning: {waiting}")],
        ),
        (
            claim("c", json!({})),
            vec![class("a", "Immediate", "kubernetes.io/no-provisioner")],
            vec![
                "ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner".to_owned(),
            ],
        ),
        (
            claim("c", json!({})),
            vec![],
            vec!["ProvisioningFailed: storageclass.storage.k8s.io \"a\" not found".to_owned()],
        ),
        (claim("c", json!({"volumeName": "none"})), vec![], vec![]),
        (
            claim("c", json!({"volumeName": "v"})),
            vec![volume("v", json!({"capacity": {"storage": "1Mi"}}))],
            vec![
                "VolumeMismatch: Cannot bind to requested volume \"v\": requested PV is too small".to_owned(),
            ],
        ),
        (
            claim("c", json!({"volumeName": "v"})),
            vec![volume(
                "v",
                json!({"claimRef": {"namespace": "shop", "name": "x", "uid": "y"}}),
            )],
            vec!["FailedBinding: volume \"v\" already bound to a different claim.".to_owned()],
        ),
    ];
    for (claim, others, expected) in cases {
        let memory = Memory::of(others.into_iter().chain([claim.clone()]));
        assert_eq!(look(&memory, "shop", "c"), expected, "{claim}");
    }
}

#[test]
fn a_claim_that_loses_its_volume_is_lost() {
    let mut bound = claim("c", json!({"volumeName": "v"}));
    bound["metadata"]["annotations"] = json!({BIND_COMPLETED: "yes"});
    bound["status"] =
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
    let status = r#"c/status {"status":{"accessModes":null,"capacity":null,"phase":"Lost"}}"#;
    let gone = "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    assert_eq!(look(&Memory::of([bound.clone()]), "shop", "c"), [status, gone]);
    let other = volume(
        "v",
        json!({"claimRef": {"namespace": "shop", "name": "x", "uid": "y"}}),
    );
    let misbound = "ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly";
    assert_eq!(
        look(&Memory::of([bound.clone(), other]), "shop", "c"),
        [status, misbound]
    );
    bound["status"] = json!({"phase": "Lost"});
    assert_eq!(look(&Memory::of([bound]), "shop", "c"), [""; 0]);
}

#[test]
fn phases_of_volumes() {
    let phase = |phase: &str| format!("v/status {{\"status\":{{\"message\":null,\"phase\":\"{phase}\"}}}}");
    let reference = |uid: &str| json!({"claimRef": {"namespace": "shop", "name": "c", "uid": uid}});
    let with_policy = |policy: &str, phase: &str| {
        let mut volume = volume("v", reference("gone"));
        volume["spec"]["persistentVolumeReclaimPolicy"] = json!(policy);
        volume["status"]["phase"] = json!(phase);
        volume
    };
    let mut fresh = volume("v", json!({}));
    fresh["status"]["phase"] = json!("Pending");
    let mut elsewhere = volume("v", reference("uid-c"));
    elsewhere["metadata"]["annotations"] = json!({BOUND_BY_CONTROLLER: "yes"});
    let mut spare = with_policy("Delete", "Bound");
    spare["spec"]["claimRef"]["uid"] = json!("uid-c");
    spare["metadata"]["annotations"] = json!({PROVISIONED_BY: "x.y/z"});
    let mut in_tmp = with_policy("Delete", "Released");
    in_tmp["spec"]["hostPath"] = json!({"path": "/tmp/x"});
    let mut external = with_policy("Delete", "Released");
    external["metadata"]["annotations"] = json!({PROVISIONED_BY: "x.y/z"});
    let cases: Vec<(Value, &str, Vec<String>)> = vec![
        (fresh, "", vec![phase("Available")]),
        (volume("v", reference("")), "", vec![]),
        (volume("v", reference("uid-c")), "v", vec![phase("Bound")]),
        (volume("v", reference("uid-c")), "", vec![]),
        (
            elsewhere,
            "other",
            vec![
                r#"v/ {"metadata":{"annotations":{"pv.kubernetes.io/bound-by-controller":null}},"spec":{"claimRef":null}}"#
                    .to_owned(),
            ],
        ),
        (
            volume("v", reference("uid-c")),
            "other",
            vec![r#"v/ {"metadata":{},"spec":{"claimRef":{"uid":null}}}"#.to_owned()],
        ),
        (spare, "other", vec![phase("Released")]),
        (with_policy("Retain", "Bound"), "", vec![phase("Released")]),
        (with_policy("Retain", "Released"), "", vec![]),
        (
            with_policy("Recycle", "Released"),
            "",
            vec![
                r#"v/status {"status":{"message":"No recycler plugin found for the volume!","phase":"Failed"}}"#.to_owned(),
                "VolumeFailedRecycle: No recycler plugin found for the volume!".to_owned(),
            ],
        ),
        (
            in_tmp,
            "",
            vec![
                r#"v/status {"status":{"message":"host_path volumes are not removed by this cluster: /tmp/x is left to you","phase":"Failed"}}"#
                    .to_owned(),
                "VolumeFailedDelete: host_path volumes are not removed by this cluster: /tmp/x is left to you".to_owned(),
            ],
        ),
        (with_policy("Delete", "Failed"), "", vec![]),
        (external, "", vec![]),
    ];
    for (volume, claims_volume, expected) in cases {
        let spec = if claims_volume.is_empty() {
            json!({})
        } else {
            json!({"volumeName": claims_volume})
        };
        let memory = Memory::of([claim("c", spec), volume.clone()]);
        assert_eq!(look(&memory, "", "v"), expected, "{volume}");
    }
}

#[test]
fn what_a_volume_may_make_a_difference_for_is_woken() {
    let mut bound = claim("bound", json!({"volumeName": "x"}));
    bound["metadata"]["annotations"] = json!({BIND_COMPLETED: "yes"});
    let memory = Memory::of([claim("c", json!({})), bound]);
    let object = volume("v", json!({}));
    let change = Change {
        object: &object,
        previous: None,
        deleted: false,
    };
    let names: Vec<String> = of_volume(&memory, &change)
        .iter()
        .map(|key| key.name.to_string())
        .collect();
    assert_eq!(names, ["v", "c"]);
}
