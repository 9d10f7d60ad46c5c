//! A cluster in memory that takes a sync's effects, and a clock that moves only when nothing else can.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use deploy_sync::machine::Failure;
use deploy_sync::plan::{Dry, Plan, Policy, World, plan};
use deploy_sync::{Effect, Input, Key, Outcome, Sync};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What becomes of objects with this name.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is refused for good.
    Refused,
    /// It is refused this many times, then it works.
    Later(u32),
    /// It is written and never gets well.
    Sick,
    /// It is written and fails.
    Fails,
}

#[derive(Default)]
pub struct Cluster {
    pub live: BTreeMap<Key, Value>,
    pub fates: BTreeMap<String, Fate>,
    /// Every write, in order: `apply Deployment.apps prod/shop`.
    pub log: Vec<String>,
    /// The time between a write and the health that it brings.
    pub now: Timestamp,
    made: u64,
}

pub const DEADLINE: SignedDuration = SignedDuration::from_secs(600);

impl Cluster {
    /// The plan that these objects make here; the inventory is what is there.
    pub fn plan(&self, desired: &[Value], policy: &Policy) -> Plan {
        let keys: BTreeSet<Key> = desired.iter().map(Key::of).collect();
        let inventory = self
            .live
            .iter()
            .map(|(key, live)| {
                (
                    key.clone(),
                    live["metadata"]["uid"].as_str().expect("it has one").to_owned(),
                )
            })
            .collect();
        let dry = desired
            .iter()
            .map(|object| (Key::of(object), self.dry(object)))
            .collect();
        plan(&World {
            desired,
            again: Some(&keys),
            live: &self.live,
            dry: &dry,
            inventory: &inventory,
            others: &BTreeMap::new(),
            policy,
        })
    }

    fn dry(&self, object: &Value) -> Dry {
        let Some(live) = self.live.get(&Key::of(object)) else {
            return Dry::Would(object.clone());
        };
        let mut would = live.clone();
        would["spec"] = object["spec"].clone();
        Dry::Would(would)
    }

    /// Carries a plan out to its end.
    pub fn sync(&mut self, plan: Plan) -> Outcome {
        let (mut sync, effects) = Sync::start(self.now, plan, self.now + DEADLINE);
        let mut queue = VecDeque::from(effects);
        let mut wake = None;
        for _ in 0..100_000 {
            let inputs = match queue.pop_front() {
                Some(Effect::Finish(outcome)) => {
                    assert!(queue.is_empty(), "nothing follows the end: {queue:?}");
                    return outcome;
                }
                Some(Effect::Wake(at)) => {
                    wake = Some(at);
                    continue;
                }
                Some(effect) => self.carry_out(effect),
                None => {
                    self.now = wake.take().expect("it waits for something").max(self.now);
                    vec![Input::Tick]
                }
            };
            for input in inputs {
                queue.extend(sync.step(self.now, input));
            }
        }
        panic!("it does not end: {:?}", sync.waiting());
    }

    fn carry_out(&mut self, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Apply(key, object) => self.apply(key, object),
            Effect::Delete(key, uid) => {
                self.log.push(format!("delete {key}"));
                let is_it = |live: &Value| uid.as_ref().is_none_or(|uid| live["metadata"]["uid"] == **uid);
                if self.live.get(&key).is_some_and(is_it) {
                    self.live.remove(&key);
                    return vec![Input::Deleting(key.clone()), Input::Seen(key, None)];
                }
                vec![Input::Gone(key)]
            }
            Effect::Wake(_) | Effect::Finish(_) => unreachable!("the loop has them"),
        }
    }

    fn apply(&mut self, key: Key, object: Value) -> Vec<Input> {
        let failed = |key: Key, is_passing: bool| {
            let failure = Failure {
                message: "no".to_owned(),
                is_passing,
            };
            vec![Input::Failed(key, failure)]
        };
        let fate = self.fates.get_mut(&key.name);
        match fate {
            Some(Fate::Refused) => return failed(key, false),
            Some(Fate::Later(times)) if *times > 0 => {
                *times -= 1;
                self.log.push(format!("refuse {key}"));
                return failed(key, true);
            }
            _ => {}
        }
        let end = fate.cloned();
        self.log.push(format!("apply {key}"));
        self.made += 1;
        let mut live = object;
        let before = self.live.get(&key).map(|live| live["metadata"]["uid"].clone());
        live["metadata"]["uid"] = before.unwrap_or_else(|| json!(format!("uid-{}", self.made)));
        live["metadata"]["generation"] = json!(1);
        let first = live.clone();
        live["status"] = status(&key, end.as_ref());
        self.live.insert(key.clone(), live.clone());
        vec![Input::Applied(key.clone(), first), Input::Seen(key, Some(live))]
    }
}

/// The status that a controller would bring about.
fn status(key: &Key, fate: Option<&Fate>) -> Value {
    let is_well = !matches!(fate, Some(Fate::Sick | Fate::Fails));
    match key.kind.as_str() {
        "Deployment" if is_well => {
            json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1})
        }
        "Deployment" => {
            let reason = match fate {
                Some(Fate::Fails) => "ProgressDeadlineExceeded",
                _ => "ReplicaSetUpdated",
            };
            json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
                "conditions": [{"type": "Progressing", "status": "False", "reason": reason}]})
        }
        "Job" => {
            let end = match fate {
                Some(Fate::Sick) => return json!({"active": 1}),
                Some(Fate::Fails) => "Failed",
                _ => "Complete",
            };
            json!({"conditions": [{"type": end, "status": "True", "reason": "BackoffLimitExceeded", "message": "it has failed"}]})
        }
        _ => json!({}),
    }
}

/// An object of a kind with a name, in wave 0.
pub fn object(version: &str, kind: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "annotations": {}}, "spec": {"replicas": 1}});
    if kind != "Namespace" {
        object["metadata"]["namespace"] = json!("prod-us");
    }
    object
}

pub fn deployment(name: &str) -> Value {
    object("apps/v1", "Deployment", name)
}

/// A Job that is a hook of a phase.
pub fn hook(name: &str, phase: &str) -> Value {
    let mut job = object("batch/v1", "Job", name);
    job["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!(phase);
    job
}

pub fn in_wave(mut object: Value, wave: i64) -> Value {
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!(wave.to_string());
    object
}
