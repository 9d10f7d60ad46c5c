//! DaemonSets: one pod on each node that fits (`pkg/controller/daemon`).

mod placement;
mod rolling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::placement::{HASH_LABEL, Place};
use crate::controller::{self, Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::history;
use crate::kind::{CONTROLLER_REVISION, DAEMON_SET, NODE, POD};
use crate::object;
use crate::pods;
use crate::selector::Selector;
use crate::view::View;

/// The row of this controller.
pub const CONTROLLER: Controller = Controller {
    name: "daemon-set-controller",
    watches: &[
        Watch {
            kind: DAEMON_SET,
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
            kind: NODE,
            keys: of_node,
        },
    ],
    reconcile,
    workers: 2,
};

/// At most this many pods are made in one go (`BurstReplicas`).
const BURST: usize = 250;

/// A failed pod is replaced when it is this old: a node that refuses its daemon would do so at once, again and again.
const FAILED_PAUSE: SignedDuration = SignedDuration::from_secs(10);

fn of_pod(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    pods::owners(view, change, &DAEMON_SET)
}

fn of_revision(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    controller::owner_of_kind(change, &DAEMON_SET)
}

/// Nodes tell their health all the time; only labels and what stands in the spec matter here.
fn of_node(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let same = change.previous.is_some_and(|previous| {
        previous["metadata"]["labels"] == change.object["metadata"]["labels"]
            && previous["spec"] == change.object["spec"]
    });
    if same && !change.deleted {
        return Vec::new();
    }
    view.list(&DAEMON_SET, None)
        .iter()
        .map(|set| Key::of(set))
        .collect()
}

fn reconcile(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let Some(set) = look.view.get(&DAEMON_SET, &look.key.namespace, &look.key.name) else {
        return outcome;
    };
    let Some(selector) = Selector::of(&set["spec"]["selector"]) else {
        return outcome;
    };
    if selector.is_empty() {
        let text = "This daemon set is selecting all pods. A non-empty selector is required.";
        outcome.event(&set, "Warning", "SelectingAll", text.to_owned());
        return outcome;
    }
    if object::is_deleting(&set) {
        return outcome;
    }
    let history = history::of(look.view, &DAEMON_SET, &set, &mut outcome);
    let hash = object::label(&history.update, history::hash_label(&DAEMON_SET)).unwrap_or_default();
    let candidates = look.view.list(&POD, Some(object::namespace(&set)));
    let claimed = pods::claim(&DAEMON_SET, &set, &selector, candidates, &mut outcome);
    let mut work = Work::of(look, &set, hash, claimed, outcome);
    if look.failure.is_none() {
        work.manage();
        if work.is_idle() {
            work.roll();
        }
    }
    work.carry_out();
    work.report(history.collisions);
    let in_use = work.revisions_in_use(&history);
    let in_use: Vec<&str> = in_use.iter().map(String::as_str).collect();
    history.truncate(&set, &in_use, &mut work.outcome);
    work.outcome
}

/// A node that a set is or could be on.
struct Site {
    place: Place,
    /// The oldest first, without those that have ended and go.
    pods: Vec<Arc<Value>>,
}

impl Site {
    fn alive(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.pods.iter().filter(|pod| !object::is_deleting(pod))
    }
}

/// One look at a DaemonSet.
struct Work<'a> {
    set: &'a Arc<Value>,
    /// Of the current template.
    hash: &'a str,
    sites: BTreeMap<String, Site>,
    /// Pods for nodes that are not there (any more) and that were never placed.
    lost: Vec<Arc<Value>>,
    to_make: Vec<String>,
    to_delete: Vec<Arc<Value>>,
    now: Timestamp,
    outcome: Outcome,
}

