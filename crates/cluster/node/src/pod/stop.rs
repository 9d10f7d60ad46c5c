//! Stopping a container: its hook, its turn, the signal, the end (`killContainer` of
//! `pkg/kubelet/kuberuntime/kuberuntime_container.go`, `kuberuntime_termination_order.go`).

use std::time::Duration;

use jiff::Timestamp;

use super::back_off::after;
use super::engine::event;
use super::state::{Attempt, State, Stop, StopPhase};
use super::{Effect, Engine, Hook};
use crate::limits;

impl Engine {
    /// Begins to stop a container that runs. `message` is that of the event.
    pub(super) fn stop(
        &mut self,
        name: &str,
        message: &str,
        grace: Duration,
        restarts: bool,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let pre_stop = self
            .pod
            .container(name)
            .is_some_and(|container| container.pre_stop);
        let running = self.records.get_mut(name).and_then(|record| record.now.as_mut());
        let Some(attempt) = running.filter(|attempt| attempt.is_running() && attempt.stop.is_none()) else {
            return;
        };
        effects.push(event(Some(name), false, "Killing", message.to_owned()));
        let hook = pre_stop && !grace.is_zero();
        attempt.stop = Some(Stop {
            since: now,
            deadline: after(now, grace),
            phase: if hook { StopPhase::PreStop } else { StopPhase::Turn },
            restarts,
        });
        if hook {
            let (container, id) = (name.to_owned(), attempt.id.clone());
            effects.push(Effect::Hook {
                container,
                id,
                hook: Hook::PreStop,
            });
        }
    }

    /// The grace of all that is being stopped ends at this time at the latest.
    pub(super) fn hurry(&mut self, deadline: Timestamp) {
        let attempts = self.records.values_mut().filter_map(|record| record.now.as_mut());
        for stop in attempts.filter_map(|attempt| attempt.stop.as_mut()) {
            stop.deadline = stop.deadline.min(deadline);
            if let StopPhase::Asked(kill) = &mut stop.phase {
                *kill = (*kill).min(stop.deadline.max(after(stop.since, limits::GRACE_MIN)));
            }
        }
    }

    pub(super) fn pre_stopped(
        &mut self,
        id: &str,
        result: Result<(), String>,
        _now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        for (name, record) in &mut self.records {
            let Some(stop) = record.attempt(id).and_then(|attempt| attempt.stop.as_mut()) else {
                continue;
            };
            if result.is_err() {
                // Not the message: it may tell secrets.
                effects.push(event(
                    Some(name),
                    true,
                    "FailedPreStopHook",
                    "PreStopHook failed".to_owned(),
                ));
            }
            if stop.phase == StopPhase::PreStop {
                stop.phase = StopPhase::Turn;
            }
        }
    }

    /// Whoever is being stopped takes the next step, where its time has come.
    pub(super) fn go_on_stopping(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let names: Vec<String> = self.records.keys().cloned().collect();
        for name in names {
            let waits = self.waits_for_others(&name);
            let running = self.records.get_mut(&name).and_then(|record| record.now.as_mut());
            let Some(attempt) = running.filter(|attempt| attempt.is_running()) else {
                continue;
            };
            if let Some(wake) = advance(attempt, waits, now, effects) {
                self.wake_at(wake);
            }
        }
    }

    /// When a pod ends, its sidecars end after the main containers, the last one first.
    fn waits_for_others(&self, name: &str) -> bool {
        let inits = &self.pod.init_containers;
        let place = inits
            .iter()
            .position(|container| container.sidecar && container.name == name);
        let Some(place) = place.filter(|_| self.ending.is_some()) else {
            return false;
        };
        let later = inits[place + 1..].iter().filter(|container| container.sidecar);
        let mut before = self.pod.containers.iter().chain(later);
        before.any(|container| {
            let record = self.records.get(&container.name);
            record
                .and_then(|record| record.now.as_ref())
                .is_some_and(Attempt::is_running)
        })
    }
}

/// When to look again.
fn advance(
    attempt: &mut Attempt,
    waits: bool,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> Option<Timestamp> {
    debug_assert!(
        matches!(attempt.state, State::Running { .. }),
        "only what runs is stopped"
    );
    let stop = attempt.stop.as_mut()?;
    let on_time = now < stop.deadline;
    match stop.phase {
        StopPhase::PreStop if on_time => return Some(stop.deadline),
        StopPhase::Turn if on_time && waits => return Some(stop.deadline),
        StopPhase::PreStop | StopPhase::Turn => {
            // Whatever the hook has used up, there is a little time to end well.
            stop.phase = StopPhase::Asked(stop.deadline.max(after(now, limits::GRACE_MIN)));
            let (id, signal) = (attempt.id.clone(), attempt.image.stop_signal.clone());
            effects.push(Effect::Terminate { id, signal });
        }
        StopPhase::Asked(kill) | StopPhase::Killed(kill) if kill <= now => {
            stop.phase = StopPhase::Killed(after(now, limits::KILL_AGAIN));
            effects.push(Effect::Kill {
                id: attempt.id.clone(),
            });
        }
        StopPhase::Asked(_) | StopPhase::Killed(_) => {}
    }
    match stop.phase {
        StopPhase::Asked(at) | StopPhase::Killed(at) => Some(at),
        StopPhase::PreStop | StopPhase::Turn => Some(stop.deadline),
    }
}
