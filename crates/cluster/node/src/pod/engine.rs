//! The engine: takes what happened, remembers it, and says what is to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::back_off::{BackOff, after};
use super::ending::{Ending, Failure};
use super::plan::plan;
use super::start::Starting;
use super::state::{Attempt, Record, State};
use super::{Effect, Exit, Hook, Input, Pod};
use crate::limits;
use crate::probe::{Kind, Outcome};

/// One pod of this node.
#[derive(Debug)]
pub struct Engine {
    pub(super) pod: Pod,
    /// The node's address.
    pub(super) node: String,
    /// When the node took the pod on.
    pub(super) start_time: Timestamp,
    /// The status that was computed last.
    pub(super) known: Value,
    /// The API server has the object no more.
    pub(super) gone: bool,
    pub(super) volumes: Asked,
    pub(super) sandbox: Asked,
    /// How many sandboxes it has had.
    pub(super) sandboxes: u32,
    pub(super) address: String,
    pub(super) records: BTreeMap<String, Record>,
    pub(super) starting: Option<Starting>,
    pub(super) ending: Option<Ending>,
    pub(super) wake: Option<Timestamp>,
}

/// Something that has to be there before others.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub state: AskedState,
    pub back_off: BackOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedState {
    No,
    Asked,
    Failed(Timestamp),
    Ready,
}

impl Asked {
    pub fn new(first: Duration, longest: Duration) -> Asked {
        Asked {
            state: AskedState::No,
            back_off: BackOff::new(first, longest),
        }
    }

    /// Whether it is there; where it is not, whether to ask for it now, or when.
    pub fn want(&mut self, now: Timestamp) -> Want {
        let until = match self.state {
            AskedState::Ready => return Want::There,
            AskedState::Asked => return Want::Wait(None),
            AskedState::No => None,
            AskedState::Failed(since) => self.back_off.until(since, now),
        };
        if until.is_some() {
            return Want::Wait(until);
        }
        self.state = AskedState::Asked;
        Want::Ask
    }

    /// It could not be had. Whether that is news.
    pub fn failed(&mut self, now: Timestamp) {
        self.back_off.next(now, now);
        self.state = AskedState::Failed(now);
    }

    pub fn ready(&mut self) {
        self.back_off.reset();
        self.state = AskedState::Ready;
    }
}

pub(super) enum Want {
    There,
    Ask,
    Wait(Option<Timestamp>),
}

impl Engine {
    /// The engine of a pod that this node has just heard of, or hears of again after a restart: then what has survived is
    /// given to [`Engine::restore`] before the first step.
    pub fn new(pod: Pod, node_address: &str, now: Timestamp) -> Engine {
        let known = pod.object["status"].clone();
        let start_time = known["startTime"].as_str().and_then(|time| time.parse().ok());
        let records = pod.all().map(|container| (container.name.clone(), Record::new()));
        Engine {
            records: records.collect(),
            node: node_address.to_owned(),
            start_time: start_time.unwrap_or(now),
            address: known["podIP"].as_str().unwrap_or_default().to_owned(),
            known,
            gone: false,
            volumes: Asked::new(limits::VOLUME_BACK_OFF, limits::VOLUME_BACK_OFF_MAX),
            sandbox: Asked::new(limits::SANDBOX_BACK_OFF, limits::SANDBOX_BACK_OFF_MAX),
            sandboxes: 0,
            starting: None,
            ending: None,
            wake: None,
            pod,
        }
    }

    /// The object that the engine goes by.
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The pod's address; empty where it has none.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// When the next step is due where nothing else happens.
    pub fn wake(&self) -> Option<Timestamp> {
        self.wake
    }

    /// Whether nothing is left: not on the API server, not on the node.
    pub fn is_over(&self) -> bool {
        self.gone && self.ending.as_ref().is_some_and(|ending| ending.is_clean())
    }

