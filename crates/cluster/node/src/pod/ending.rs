//! The end of a pod: everything is stopped, then removed, then the API server is told.

use jiff::Timestamp;

use super::back_off::{BackOff, after};
use super::engine::{AskedState, event, seconds};
use super::start::Phase;
use super::{Effect, Engine};
use crate::limits;

/// Why the node ends a pod that nobody has asked to end.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Of the status.
    pub reason: &'static str,
    /// Of the status.
    pub message: String,
    /// In the place of what the pod asks for.
    pub grace_seconds: Option<i64>,
}

/// How far the end has come.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    since: Timestamp,
    /// Where the node itself ends it.
    pub failure: Option<Failure>,
    clean: AskedState,
    back_off: BackOff,
    delete: AskedState,
}

impl Ending {
    pub fn since(&self) -> Timestamp {
        self.since
    }

    pub fn is_clean(&self) -> bool {
        self.clean == AskedState::Ready
    }
}

impl Engine {
    /// The pod ends now, because it shall go, or has done its work, or for this reason.
    pub(super) fn end(&mut self, failure: Option<Failure>, now: Timestamp) {
        self.ending = Some(Ending {
            since: now,
            failure,
            clean: AskedState::No,
            back_off: BackOff::new(limits::SANDBOX_BACK_OFF, limits::SANDBOX_BACK_OFF_MAX),
            delete: AskedState::No,
        });
    }

    /// Whether all containers have stopped for good.
    pub(super) fn is_stopped(&self) -> bool {
        self.ending.is_some() && self.alive().next().is_none()
    }

    pub(super) fn go_on_ending(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.ending.is_none() {
            return;
        }
        self.stop_all(now, effects);
        let starts = self
            .starting
            .as_ref()
            .is_some_and(|starting| starting.phase != Phase::Image);
        let asks = self.volumes.state == AskedState::Asked || self.sandbox.state == AskedState::Asked;
        let stopped = self.is_stopped();
        let Some(ending) = self.ending.as_mut() else {
            return;
        };
        let mut wake = None;
        match ending.clean {
            AskedState::No if stopped && !starts && !asks => {
                ending.clean = AskedState::Asked;
                effects.push(Effect::Clean);
            }
            AskedState::Failed(since) => match ending.back_off.until(since, now) {
                Some(until) => wake = Some(until),
                None => {
                    ending.clean = AskedState::Asked;
                    effects.push(Effect::Clean);
                }
            },
            AskedState::Ready if self.pod.deletion.is_some() && !self.gone => match ending.delete {
                AskedState::Failed(since) if now < after(since, limits::SANDBOX_BACK_OFF) => {
                    wake = Some(after(since, limits::SANDBOX_BACK_OFF));
                }
                AskedState::No | AskedState::Failed(_) => {
                    ending.delete = AskedState::Asked;
                    effects.push(Effect::Delete);
                }
                AskedState::Asked | AskedState::Ready => {}
            },
            AskedState::No | AskedState::Asked | AskedState::Ready => {}
        }
        if let Some(wake) = wake {
            self.wake_at(wake);
        }
    }

    /// Also those that have begun to run only now.
    fn stop_all(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let own = self.ending.as_ref().and_then(|ending| ending.failure.as_ref());
        let own = own.and_then(|failure| failure.grace_seconds);
        let grace = own.or(self.pod.deletion).unwrap_or(self.pod.grace_seconds);
        let grace = seconds(grace);
        let running: Vec<String> = self
            .alive()
            .filter(|(_, attempt)| attempt.is_running() && attempt.stop.is_none())
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in &running {
            self.stop(
                name,
                &format!("Stopping container {name}"),
                grace,
                false,
                now,
                effects,
            );
        }
        if !running.is_empty() {
            self.go_on_stopping(now, effects);
        }
    }

    pub(super) fn cleaned(&mut self, result: Result<(), String>, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(ending) = self.ending.as_mut() else {
            return;
        };
        match result {
            Ok(()) => ending.clean = AskedState::Ready,
            Err(error) => {
                ending.back_off.next(now, now);
                ending.clean = AskedState::Failed(now);
                effects.push(event(
                    None,
                    true,
                    "FailedKillPod",
                    format!("error killing pod: {error}"),
                ));
            }
        }
    }

    pub(super) fn not_deleted(&mut self, now: Timestamp) {
        if let Some(ending) = self.ending.as_mut() {
            ending.delete = AskedState::Failed(now);
        }
    }
}