impl<'a> Work<'a> {
    fn of(
        look: &Look<'_>,
        set: &'a Arc<Value>,
        hash: &'a str,
        mut claimed: Vec<Arc<Value>>,
        outcome: Outcome,
    ) -> Work<'a> {
        let mut sites: BTreeMap<String, Site> = BTreeMap::new();
        for node in look.view.list(&NODE, None) {
            let site = Site {
                place: placement::place(set, &node),
                pods: Vec::new(),
            };
            sites.insert(object::name(&node).to_owned(), site);
        }
        claimed.sort_by_key(|pod| {
            (
                pod["spec"]["nodeName"].is_null(),
                object::created(pod),
                object::name(pod).to_owned(),
            )
        });
        let mut lost = Vec::new();
        for pod in claimed {
            if has_ended(&pod) && object::is_deleting(&pod) {
                continue;
            }
            match placement::node_of(&pod).map(|node| sites.get_mut(node)) {
                Some(Some(site)) => site.pods.push(pod),
                Some(None) if pod["spec"]["nodeName"].is_null() => lost.push(pod),
                _ => {}
            }
        }
        Work {
            set,
            hash,
            sites,
            lost,
            to_make: Vec::new(),
            to_delete: Vec::new(),
            now: look.now,
            outcome,
        }
    }

    /// A pod where one is missing; none where none may be, and no second one.
    fn manage(&mut self) {
        let sites = std::mem::take(&mut self.sites);
        for (node, site) in &sites {
            if site.place.run && site.pods.is_empty() {
                self.to_make.push(node.clone());
            } else if site.place.stay {
                self.prune(node, site);
            } else {
                self.to_delete.extend(site.alive().cloned());
            }
        }
        self.sites = sites;
        let lost: Vec<Arc<Value>> = self.lost.drain(..).collect();
        self.to_delete
            .extend(lost.into_iter().filter(|pod| !object::is_deleting(pod)));
    }

    fn prune(&mut self, node: &str, site: &Site) {
        let mut running = Vec::new();
        for pod in site.alive() {
            let (namespace, name) = (object::namespace(pod), object::name(pod));
            match pod["status"]["phase"].as_str() {
                Some("Failed") => {
                    let age = self.now.duration_since(object::created(pod));
                    if let Ok(left) = Duration::try_from(FAILED_PAUSE.saturating_sub(age))
                        && !left.is_zero()
                    {
                        self.outcome.again_within(left);
                        continue;
                    }
                    let text = format!(
                        "Found failed daemon pod {namespace}/{name} on node {node}, will try to kill it"
                    );
                    self.outcome.event(self.set, "Warning", "FailedDaemonPod", text);
                    self.to_delete.push(pod.clone());
                }
                Some("Succeeded") => {
                    let text = format!(
                        "Found succeeded daemon pod {namespace}/{name} on node {node}, will try to delete it"
                    );
                    self.outcome.event(self.set, "Normal", "SucceededDaemonPod", text);
                    self.to_delete.push(pod.clone());
                }
                _ => running.push(pod.clone()),
            }
        }
        if self.limits().surge == 0 {
            self.to_delete.extend(running.into_iter().skip(1));
        } else if running.is_empty() && site.place.run {
            // With surge, a new one need not wait until the last is gone.
            self.to_make.push(node.to_owned());
        } else if running.len() > 1 {
            self.prune_surge(running);
        }
    }

    /// One old and one new pod may be there, until the new one can do without the old.
    fn prune_surge(&mut self, running: Vec<Arc<Value>>) {
        let (new, old): (Vec<_>, Vec<_>) = running.into_iter().partition(|pod| self.is_updated(pod));
        if let (Some(new), Some(old)) = (new.first(), old.first())
            && (!object::is_true(old, "Ready") || self.is_available(new))
        {
            self.to_delete.push(old.clone());
        }
        self.to_delete.extend(new.into_iter().skip(1));
        self.to_delete.extend(old.into_iter().skip(1));
    }

    fn is_idle(&self) -> bool {
        self.to_make.is_empty() && self.to_delete.is_empty()
    }

    fn is_updated(&self, pod: &Value) -> bool {
        object::label(pod, HASH_LABEL) == Some(self.hash)
    }

    fn is_available(&self, pod: &Value) -> bool {
        let min_ready = object::integer(self.set, "/spec/minReadySeconds");
        pods::is_available(pod, min_ready, self.now)
    }

    fn carry_out(&mut self) {
        for node in self.to_make.drain(..).take(BURST) {
            self.outcome.push(Effect::Create {
                kind: POD,
                object: placement::new_pod(self.set, self.hash, &node),
                tell: Some(pods::tell_create(self.set)),
            });
        }
        for pod in self.to_delete.drain(..).take(BURST) {
            self.outcome
                .push(pods::delete(&pod, Some(pods::tell_delete(self.set))));
        }
    }

    fn revisions_in_use(&self, history: &history::History) -> Vec<String> {
        let label = history::hash_label(&DAEMON_SET);
        let pods = || self.sites.values().flat_map(|site| &site.pods);
        let used = |revision: &&Arc<Value>| {
            let hash = object::label(revision, label);
            hash == Some(self.hash) || pods().any(|pod| object::label(pod, HASH_LABEL) == hash)
        };
        let used = history.revisions.iter().filter(used);
        used.map(|revision| object::name(revision).to_owned()).collect()
    }

    fn report(&mut self, collisions: i64) {
        let (mut desired, mut current, mut misplaced, mut updated, mut available) = (0, 0, 0, 0, 0);
        let mut ready: Vec<&Arc<Value>> = Vec::new();
        for site in self.sites.values() {
            let first = site.pods.first();
            if !site.place.run {
                misplaced += i64::from(first.is_some());
                continue;
            }
            desired += 1;
            let Some(pod) = first else {
                continue;
            };
            current += 1;
            updated += i64::from(self.is_updated(pod));
            if object::is_true(pod, "Ready") {
                ready.push(pod);
                available += i64::from(self.is_available(pod));
            }
        }
        let mut status = json!({
            "currentNumberScheduled": current,
            "desiredNumberScheduled": desired,
            "numberMisscheduled": misplaced,
            "numberReady": ready.len(),
        });
        // As Go writes them: these only where they are not zero.
        let others = [
            ("observedGeneration", object::generation(self.set)),
            ("updatedNumberScheduled", updated),
            ("numberAvailable", available),
            ("numberUnavailable", desired - available),
            ("collisionCount", collisions),
        ];
        for (name, number) in others.into_iter().filter(|(_, number)| *number != 0) {
            status[name] = json!(number);
        }
        let min_ready = object::integer(self.set, "/spec/minReadySeconds");
        if min_ready > 0 && usize::try_from(available).is_ok_and(|available| available < ready.len()) {
            let wait = pods::next_availability(&ready, min_ready, self.now);
            self.outcome.again_within(wait);
        }
        if status != self.set["status"] {
            let mut changed = Value::clone(self.set);
            changed["status"] = status;
            self.outcome.push(Effect::UpdateStatus {
                kind: DAEMON_SET,
                object: changed,
            });
        }
    }
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"))
}

#[cfg(test)]
mod tests;
