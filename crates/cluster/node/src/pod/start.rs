//! Starting containers, one at a time (`startContainer` of `pkg/kubelet/kuberuntime/kuberuntime_container.go`).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::back_off::{self, after};
use super::engine::{event, seconds};
use super::state::{Attempt, State, Waiting};
use super::{CreateError, Effect, Engine, Exit, Hook, ImageFacts, PullFailure};
use crate::limits;
use crate::probe::{Kind, Probes};

/// After a pull that failed people see that, for so long, before they see that the next one is waited for.
const PULL_ERROR_SHOWN: Duration = Duration::from_secs(1);

/// The container that is being started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Starting {
    pub container: String,
    pub id: String,
    pub attempt: u32,
    pub image: ImageFacts,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Image,
    Create,
    Start,
    PostStart,
}

impl Engine {
    /// Starts the first of these that may be started now.
    pub(super) fn start_some(&mut self, names: &[String], now: Timestamp, effects: &mut Vec<Effect>) {
        for name in names {
            let busy = self.starting.is_some();
            if self
                .starting
                .as_ref()
                .is_some_and(|starting| starting.container == *name)
            {
                continue;
            }
            if let Some(until) = self.waits(name, now, effects) {
                self.wake_at(until);
            } else if !busy {
                self.start(name, now, effects);
            }
        }
    }

