//! Deployments: one ReplicaSet per pod template, and the way from one to the next (`pkg/controller/deployment`).
//!
//! A look works on copies ([`Work`]): it scales, annotates and judges them, and [`Work::finish`] turns what changed into
//! effects, one write per object.

mod progress;
mod rolling;
mod scale;
mod sets;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{DEPLOYMENT, POD, REPLICA_SET};
use crate::object;
use crate::pods;
use crate::selector::Selector;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "deployment-controller",
    watches: &[
        Watch {
            kind: DEPLOYMENT,
            keys: controller::itself,
        },
        Watch {
            kind: REPLICA_SET,
            keys: of_set,
        },
        Watch {
            kind: POD,
            keys: of_deleted_pod,
        },
    ],
    reconcile,
    workers: 5,
};

fn of_set(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &DEPLOYMENT)
}

/// `Recreate` waits until the last old pod is gone.
fn of_deleted_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if !change.deleted {
        return Vec::new();
    }
    let sets = controller::owner_of_kind(change, &REPLICA_SET);
    sets.iter()
        .filter_map(|key| view.get(&REPLICA_SET, &key.namespace, &key.name))
        .filter_map(|set| {
            let owner = object::controller(&set)?["name"].as_str()?.to_owned();
            let deployment = view.get(&DEPLOYMENT, object::namespace(&set), &owner)?;
            (deployment["spec"]["strategy"]["type"] == "Recreate").then(|| Key::of(&deployment))
        })
        .collect()
}

/// Copies to work on, and the events to tell.
struct Work {
    deployment: Value,
    /// The ReplicaSet of the current template.
    new: Option<Value>,
    /// All others, oldest first.
    old: Vec<Value>,
    /// Reason and message.
    events: Vec<(&'static str, &'static str, String)>,
    /// ReplicaSets to be deleted.
    doomed: Vec<Value>,
    now: Timestamp,
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let Some(deployment) = look.view.get(&DEPLOYMENT, &look.key.namespace, &look.key.name) else {
        return Outcome::nothing();
    };
    let Some(selector) = Selector::of(&deployment["spec"]["selector"]) else {
        return Outcome::nothing();
    };
    let mut outcome = Outcome::nothing();
    if selector.is_empty() {
        let text = "This deployment is selecting all pods. A non-empty selector is required.";
        outcome.event(&deployment, "Warning", "SelectingAll", text.to_owned());
        return outcome;
    }
    let candidates = look.view.list(&REPLICA_SET, Some(object::namespace(&deployment)));
    let originals = pods::claim(&DEPLOYMENT, &deployment, &selector, candidates, &mut outcome);
    let mut work = Work::of(&deployment, &originals, look.now);
    if let Some(failure) = look.failure {
        work.tell_failure(failure);
        work.finish(&deployment, &originals, &mut outcome);
        return outcome;
    }
    if object::is_deleting(&deployment) {
        work.sync_new_set(look.view, false);
        work.store_status(work.counted_status());
    } else {
        work.check_paused();
        let paused = deployment["spec"]["paused"] == true;
        if paused || work.was_scaled() {
            work.sync_new_set(look.view, false);
            work.scale();
            if paused {
                work.clean_up();
            }
            work.store_status(work.counted_status());
        } else {
            if deployment["spec"]["strategy"]["type"] == "Recreate" {
                work.recreate(look.view);
            } else {
                work.roll(look.view);
            }
            work.store_rollout_status(&mut outcome);
        }
    }
    work.finish(&deployment, &originals, &mut outcome);
    outcome
}

impl Work {
    fn of(deployment: &Value, sets: &[Arc<Value>], now: Timestamp) -> Work {
        let mut old: Vec<Value> = sets.iter().map(|set| Value::clone(set)).collect();
        old.sort_by(|a, b| {
            let key = |set: &Value| (object::created(set), object::name(set).to_owned());
            key(a).cmp(&key(b))
        });
        let template = &deployment["spec"]["template"];
        let place = old
            .iter()
            .position(|set| sets::same_template(template, &set["spec"]["template"]));
        let new = place.map(|place| old.remove(place));
        let deployment = deployment.clone();
        Work {
            deployment,
            new,
            old,
            events: Vec::new(),
            doomed: Vec::new(),
            now,
        }
    }

    fn replicas(&self) -> i64 {
        object::integer(&self.deployment, "/spec/replicas")
    }

    /// Old ReplicaSets, then the new one.
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(&self.new)
    }

    /// What changed becomes effects: ReplicaSets first, the Deployment's status last.
    fn finish(self, deployment: &Value, originals: &[Arc<Value>], outcome: &mut Outcome) {
        for set in self.all() {
            let original = originals
                .iter()
                .find(|original| object::uid(original) == object::uid(set));
            match original {
                None => outcome.push(Effect::Create {
                    kind: REPLICA_SET,
                    object: set.clone(),
                    tell: None,
                }),
                Some(original) if **original != *set => {
                    outcome.push(Effect::Update {
                        kind: REPLICA_SET,
                        object: set.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        for set in &self.doomed {
            outcome.push(Effect::Delete {
                kind: REPLICA_SET,
                namespace: object::namespace(set).to_owned(),
                name: object::name(set).to_owned(),
                uid: object::uid(set).to_owned(),
                propagation: None,
                grace_seconds: None,
                tell: None,
            });
        }
        for (r#type, reason, message) in self.events {
            outcome.event(deployment, r#type, reason, message);
        }
        if self.deployment != *deployment {
            outcome.push(Effect::UpdateStatus {
                kind: DEPLOYMENT,
                object: self.deployment,
            });
        }
    }

    fn condition(&self, r#type: &str) -> Option<&Value> {
        object::condition(&self.deployment, r#type)
    }

    /// Sets a condition of the Deployment as it will be written.
    fn set_condition(&mut self, r#type: &str, status: &str, reason: &str, message: String) {
        let condition = self.new_condition(r#type, status, reason, message);
        let mut conditions = crate::condition::list(&self.deployment);
        put(&mut conditions, condition);
        self.deployment["status"]["conditions"] = Value::Array(conditions);
    }

    fn new_condition(&self, r#type: &str, status: &str, reason: &str, message: String) -> Value {
        let now = object::shown(self.now);
        json!({
            "type": r#type, "status": status, "lastUpdateTime": now, "lastTransitionTime": now,
            "reason": reason, "message": message,
        })
    }
}

/// Replaces the condition of the same type, unless status and reason are the same; the time of transition stays where the
/// status does (`SetDeploymentCondition`).
fn put(conditions: &mut Vec<Value>, mut condition: Value) {
    let known = conditions
        .iter()
        .position(|known| known["type"] == condition["type"]);
    if let Some(place) = known {
        let known = &conditions[place];
        if known["status"] == condition["status"] {
            if known["reason"] == condition["reason"] {
                return;
            }
            condition["lastTransitionTime"] = known["lastTransitionTime"].clone();
        }
        conditions.remove(place);
    }
    conditions.push(condition);
}

#[cfg(test)]
mod tests;
