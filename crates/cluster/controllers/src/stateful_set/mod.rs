//! StatefulSets: numbered pods that keep their names and claims, one after the other or all at once
//! (`pkg/controller/statefulset`).

mod claims;
mod identity;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::claims::Held;
use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome, Tell};
use crate::history::{self, History};
use crate::kind::{CONTROLLER_REVISION, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET};
use crate::object;
use crate::pods;
use crate::selector::Selector;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "statefulset-controller",
    watches: &[
        Watch {
            kind: STATEFUL_SET,
            keys: controller::itself,
        },
        Watch {
            kind: POD,
            keys: of_pod,
        },
        Watch {
            kind: CONTROLLER_REVISION,
            keys: of_revision,
        },
        Watch {
            kind: PERSISTENT_VOLUME_CLAIM,
            keys: of_claim,
        },
    ],
    reconcile,
    workers: 5,
};

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &STATEFUL_SET)
}

fn of_revision(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    controller::owner_of_kind(change, &STATEFUL_SET)
}

/// A pod may wait until a claim of its name is gone.
fn of_claim(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    if !change.deleted {
        return Vec::new();
    }
    let sets = view.list(&STATEFUL_SET, Some(object::namespace(change.object)));
    sets.iter()
        .filter(|set| {
            identity::claim_templates(set).any(|template| {
                let prefix = format!("{}-{}-", object::name(template), object::name(set));
                object::name(change.object).starts_with(&prefix)
            })
        })
        .map(|set| Key::of(set))
        .collect()
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(set) = look.view.get(&STATEFUL_SET, &look.key.namespace, &look.key.name) else {
        return outcome;
    };
    let Some(selector) = Selector::of(&set["spec"]["selector"]) else {
        return outcome;
    };
    let history = history::of(look.view, &STATEFUL_SET, &set, &mut outcome);
    let mut candidates = look.view.list(&POD, Some(object::namespace(&set)));
    candidates.retain(|pod| identity::ordinal(&set, pod).is_some());
    let pods = pods::claim(&STATEFUL_SET, &set, &selector, candidates, &mut outcome);
    let work = Work::of(look, &set, &history, &pods, outcome);
    work.run(look.failure.is_none())
}

/// What is to be done about one pod: go on with the next, or stop here.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Next,
    Stop,
}

/// One look at a StatefulSet.
struct Work<'a> {
    view: &'a dyn View,
    set: &'a Arc<Value>,
    history: &'a History,
    /// The revision that pods had before the update.
    current: Arc<Value>,
    /// By ordinal, from the first; those that are missing are to be made.
    replicas: Vec<Option<Arc<Value>>>,
    /// Beyond the ordinals, the highest first.
    condemned: Vec<Arc<Value>>,
    first: i64,
    /// One pod after the other.
    ordered: bool,
    /// Pods of the current revision that go for the update.
    leaving: i64,
    now: Timestamp,
    outcome: Outcome,
}

