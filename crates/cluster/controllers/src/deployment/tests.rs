//! A whole rollout, look by look: the test plays API server, ReplicaSet controller and kubelet.

use super::*;
use crate::view::memory::Memory;

const START: &str = "2026-01-01T00:00:00Z";

/// A cluster with one Deployment, whose controller is asked until it has nothing more to do.
struct World {
    memory: Memory,
    now: Timestamp,
    uids: u32,
    events: Vec<String>,
}

impl World {
    fn new(replicas: i64, strategy: Value) -> World {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
            "spec": {
                "replicas": replicas, "strategy": strategy, "revisionHistoryLimit": 1, "progressDeadlineSeconds": 600,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "a"}]}},
            },
        });
        let now = START.parse().expect("a time");
        World {
            memory: Memory::of([deployment]),
            now,
            uids: 0,
            events: Vec::new(),
        }
    }

    fn deployment(&self) -> Value {
        Value::clone(&self.memory.get(&DEPLOYMENT, "shop", "web").expect("it is there"))
    }

    fn change(&mut self, pointer: &str, value: Value) {
        let mut deployment = self.deployment();
        *deployment.pointer_mut(pointer).expect("the field is there") = value;
        deployment["metadata"]["generation"] = json!(object::generation(&deployment) + 1);
        self.memory.put(deployment);
    }

    fn sets(&self) -> Vec<Value> {
        let mut sets: Vec<Value> = self
            .memory
            .list(&REPLICA_SET, None)
            .iter()
            .map(|set| Value::clone(set))
            .collect();
        sets.sort_by_key(sets::revision);
        sets
    }

    fn sizes(&self) -> Vec<i64> {
        self.sets().iter().map(rolling::replicas).collect()
    }

    /// Asks until nothing is left to be done; how long to wait then.
    fn settle(&mut self) -> Option<std::time::Duration> {
        for _ in 0..20 {
            let key = Key {
                namespace: "shop".into(),
                name: "web".into(),
            };
            let look = Look {
                view: &self.memory,
                key: &key,
                now: self.now,
                failure: None,
            };
            let outcome = reconcile(&look);
            if outcome.effects.is_empty() {
                return outcome.again_after;
            }
            for effect in outcome.effects {
                self.carry_out(effect);
            }
        }
        panic!("the controller never rests");
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Create { mut object, .. } => {
                self.uids += 1;
                object["metadata"]["uid"] = json!(format!("rs{}", self.uids));
                object["metadata"]["generation"] = json!(1);
                object["metadata"]["creationTimestamp"] =
                    json!(format!("2026-01-01T00:00:{:02}Z", self.uids));
                self.memory.put(object);
            }
            Effect::Update { object, .. } | Effect::UpdateStatus { object, .. } => self.memory.put(object),
            Effect::Event { reason, message, .. } => self.events.push(format!("{reason}: {message}")),
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// Every ReplicaSet has as many pods as it wants, and `healthy` tells of which they become available.
    fn run_pods(&mut self, healthy: impl Fn(&Value) -> bool) {
        for mut set in self.sets() {
            let size = rolling::replicas(&set);
            let up = if healthy(&set) { size } else { 0 };
            set["status"] = json!({
                "replicas": size, "readyReplicas": up, "availableReplicas": up,
                "observedGeneration": object::generation(&set),
            });
            self.memory.put(set);
        }
    }

    fn reason(&self) -> String {
        let deployment = self.deployment();
        object::condition(&deployment, "Progressing").expect("a condition")["reason"]
            .as_str()
            .expect("a text")
            .to_owned()
    }
}

fn rolling_update(surge: &str, unavailable: &str) -> Value {
    let number = |text: &str| text.parse::<i64>().map_or(json!(text), |number| json!(number));
    json!({
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": number(surge), "maxUnavailable": number(unavailable)},
    })
}

#[test]
fn a_first_release_makes_one_set() {
    let mut world = World::new(3, rolling_update("25%", "25%"));
    world.settle();
    assert_eq!(world.sizes(), [3]);
    assert_eq!(world.reason(), "NewReplicaSetCreated");
    world.run_pods(|_| true);
    world.settle();
    assert_eq!(world.reason(), "NewReplicaSetAvailable");
    let deployment = world.deployment();
    assert_eq!(object::annotation(&deployment, sets::REVISION), Some("1"));
    assert_eq!(deployment["status"]["availableReplicas"], 3);
    assert!(
        deployment["status"].get("unavailableReplicas").is_none(),
        "zero is not written"
    );
}

