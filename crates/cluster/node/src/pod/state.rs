//! What the engine remembers of a container.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::back_off::BackOff;
use super::{Exit, ImageFacts, shown};
use crate::limits;
use crate::probe::Probes;

/// All attempts of one container.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The latest one.
    pub now: Option<Attempt>,
    /// `lastState`: how the one before has ended.
    pub last: Value,
    /// Number of the next attempt.
    pub next: u32,
    /// Why it does not run, where that is worth telling.
    pub waiting: Option<Waiting>,
    /// Between its ends and its starts.
    pub restart: BackOff,
    /// Between pulls of its image.
    pub pull: BackOff,
    /// The pull that failed last: when, and why.
    pub pull_failed: Option<(Timestamp, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub reason: String,
    pub message: String,
    /// It is not tried before.
    pub until: Timestamp,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub id: String,
    pub number: u32,
    /// In which of the pod's sandboxes.
    pub sandbox: u32,
    pub image: ImageFacts,
    /// `user` of the status.
    pub user: Value,
    pub state: State,
    pub probes: Probes,
    pub stop: Option<Stop>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running { since: Timestamp },
    Exited { since: Option<Timestamp>, exit: Exit },
}

/// How far its end has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Since when it shall end.
    pub since: Timestamp,
    /// When its grace is over.
    pub deadline: Timestamp,
    pub phase: StopPhase,
    /// A probe wants it to begin anew.
    pub restarts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopPhase {
    /// Its hook runs.
    PreStop,
    /// Others have to end before it.
    Turn,
    /// It has been asked; at this time it is killed.
    Asked(Timestamp),
    /// It has been killed; at this time once more.
    Killed(Timestamp),
}

impl Record {
    pub fn new() -> Record {
        Record {
            now: None,
            last: json!({}),
            next: 0,
            waiting: None,
            restart: BackOff::new(limits::RESTART_BACK_OFF, limits::RESTART_BACK_OFF_MAX),
            pull: BackOff::new(limits::RESTART_BACK_OFF, limits::RESTART_BACK_OFF_MAX),
            pull_failed: None,
        }
    }

    /// How the latest attempt has ended.
    pub fn exit(&self) -> Option<&Exit> {
        self.now.as_ref().and_then(Attempt::exit)
    }

    /// The latest attempt, where it is the one with this id.
    pub fn attempt(&mut self, id: &str) -> Option<&mut Attempt> {
        self.now.as_mut().filter(|attempt| attempt.id == id)
    }
}

impl Attempt {
    pub fn exit(&self) -> Option<&Exit> {
        match &self.state {
            State::Exited { exit, .. } => Some(exit),
            _ => None,
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// It has ended; the first one who says so is right.
    pub fn ended(&mut self, exit: Exit) {
        let since = match self.state {
            State::Exited { .. } => return,
            State::Running { since } => Some(since),
            State::Created => None,
        };
        self.state = State::Exited { since, exit };
    }

    /// `state.terminated` of the status.
    pub fn terminated(&self, uid: &str) -> Option<Value> {
        let State::Exited { since, exit } = &self.state else {
            return None;
        };
        let reason = match (exit.reason.as_str(), exit.code) {
            ("", 0) => "Completed",
            ("", _) => "Error",
            (reason, _) => reason,
        };
        let mut terminated = json!({
            "exitCode": exit.code,
            "reason": reason,
            "startedAt": since.map_or(Value::from("1970-01-01T00:00:00Z"), shown),
            "finishedAt": shown(exit.at),
            "containerID": container_id(uid, &self.id),
        });
        if !exit.message.is_empty() {
            terminated["message"] = Value::from(exit.message.as_str());
        }
        Some(terminated)
    }
}

/// As the status names an attempt: the uid of the pod, the container's name, the number of the attempt.
pub(super) fn container_id(uid: &str, id: &str) -> String {
    format!("deploy://{uid}.{id}")
}