impl<'a> Work<'a> {
    fn of(
        look: &Look<'a>,
        set: &'a Arc<Value>,
        history: &'a History,
        pods: &[Arc<Value>],
        outcome: Outcome,
    ) -> Work<'a> {
        let first = object::integer(set, "/spec/ordinals/start");
        let size = usize::try_from(object::integer(set, "/spec/replicas")).unwrap_or_default();
        let current = set["status"]["currentRevision"].as_str().unwrap_or_default();
        let current = history.named(current).unwrap_or(&history.update).clone();
        let mut replicas = vec![None; size];
        let mut condemned = Vec::new();
        for pod in pods {
            let ordinal = identity::ordinal(set, pod).unwrap_or_default();
            let place = usize::try_from(ordinal - first).ok();
            match place.and_then(|place| replicas.get_mut(place)) {
                Some(slot) => *slot = Some(pod.clone()),
                None => condemned.push(pod.clone()),
            }
        }
        condemned.sort_by_key(|pod| std::cmp::Reverse(identity::ordinal(set, pod)));
        Work {
            view: look.view,
            set,
            history,
            current,
            replicas,
            condemned,
            first,
            ordered: set["spec"]["podManagementPolicy"] != "Parallel",
            leaving: 0,
            now: look.now,
            outcome,
        }
    }

    fn run(mut self, act: bool) -> Outcome {
        if act && !object::is_deleting(self.set) {
            self.act();
        }
        self.report();
        let names: Vec<String> = self
            .pods()
            .map(|pod| identity::revision(pod).to_owned())
            .collect();
        let mut in_use: Vec<&str> = names.iter().map(String::as_str).collect();
        in_use.extend([object::name(&self.current), object::name(&self.history.update)]);
        self.history.truncate(self.set, &in_use, &mut self.outcome);
        self.outcome
    }

    /// Numbers that are missing first, then those that are too many, then those of another revision.
    fn act(&mut self) {
        let mut claims_first = Vec::new();
        let mut pods_then = Vec::new();
        for place in 0..self.replicas.len() {
            let step = self.replica(place, &mut claims_first, &mut pods_then);
            if step == Step::Stop && self.ordered {
                break;
            }
        }
        let busy = !pods_then.is_empty();
        self.outcome.effects.append(&mut claims_first);
        self.outcome.effects.append(&mut pods_then);
        if self.ordered && (busy || !self.all_are_well()) {
            return;
        }
        if self.remove_condemned() == Step::Next {
            self.update();
        }
    }

    /// Nobody in the range needs anything: in order, only then something may go.
    fn all_are_well(&self) -> bool {
        self.replicas
            .iter()
            .all(|pod| pod.as_ref().is_some_and(|pod| !self.is_unavailable(pod)))
    }

    fn replica(&mut self, place: usize, claims: &mut Vec<Effect>, made: &mut Vec<Effect>) -> Step {
        let ordinal = self.first + i64::try_from(place).unwrap_or_default();
        let Some(pod) = self.replicas[place].clone() else {
            return self.make(ordinal, claims, made);
        };
        if matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded")) {
            if !object::is_deleting(&pod) {
                made.push(self.delete(&pod));
            }
            return Step::Stop;
        }
        if pod["status"]["phase"] == "Pending"
            && let Ok(missing) = claims::missing(self.view, self.set, ordinal)
        {
            claims.extend(missing);
        }
        claims.extend(claims::to_own(self.view, self.set, &pod, ordinal, true));
        if self.is_unavailable(&pod) && self.ordered {
            return Step::Stop;
        }
        if !identity::is_identified(&pod) {
            let mut changed = Value::clone(&pod);
            identity::identify(&mut changed, ordinal);
            made.push(Effect::Update {
                kind: POD,
                object: changed,
            });
        }
        Step::Next
    }

    fn make(&mut self, ordinal: i64, claims: &mut Vec<Effect>, made: &mut Vec<Effect>) -> Step {
        let pod = self.new_pod(ordinal);
        let held = if claims::is_stale(self.view, self.set, &pod, ordinal) {
            Err(Held::Stale)
        } else {
            claims::missing(self.view, self.set, ordinal)
        };
        match held {
            Ok(missing) => {
                claims.extend(missing);
                made.push(Effect::Create {
                    kind: POD,
                    tell: Some(self.tell("create", "SuccessfulCreate", "FailedCreate", object::name(&pod))),
                    object: pod,
                });
            }
            Err(Held::Stale) => {}
            Err(Held::Deleting(claim)) => {
                let (pod, set) = (object::name(&pod), object::name(self.set));
                let text = format!(
                    "create Pod {pod} in StatefulSet {set} failed error: pvc {claim} is being deleted"
                );
                self.outcome.event(self.set, "Warning", "FailedCreate", text);
            }
        }
        Step::Stop
    }

    /// Of the current revision where the update has not come to this number yet.
    fn new_pod(&self, ordinal: i64) -> Value {
        let strategy = &self.set["spec"]["updateStrategy"];
        let kept = match strategy["rollingUpdate"].as_object() {
            Some(rolling) => rolling
                .get("partition")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            None if strategy["type"] == "RollingUpdate" => {
                object::integer(self.set, "/status/currentReplicas")
            }
            None => 0,
        };
        let revision = if ordinal < self.first + kept {
            &self.current
        } else {
            &self.history.update
        };
        let template = history::template_of(revision);
        identity::new_pod(self.set, &template, object::name(revision), ordinal)
    }

    fn remove_condemned(&mut self) -> Step {
        let unwell = self
            .condemned
            .iter()
            .rev()
            .find(|pod| self.is_unavailable(pod))
            .map(|pod| object::uid(pod).to_owned());
        let mut step = Step::Next;
        for pod in self.condemned.clone() {
            let ordinal = identity::ordinal(self.set, &pod).unwrap_or_default();
            let owned = claims::to_own(self.view, self.set, &pod, ordinal, false);
            self.outcome.effects.extend(owned);
        }
        for pod in self.condemned.clone() {
            if object::is_deleting(&pod) {
                if self.ordered {
                    return Step::Stop;
                }
                continue;
            }
            let is_first_unwell = unwell.as_deref() == Some(object::uid(&pod));
            if self.ordered && self.is_unavailable(&pod) && !is_first_unwell {
                return Step::Stop;
            }
            let effect = self.delete(&pod);
            self.outcome.push(effect);
            step = Step::Stop;
            if self.ordered {
                return step;
            }
        }
        // All at once, the update does not wait for those that go.
        if self.ordered { step } else { Step::Next }
    }

    /// The highest pod of another revision goes, where all above it are available.
    fn update(&mut self) {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return;
        }
        let partition = object::integer(strategy, "/rollingUpdate/partition");
        let partition = usize::try_from(partition).unwrap_or_default();
        for place in (partition..self.replicas.len()).rev() {
            // A pod that is only being made is not available.
            let Some(pod) = self.replicas[place].clone() else {
                return;
            };
            if identity::revision(&pod) != object::name(&self.history.update) && !object::is_deleting(&pod) {
                let effect = self.delete(&pod);
                self.outcome.push(effect);
                self.leaving = 1;
                return;
            }
            if self.is_unavailable(&pod) {
                return;
            }
        }
    }

    fn is_unavailable(&self, pod: &Value) -> bool {
        let min_ready = object::integer(self.set, "/spec/minReadySeconds");
        !is_running_and_ready(pod)
            || !pods::is_available(pod, min_ready, self.now)
            || object::is_deleting(pod)
    }

    fn delete(&self, pod: &Value) -> Effect {
        let tell = self.tell("delete", "SuccessfulDelete", "FailedDelete", object::name(pod));
        pods::delete(pod, Some(tell))
    }

    fn tell(&self, verb: &str, done: &'static str, failed: &'static str, pod: &str) -> Tell {
        let set = object::name(self.set);
        let what = format!("{verb} Pod {pod} in StatefulSet {set}");
        Tell {
            about: self.set.clone(),
            done: (done, format!("{what} successful").into()),
            failed: (failed, format!("{what} failed error: {{error}}").into()),
        }
    }

    fn pods(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.replicas.iter().flatten().chain(&self.condemned)
    }

    fn report(&mut self) {
        let min_ready = object::integer(self.set, "/spec/minReadySeconds");
        let wanted = object::integer(self.set, "/spec/replicas");
        let (current, update) = (object::name(&self.current), object::name(&self.history.update));
        let count = |holds: &dyn Fn(&Value) -> bool| {
            i64::try_from(self.pods().filter(|pod| holds(pod)).count()).unwrap_or(i64::MAX)
        };
        let of = |name: &str| count(&|pod| !object::is_deleting(pod) && identity::revision(pod) == name);
        let (replicas, ready) = (count(&|_| true), count(&is_running_and_ready));
        let available =
            count(&|pod| is_running_and_ready(pod) && pods::is_available(pod, min_ready, self.now));
        let (mut on_current, updated) = (of(current) - self.leaving, of(update));
        let mut current = current;
        let rolling = self.set["spec"]["updateStrategy"]["type"] == "RollingUpdate";
        if rolling && [updated, ready, replicas] == [wanted; 3] {
            (on_current, current) = (updated, update);
        }
        let mut status = json!({
            "observedGeneration": object::generation(self.set),
            "replicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": available,
            "currentReplicas": on_current,
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": self.history.collisions,
        });
        // As Go writes them: these three are always there.
        let always = ["replicas", "availableReplicas", "collisionCount"];
        if let Value::Object(fields) = &mut status {
            fields.retain(|name, value| always.contains(&name.as_str()) || *value != 0);
        }
        if status != self.set["status"] {
            let mut changed = Value::clone(self.set);
            changed["status"] = status;
            self.outcome.push(Effect::UpdateStatus {
                kind: STATEFUL_SET,
                object: changed,
            });
        }
        if min_ready > 0 && available < ready {
            let ready: Vec<&Arc<Value>> = self.pods().filter(|pod| is_running_and_ready(pod)).collect();
            let wait = pods::next_availability(&ready, min_ready, self.now);
            self.outcome.again_within(wait);
        }
    }
}

fn is_running_and_ready(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && object::is_true(pod, "Ready")
}

#[cfg(test)]
mod tests;