#[test]
fn a_rollout_never_has_too_few_or_too_many() {
    let mut world = World::new(10, rolling_update("25%", "25%"));
    world.settle();
    world.run_pods(|_| true);
    world.settle();
    world.change("/spec/template/spec/containers/0/image", json!("b"));
    for _ in 0..10 {
        world.settle();
        let total: i64 = world.sizes().iter().sum();
        assert!(total <= 13, "at most 10 and a surge of 3: {:?}", world.sizes());
        let available: i64 = world
            .sets()
            .iter()
            .map(|set| rolling::available(set).min(rolling::replicas(set)))
            .sum();
        assert!(available >= 8, "at least 10 less 2: {:?}", world.sizes());
        world.run_pods(|_| true);
    }
    world.settle();
    assert_eq!(world.sizes(), [0, 10]);
    assert_eq!(world.reason(), "NewReplicaSetAvailable");
    assert_eq!(object::annotation(&world.deployment(), sets::REVISION), Some("2"));
}

#[test]
fn going_back_takes_the_old_set_again() {
    let mut world = World::new(2, rolling_update("100%", "0"));
    for image in ["a", "b", "a"] {
        world.change("/spec/template/spec/containers/0/image", json!(image));
        for _ in 0..4 {
            world.settle();
            world.run_pods(|_| true);
        }
    }
    world.settle();
    let sets = world.sets();
    assert_eq!(world.sizes(), [0, 2]);
    assert_eq!(object::annotation(&sets[1], sets::REVISION), Some("3"));
    assert_eq!(
        object::annotation(&sets[1], "deployment.kubernetes.io/revision-history"),
        Some("1")
    );
}

#[test]
fn a_stuck_rollout_is_told_after_its_deadline() {
    let mut world = World::new(2, rolling_update("1", "0"));
    world.settle();
    world.run_pods(|_| false);
    world.settle();
    world.now = "2026-01-01T00:05:00Z".parse().expect("a time");
    let wait = world.settle().expect("the deadline is waited for");
    assert!((300..=601).contains(&wait.as_secs()), "{wait:?}");
    world.now = "2026-01-01T00:11:00Z".parse().expect("a time");
    world.settle();
    assert_eq!(world.reason(), "ProgressDeadlineExceeded");
}

#[test]
fn scaling_in_the_midst_of_a_rollout_is_proportional() {
    let mut world = World::new(10, rolling_update("3", "2"));
    world.settle();
    world.run_pods(|_| true);
    world.settle();
    world.change("/spec/template/spec/containers/0/image", json!("bad"));
    world.settle();
    let bad = |set: &Value| set["spec"]["template"]["spec"]["containers"][0]["image"] == "bad";
    world.run_pods(|set| !bad(set));
    world.settle();
    assert_eq!(world.sizes(), [8, 5]);
    world.change("/spec/replicas", json!(15));
    world.settle();
    assert_eq!(world.sizes(), [11, 7], "18 pods in all, as 8 to 5");
}

#[test]
fn recreate_waits_for_the_old_pods() {
    let mut world = World::new(2, json!({"type": "Recreate"}));
    world.settle();
    world.run_pods(|_| true);
    world.settle();
    world.change("/spec/template/spec/containers/0/image", json!("b"));
    world.settle();
    assert_eq!(world.sizes(), [0], "the old pods are still there");
    world.run_pods(|_| true);
    world.settle();
    assert_eq!(world.sizes(), [0, 2]);
}

#[test]
fn a_paused_deployment_scales_and_does_not_roll() {
    let mut world = World::new(2, rolling_update("1", "1"));
    world.settle();
    world.run_pods(|_| true);
    world.settle();
    let mut deployment = world.deployment();
    deployment["spec"]["paused"] = json!(true);
    world.memory.put(deployment);
    world.change("/spec/template/spec/containers/0/image", json!("b"));
    world.change("/spec/replicas", json!(4));
    world.settle();
    assert_eq!(world.sizes(), [4]);
    assert_eq!(world.reason(), "DeploymentPaused");
}