    /// Until when this container waits, and why: in its record.
    fn waits(&mut self, name: &str, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Timestamp> {
        let shown = self.pod.shown();
        let image = self.pod.container(name)?.image.clone();
        let record = self.records.get_mut(name)?;
        if let Some(waiting) = record.waiting.as_ref().filter(|waiting| now < waiting.until) {
            return Some(waiting.until);
        }
        if let Some(until) = record.exit().and_then(|exit| record.restart.until(exit.at, now)) {
            let wait = back_off::shown(record.restart.wait());
            let message = format!("back-off {wait} restarting failed container={name} pod={shown}");
            record.waiting = Some(Waiting {
                reason: "CrashLoopBackOff".to_owned(),
                message,
                until,
            });
            let told = format!("Back-off restarting failed container {name} in pod {shown}");
            effects.push(event(Some(name), true, "BackOff", told));
            return Some(until);
        }
        let (since, why) = record.pull_failed.clone()?;
        let until = record.pull.until(since, now)?;
        let told = format!("Back-off pulling image \"{image}\"");
        let message = format!("{told}: {why}");
        record.waiting = Some(Waiting {
            reason: "ImagePullBackOff".to_owned(),
            message,
            until,
        });
        effects.push(event(Some(name), false, "BackOff", told));
        effects.push(event(
            Some(name),
            true,
            "Failed",
            "Error: ImagePullBackOff".to_owned(),
        ));
        Some(until)
    }

    fn start(&mut self, name: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(record) = self.records.get_mut(name) else {
            return;
        };
        if let Some(at) = record.exit().map(|exit| exit.at) {
            record.restart.next(at, now);
        }
        let attempt = record.next;
        self.starting = Some(Starting {
            container: name.to_owned(),
            id: format!("{name}.{attempt}"),
            attempt,
            image: ImageFacts::default(),
            phase: Phase::Image,
        });
        effects.push(Effect::EnsureImage {
            container: name.to_owned(),
        });
    }

    pub(super) fn image(
        &mut self,
        container: &str,
        result: Result<ImageFacts, PullFailure>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let waited =
            |starting: &&mut Starting| starting.phase == Phase::Image && starting.container == container;
        let Some(starting) = self.starting.as_mut().filter(waited) else {
            return;
        };
        match result {
            Ok(_) if self.ending.is_some() => self.starting = None,
            Ok(image) => {
                starting.phase = Phase::Create;
                starting.image = image;
                effects.push(Effect::Create {
                    container: container.to_owned(),
                    id: starting.id.clone(),
                    attempt: starting.attempt,
                });
                if let Some(record) = self.records.get_mut(container) {
                    record.pull.reset();
                    record.pull_failed = None;
                }
            }
            Err(failure) => {
                self.starting = None;
                effects.push(event(
                    Some(container),
                    true,
                    "Failed",
                    format!("Error: {}", failure.reason),
                ));
                let Some(record) = self.records.get_mut(container) else {
                    return;
                };
                let mut until = after(now, limits::CREATE_RETRY);
                if failure.pulled {
                    record.pull.next(now, now);
                    record.pull_failed = Some((now, format!("{}: {}", failure.reason, failure.message)));
                    until = after(now, PULL_ERROR_SHOWN);
                }
                let PullFailure { reason, message, .. } = failure;
                record.waiting = Some(Waiting {
                    reason,
                    message,
                    until,
                });
            }
        }
    }

    pub(super) fn created(
        &mut self,
        id: &str,
        result: Result<Value, CreateError>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(mut starting) = self.take_starting(id, Phase::Create) else {
            return;
        };
        let name = starting.container.clone();
        let sandbox = self.sandboxes;
        let uid = self.pod.uid.clone();
        let Some(record) = self.records.get_mut(&name) else {
            return;
        };
        let user = match result {
            Ok(user) => user,
            Err(error) => {
                let (reason, message) = match error {
                    CreateError::Config(message) => ("CreateContainerConfigError", message),
                    CreateError::Runtime(message) => ("CreateContainerError", message),
                };
                effects.push(event(Some(&name), true, "Failed", format!("Error: {message}")));
                let until = after(now, limits::CREATE_RETRY);
                record.waiting = Some(Waiting {
                    reason: reason.to_owned(),
                    message,
                    until,
                });
                return;
            }
        };
        effects.push(event(
            Some(&name),
            false,
            "Created",
            format!("Created container: {name}"),
        ));
        if let Some(before) = record.now.take() {
            record.last = before
                .terminated(&uid)
                .map_or(Value::Null, |last| serde_json::json!({"terminated": last}));
            effects.push(Effect::Remove { id: before.id });
        }
        record.next = starting.attempt.saturating_add(1);
        record.now = Some(Attempt {
            id: id.to_owned(),
            number: starting.attempt,
            sandbox,
            image: starting.image.clone(),
            user,
            state: State::Created,
            probes: Probes::default(),
            stop: None,
        });
        if self.ending.is_some() {
            // It never ran and never will: the sandbox goes with it.
            record.now = None;
            return;
        }
        starting.phase = Phase::Start;
        self.starting = Some(starting);
        effects.push(Effect::Start { id: id.to_owned() });
    }

    pub(super) fn started(
        &mut self,
        id: &str,
        result: Result<Timestamp, String>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(mut starting) = self.take_starting(id, Phase::Start) else {
            return;
        };
        let name = starting.container.clone();
        let Some(container) = self.pod.container(&name) else {
            return;
        };
        let probes = [
            (Kind::Startup, &container.startup),
            (Kind::Readiness, &container.readiness),
            (Kind::Liveness, &container.liveness),
        ];
        let probes: Vec<_> = probes
            .into_iter()
            .filter_map(|(kind, probe)| Some((kind, probe.clone()?)))
            .collect();
        let post_start = container.post_start;
        let Some(record) = self.records.get_mut(&name) else {
            return;
        };
        match result {
            Ok(since) => {
                effects.push(event(
                    Some(&name),
                    false,
                    "Started",
                    format!("Started container {name}"),
                ));
                let Some(attempt) = record.attempt(id) else {
                    return;
                };
                match &mut attempt.state {
                    State::Exited { since: begun, .. } => *begun = Some(since),
                    state => *state = State::Running { since },
                }
                attempt.probes = Probes::new(probes, since);
                if post_start && attempt.is_running() {
                    starting.phase = Phase::PostStart;
                    effects.push(Effect::Hook {
                        container: name,
                        id: id.to_owned(),
                        hook: Hook::PostStart,
                    });
                    self.starting = Some(starting);
                } else {
                    record.waiting = None;
                }
            }
            Err(message) => {
                effects.push(event(Some(&name), true, "Failed", format!("Error: {message}")));
                if let Some(attempt) = record.attempt(id) {
                    attempt.ended(Exit {
                        code: 128,
                        reason: "StartError".to_owned(),
                        message: message.clone(),
                        at: now,
                    });
                }
                // The reason is there to be read until its next start.
                let until = after(now, limits::CREATE_RETRY);
                record.waiting = Some(Waiting {
                    reason: "RunContainerError".to_owned(),
                    message,
                    until,
                });
            }
        }
    }

    pub(super) fn post_started(
        &mut self,
        id: &str,
        result: Result<(), String>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(starting) = self.take_starting(id, Phase::PostStart) else {
            return;
        };
        let name = starting.container;
        let grace = seconds(self.pod.deletion.unwrap_or(self.pod.grace_seconds));
        let Some(record) = self.records.get_mut(&name) else {
            return;
        };
        let Err(message) = result else {
            record.waiting = None;
            return;
        };
        effects.push(event(
            Some(&name),
            true,
            "FailedPostStartHook",
            "PostStartHook failed".to_owned(),
        ));
        record.waiting = Some(Waiting {
            reason: "PostStartHookError".to_owned(),
            message,
            until: now,
        });
        self.stop(&name, "FailedPostStartHook", grace, false, now, effects);
    }

    fn take_starting(&mut self, id: &str, phase: Phase) -> Option<Starting> {
        self.starting
            .take_if(|starting| starting.id == id && starting.phase == phase)
    }
}
