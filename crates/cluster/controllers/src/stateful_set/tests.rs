use super::*;
use crate::view::memory::Memory;

fn set(spec: &Value) -> Value {
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "uid": "ss", "generation": 1},
        "spec": {
            "replicas": 3, "serviceName": "db", "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"image": "1"}]}},
        },
    });
    for (name, value) in spec.as_object().into_iter().flatten() {
        set["spec"][name] = value.clone();
    }
    set
}

/// A cluster with a kubelet that makes every pod ready, and lets deleted ones go.
struct World {
    memory: Memory,
    /// What was made and deleted, in order: `+db-0`, `-db-1`.
    log: Vec<String>,
    kubelet: bool,
    uids: u32,
}

impl World {
    fn of(set: Value) -> World {
        World {
            memory: Memory::of([set]),
            log: Vec::new(),
            kubelet: true,
            uids: 0,
        }
    }

    fn set(&self) -> Value {
        Value::clone(
            &self
                .memory
                .get(&STATEFUL_SET, "shop", "db")
                .expect("the set is there"),
        )
    }

    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut set = self.set();
        change(&mut set);
        let generation = object::generation(&set) + 1;
        set["metadata"]["generation"] = json!(generation);
        self.memory.put(set);
    }

    /// One look; false: nothing was to be done.
    fn look(&mut self) -> bool {
        let key = Key {
            namespace: "shop".into(),
            name: "db".into(),
        };
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        let outcome = reconcile(&Look {
            view: &self.memory,
            key: &key,
            now,
            failure: None,
        });
        let busy = !outcome.effects.is_empty();
        for effect in outcome.effects {
            self.apply(effect);
        }
        busy
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Create { kind, mut object, .. } => {
                self.log.push(format!("+{}", object::name(&object)));
                self.uids += 1;
                object["metadata"]["uid"] = json!(self.uids.to_string());
                if kind == POD {
                    let status = if self.kubelet { "True" } else { "False" };
                    let ready = json!({"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"});
                    object["status"] = json!({"phase": "Running", "conditions": [ready]});
                }
                self.memory.put(object);
            }
            Effect::Delete { kind, name, .. } => {
                self.log.push(format!("-{name}"));
                self.memory.remove(&kind.kind, "shop", &name);
            }
            Effect::Update { object, .. } | Effect::UpdateStatus { object, .. } => self.memory.put(object),
            Effect::Event { .. } => {}
            other => panic!("not expected: {other:?}"),
        }
    }

    /// Looks until nothing is to be done; what happened to pods and claims.
    fn settle(&mut self) -> Vec<String> {
        let mut looks = 0;
        while self.look() {
            looks += 1;
            assert!(looks < 50, "it never settles: {:?}", self.log);
        }
        let mut log = std::mem::take(&mut self.log);
        log.retain(|entry| entry.ends_with(|c: char| c.is_ascii_digit()) && entry.len() < 14);
        log
    }

    fn images(&self) -> Vec<String> {
        let pods = self.memory.list(&POD, Some("shop"));
        pods.iter()
            .map(|pod| {
                pod["spec"]["containers"][0]["image"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }
}

#[test]
fn pods_come_and_go_in_order() {
    let mut world = World::of(set(&json!({"ordinals": {"start": 2}})));
    assert_eq!(world.settle(), ["+db-2", "+db-3", "+db-4"]);
    world.change(|set| set["spec"]["replicas"] = json!(1));
    assert_eq!(world.settle(), ["-db-4", "-db-3"]);
    let status = &world.set()["status"];
    assert_eq!(status["replicas"], 1);
    assert_eq!(status["currentRevision"], status["updateRevision"]);
}

#[test]
fn in_order_the_next_waits_for_the_last() {
    let mut world = World::of(set(&json!({})));
    world.kubelet = false;
    assert_eq!(world.settle(), ["+db-0"]);
    let mut world = World::of(set(&json!({"podManagementPolicy": "Parallel"})));
    world.kubelet = false;
    assert_eq!(world.settle(), ["+db-0", "+db-1", "+db-2"]);
}

#[test]
fn an_update_goes_from_the_highest_to_the_partition() {
    let mut world = World::of(set(&json!({})));
    world.settle();
    world.change(|set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("2");
        set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(1);
    });
    assert_eq!(world.settle(), ["-db-2", "+db-2", "-db-1", "+db-1"]);
    assert_eq!(world.images(), ["1", "2", "2"]);
    let status = world.set()["status"].clone();
    assert_eq!(
        (&status["currentReplicas"], &status["updatedReplicas"]),
        (&json!(1), &json!(2))
    );
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    world.change(|set| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0));
    assert_eq!(world.settle(), ["-db-0", "+db-0"]);
    let status = world.set()["status"].clone();
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_eq!(status["currentReplicas"], 3);
}

#[test]
fn on_delete_nothing_is_updated_until_it_is_deleted() {
    let mut world = World::of(set(&json!({"updateStrategy": {"type": "OnDelete"}})));
    world.settle();
    world.change(|set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("2"));
    assert_eq!(world.settle(), Vec::<String>::new());
    world.memory.remove("Pod", "shop", "db-1");
    assert_eq!(world.settle(), ["+db-1"]);
    assert_eq!(world.images(), ["1", "2", "1"]);
}

#[test]
fn claims_are_made_before_pods_and_owned_by_policy() {
    let claim = json!({"metadata": {"name": "data"}, "spec": {}});
    let policy = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    let spec = json!({"replicas": 2, "volumeClaimTemplates": [claim], "persistentVolumeClaimRetentionPolicy": policy});
    let mut world = World::of(set(&spec));
    assert_eq!(world.settle(), ["+data-db-0", "+db-0", "+data-db-1", "+db-1"]);
    let owner = |world: &World| {
        let claim = world.memory.get(&PERSISTENT_VOLUME_CLAIM, "shop", "data-db-1");
        claim.expect("it is there")["metadata"]["ownerReferences"][0]["kind"].clone()
    };
    assert_eq!(owner(&world), "StatefulSet");
    let pod = world.memory.get(&POD, "shop", "db-1").expect("it is there");
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}])
    );
    assert_eq!(pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "1");
    world.change(|set| set["spec"]["replicas"] = json!(1));
    assert_eq!(world.settle(), ["-db-1"]);
    assert_eq!(owner(&world), "Pod");
    world.change(|set| set["spec"]["replicas"] = json!(2));
    assert_eq!(
        world.settle(),
        Vec::<String>::new(),
        "the claim goes with the pod before"
    );
    world.memory.remove("PersistentVolumeClaim", "shop", "data-db-1");
    assert_eq!(world.settle(), ["+data-db-1", "+db-1"]);
}

#[test]
fn a_pod_that_has_ended_is_replaced() {
    let mut world = World::of(set(&json!({"replicas": 1})));
    world.settle();
    let mut pod = Value::clone(&world.memory.get(&POD, "shop", "db-0").expect("it is there"));
    pod["status"]["phase"] = json!("Succeeded");
    world.memory.put(pod);
    assert_eq!(world.settle(), ["-db-0", "+db-0"]);
}

#[test]
fn numbers_are_read_from_names() {
    let set = json!({"metadata": {"name": "db"}});
    let ordinal = |name: &str| identity::ordinal(&set, &json!({"metadata": {"name": name}}));
    assert_eq!(ordinal("db-12"), Some(12));
    for other in ["db", "db-", "db-x", "db-1-1", "web-1", "db-99999999999"] {
        assert_eq!(ordinal(other), None, "{other}");
    }
}