    /// Takes one input. The effects are to be carried out in their order, each without waiting for the one before.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(input, now, &mut effects);
        self.wake = None;
        self.decide(now, &mut effects);
        self.known = self.compute_status(now);
        effects
    }

    fn take(&mut self, input: Input, now: Timestamp, effects: &mut Vec<Effect>) {
        match input {
            Input::Tick => {}
            Input::Pod(pod) => self.take_pod(*pod),
            Input::Gone => self.gone = true,
            Input::Volumes(Ok(())) => self.volumes.ready(),
            Input::Volumes(Err(failure)) => {
                self.volumes.failed(now);
                effects.push(event(None, true, failure.reason, failure.message));
            }
            Input::Sandbox(Ok(up)) => {
                self.sandbox.ready();
                self.address = if up.address.is_empty() {
                    self.node.clone()
                } else {
                    up.address
                };
            }
            Input::Sandbox(Err(error)) => {
                self.sandbox.failed(now);
                let message = format!("Failed to create pod sandbox: {error}");
                effects.push(event(None, true, "FailedCreatePodSandBox", message));
            }
            Input::SandboxLost => self.lose_sandbox(now, effects),
            Input::Image { container, result } => self.image(&container, result, now, effects),
            Input::Created { id, result } => self.created(&id, result, now, effects),
            Input::Started { id, result } => self.started(&id, result, now, effects),
            Input::Hook {
                id,
                hook: Hook::PostStart,
                result,
            } => self.post_started(&id, result, now, effects),
            Input::Hook {
                id,
                hook: Hook::PreStop,
                result,
            } => self.pre_stopped(&id, result, now, effects),
            Input::Exited { id, exit } => self.exited(&id, exit),
            Input::Probed { id, kind, outcome } => self.probed(&id, kind, &outcome, now, effects),
            Input::Cleaned(result) => self.cleaned(result, now, effects),
            Input::NotDeleted => self.not_deleted(now),
            Input::Evicted(message) => self.evict(message, now, effects),
        }
    }

    fn take_pod(&mut self, pod: Pod) {
        if pod.uid != self.pod.uid {
            return;
        }
        if let (Some(grace), Some(ending)) = (pod.deletion, &self.ending) {
            let deadline = after(ending.since(), seconds(grace));
            self.hurry(deadline);
        }
        self.pod = pod;
    }

    fn exited(&mut self, id: &str, exit: Exit) {
        for record in self.records.values_mut() {
            if let Some(attempt) = record.attempt(id) {
                attempt.ended(exit.clone());
            }
        }
    }

    fn probed(&mut self, id: &str, kind: Kind, outcome: &Outcome, now: Timestamp, effects: &mut Vec<Effect>) {
        for (name, record) in &mut self.records {
            let Some(attempt) = record.attempt(id).filter(|attempt| attempt.is_running()) else {
                continue;
            };
            let stopping = attempt.stop.is_some();
            if let Some((reason, message)) = attempt.probes.answer(kind, outcome, now)
                && !stopping
            {
                effects.push(event(Some(name), true, reason, message));
            }
        }
    }

    /// As upstream's eviction manager ends those that exceed their own limits (`localStorageEviction`).
    fn evict(&mut self, message: String, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.ending.is_some() {
            return;
        }
        effects.push(event(None, true, "Evicted", message.clone()));
        let failure = Failure {
            reason: "Evicted",
            message,
            grace_seconds: Some(limits::EVICTION_GRACE_SECONDS),
        };
        self.end(Some(failure), now);
    }

    /// Its processes are gone with it.
    fn lose_sandbox(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.ending.is_some() || self.sandbox.state != AskedState::Ready {
            return;
        }
        for attempt in self.records.values_mut().filter_map(|record| record.now.as_mut()) {
            attempt.ended(Exit {
                code: 137,
                reason: String::new(),
                message: String::new(),
                at: now,
            });
        }
        self.starting = None;
        self.sandbox.state = AskedState::No;
        let message = "Pod sandbox changed, it will be killed and re-created.";
        effects.push(event(None, false, "SandboxChanged", message.to_owned()));
    }

    fn decide(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.ending.is_none() {
            if self.gone || self.pod.deletion.is_some() || self.pod.is_terminal() {
                self.end(None, now);
            } else if let Some(deadline) = self.deadline() {
                if deadline <= now {
                    let message = "Pod was active on the node longer than the specified deadline";
                    effects.push(event(None, false, "DeadlineExceeded", message.to_owned()));
                    let failure = Failure {
                        reason: "DeadlineExceeded",
                        message: message.to_owned(),
                        grace_seconds: None,
                    };
                    self.end(Some(failure), now);
                } else {
                    self.wake_at(deadline);
                }
            }
        }
        if self.ending.is_none() {
            self.live(now, effects);
        }
        self.go_on_stopping(now, effects);
        self.go_on_ending(now, effects);
        self.ask_probes(now, effects);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let allowed = self.pod.active_deadline_seconds?;
        Some(after(self.start_time, seconds(allowed)))
    }

    /// Makes run what shall run.
    fn live(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        // A sandbox that is to be made is another one than those before.
        let next = self.sandboxes
            + u32::from(matches!(
                self.sandbox.state,
                AskedState::No | AskedState::Failed(_)
            ));
        let plan = plan(&self.pod, &self.records, next);
        if plan.done && self.starting.is_none() {
            self.end(None, now);
            return;
        }
        for stopping in plan.stop {
            let grace = stopping.grace_seconds.unwrap_or(self.pod.grace_seconds);
            let name = stopping.container.clone();
            self.stop(
                &name,
                &stopping.message,
                seconds(grace),
                stopping.restarts,
                now,
                effects,
            );
        }
        if plan.start.is_empty() {
            return;
        }
        for (thing, effect) in [
            (Thing::Volumes, Effect::PrepareVolumes),
            (Thing::Sandbox, Effect::CreateSandbox),
        ] {
            let asked = match thing {
                Thing::Volumes => &mut self.volumes,
                Thing::Sandbox => &mut self.sandbox,
            };
            match asked.want(now) {
                Want::There => {}
                Want::Ask => {
                    effects.push(effect);
                    self.sandboxes = next.max(self.sandboxes);
                    return;
                }
                Want::Wait(until) => {
                    if let Some(until) = until {
                        self.wake_at(until);
                    }
                    return;
                }
            }
        }
        self.start_some(&plan.start, now, effects);
    }

    fn ask_probes(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let ending = self.ending.is_some();
        let mut wake = Vec::new();
        for (name, record) in &mut self.records {
            let busy = self
                .starting
                .as_ref()
                .is_some_and(|starting| starting.container == *name);
            let Some(attempt) = record
                .now
                .as_mut()
                .filter(|attempt| attempt.is_running() && !busy)
            else {
                continue;
            };
            for (kind, probe) in attempt.probes.due(now, ending || attempt.stop.is_some()) {
                let (container, id) = (name.clone(), attempt.id.clone());
                effects.push(Effect::Probe {
                    container,
                    id,
                    kind,
                    probe,
                });
            }
            wake.extend(attempt.probes.next(ending || attempt.stop.is_some()));
        }
        for time in wake {
            self.wake_at(time);
        }
    }

    /// Steps again at this time at the latest.
    pub(super) fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }

    /// The latest attempts that have not ended.
    pub(super) fn alive(&self) -> impl Iterator<Item = (&str, &Attempt)> {
        self.records
            .iter()
            .filter_map(|(name, record)| Some((name.as_str(), record.now.as_ref()?)))
            .filter(|(_, attempt)| !matches!(attempt.state, State::Exited { .. }))
    }
}

#[derive(Clone, Copy)]
enum Thing {
    Volumes,
    Sandbox,
}

/// An event about the pod, or one of its containers.
pub(super) fn event(container: Option<&str>, warning: bool, reason: &'static str, message: String) -> Effect {
    Effect::Event {
        container: container.map(str::to_owned),
        warning,
        reason,
        message,
    }
}

/// Seconds of a manifest, which are never negative where the API server has looked at them.
pub(super) fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}
