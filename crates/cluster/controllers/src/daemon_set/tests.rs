use super::*;
use crate::view::memory::Memory;

fn set(strategy: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "log", "namespace": "shop", "uid": "ds", "generation": 1},
        "spec": {
            "revisionHistoryLimit": 10, "updateStrategy": strategy,
            "selector": {"matchLabels": {"app": "log"}},
            "template": {
                "metadata": {"labels": {"app": "log"}},
                "spec": {"nodeSelector": {"os": "linux"}, "containers": [{"image": "1"}]},
            },
        },
    })
}

fn node(name: &str, os: &str, taints: &Value) -> Value {
    json!({"kind": "Node", "metadata": {"name": name, "labels": {"os": os}}, "spec": {"taints": taints}})
}

fn rolling(unavailable: &Value, surge: &Value) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}})
}

struct World {
    memory: Memory,
    made: u32,
    log: Vec<String>,
}

impl World {
    fn of(strategy: &Value, nodes: impl IntoIterator<Item = Value>) -> World {
        let mut memory = Memory::of(nodes);
        memory.put(set(strategy));
        World {
            memory,
            made: 0,
            log: Vec::new(),
        }
    }

    fn look(&mut self) -> bool {
        let key = Key {
            namespace: "shop".into(),
            name: "log".into(),
        };
        let outcome = reconcile(&Look {
            view: &self.memory,
            key: &key,
            now: "2026-01-01T01:00:00Z".parse().expect("a time"),
            failure: None,
        });
        let busy = !outcome.effects.is_empty();
        for effect in outcome.effects {
            match effect {
                Effect::Create { kind, object, .. } if kind == POD => self.run(object),
                Effect::Create { object, .. }
                | Effect::Update { object, .. }
                | Effect::UpdateStatus { object, .. } => self.memory.put(object),
                Effect::Delete { kind, name, .. } => {
                    self.log.push(format!("-{name}"));
                    self.memory.remove(&kind.kind, "shop", &name);
                }
                Effect::Event { .. } => {}
                other => panic!("not expected: {other:?}"),
            }
        }
        busy
    }

    /// The scheduler and the kubelet: the pod is on its node and ready.
    fn run(&mut self, mut pod: Value) {
        let node = placement::node_of(&pod)
            .expect("it is meant for a node")
            .to_owned();
        self.made += 1;
        let name = format!("{node}-{}", self.made);
        self.log.push(format!("+{name}"));
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["uid"] = json!(name);
        pod["spec"]["nodeName"] = json!(node);
        let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        pod["status"] = json!({"phase": "Running", "conditions": [ready]});
        self.memory.put(pod);
    }

    fn settle(&mut self) -> Vec<String> {
        let mut looks = 0;
        while self.look() {
            looks += 1;
            assert!(looks < 50, "it never settles: {:?}", self.log);
        }
        std::mem::take(&mut self.log)
    }

    fn change(&mut self, image: &str) {
        let mut set = Value::clone(&self.memory.get(&DAEMON_SET, "shop", "log").expect("it is there"));
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        self.memory.put(set);
    }

    fn status(&self) -> Value {
        self.memory.get(&DAEMON_SET, "shop", "log").expect("it is there")["status"].clone()
    }
}

fn three() -> Vec<Value> {
    ["a", "b", "c"].map(|name| node(name, "linux", &json!([]))).into()
}

#[test]
fn nodes_that_fit_have_one_pod() {
    let cordoned = json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]);
    let kept = json!([{"key": "own", "effect": "NoSchedule"}]);
    let nodes = [
        node("a", "linux", &cordoned),
        node("b", "linux", &kept),
        node("c", "other", &json!([])),
    ];
    let mut world = World::of(&rolling(&json!(1), &json!(0)), nodes);
    assert_eq!(world.settle(), ["+a-1"]);
    world.memory.put(node("b", "linux", &json!([])));
    assert_eq!(world.settle(), ["+b-2"]);
    world.memory.put(node("b", "linux", &kept));
    assert_eq!(world.settle(), Vec::<String>::new(), "who is there may stay");
    assert_eq!(world.status()["numberMisscheduled"], 1);
    world.memory.put(node("a", "other", &json!([])));
    assert_eq!(world.settle(), ["-a-1"]);
}

#[test]
fn old_pods_go_one_after_the_other() {
    let mut world = World::of(&rolling(&json!(1), &json!(0)), three());
    world.settle();
    world.change("2");
    assert_eq!(world.settle(), ["-a-1", "+a-4", "-b-2", "+b-5", "-c-3", "+c-6"]);
    let expected = json!({
        "observedGeneration": 1, "currentNumberScheduled": 3, "desiredNumberScheduled": 3,
        "numberMisscheduled": 0, "numberReady": 3, "numberAvailable": 3, "updatedNumberScheduled": 3,
    });
    assert_eq!(world.status(), expected);
}

#[test]
fn with_surge_new_pods_come_first() {
    let mut world = World::of(&rolling(&json!(0), &json!("50%")), three());
    world.settle();
    world.change("2");
    assert_eq!(world.settle(), ["+a-4", "+b-5", "-a-1", "-b-2", "+c-6", "-c-3"]);
}

#[test]
fn on_delete_old_pods_stay() {
    let mut world = World::of(&json!({"type": "OnDelete"}), three());
    world.settle();
    world.change("2");
    assert_eq!(world.settle(), Vec::<String>::new());
    world.memory.remove("Pod", "shop", "b-2");
    assert_eq!(world.settle(), ["+b-4"]);
    assert_eq!(world.status()["updatedNumberScheduled"], 1);
}

#[test]
fn pods_that_have_ended_are_replaced() {
    let mut world = World::of(&rolling(&json!(1), &json!(0)), three());
    world.settle();
    let mut pod = Value::clone(&world.memory.get(&POD, "shop", "a-1").expect("it is there"));
    pod["status"]["phase"] = json!("Failed");
    world.memory.put(pod);
    assert_eq!(world.settle(), ["-a-1", "+a-4"]);
}
