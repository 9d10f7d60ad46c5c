//! What probes have found out about one attempt of a container (`pkg/kubelet/prober/worker.go`).

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Kind, Probe};
use crate::limits;
use crate::pod::back_off::after;

/// What one question was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Success,
    /// All is well, with something to tell.
    Warning(String),
    /// It is not.
    Failure(String),
    /// Nobody could ask: that says nothing about the container.
    Error(String),
}

/// The probes of one attempt of a container.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    workers: Vec<Worker>,
}

#[derive(Clone, Debug)]
struct Worker {
    kind: Kind,
    probe: Probe,
    /// When it is asked next.
    next: Timestamp,
    /// While readiness is new it is asked sooner than after a period.
    early: Duration,
    asked: bool,
    /// The last answer, and how often it came in a row.
    last: Option<bool>,
    row: u64,
    /// What holds. `None`: not known yet.
    result: Option<bool>,
    /// Not asked any more: it failed, or it is a startup probe that has its answer.
    on_hold: bool,
}

impl Probes {
    /// Those of a container that runs since `started`.
    pub fn new(probes: impl IntoIterator<Item = (Kind, Probe)>, started: Timestamp) -> Probes {
        let worker = |(kind, probe): (Kind, Probe)| Worker {
            kind,
            next: after(started, probe.initial_delay),
            early: match (kind, &probe.action) {
                (Kind::Readiness, Action::Http { .. } | Action::Tcp { .. }) => limits::EARLY_PROBE,
                _ => probe.period,
            },
            probe,
            asked: false,
            last: None,
            row: 0,
            result: match kind {
                Kind::Startup => None,
                Kind::Readiness => Some(false),
                Kind::Liveness => Some(true),
            },
            on_hold: false,
        };
        Probes {
            workers: probes.into_iter().map(worker).collect(),
        }
    }

    /// What was known before this process began holds on.
    pub fn restore(&mut self, started: bool, ready: bool) {
        for worker in &mut self.workers {
            match worker.kind {
                Kind::Startup if started => {
                    worker.result = Some(true);
                    worker.on_hold = true;
                }
                Kind::Readiness => worker.result = Some(ready),
                _ => {}
            }
        }
    }

    /// Whether the container has begun.
    pub fn started(&self) -> bool {
        self.result(Kind::Startup)
            .is_none_or(|result| result == Some(true))
    }

    /// Whether it may get requests.
    pub fn ready(&self) -> bool {
        self.started()
            && self
                .result(Kind::Readiness)
                .is_none_or(|result| result == Some(true))
    }

    /// The probe that asks for a restart.
    pub fn failed(&self) -> Option<(Kind, Option<i64>)> {
        let failed = |worker: &&Worker| worker.kind != Kind::Readiness && worker.result == Some(false);
        // Liveness is looked at first (`computePodActions`).
        let found = self
            .workers
            .iter()
            .filter(failed)
            .max_by_key(|worker| worker.kind)?;
        Some((found.kind, found.probe.grace_seconds))
    }

    /// Those to ask now; they count as being asked until [`Probes::answer`]. A pod that goes is only asked whether it is
    /// ready.
    pub fn due(&mut self, now: Timestamp, ending: bool) -> Vec<(Kind, Probe)> {
        let started = self.started();
        let mut due = Vec::new();
        for worker in &mut self.workers {
            if worker.waits(started, ending) && worker.next <= now {
                worker.asked = true;
                due.push((worker.kind, worker.probe.clone()));
            }
        }
        due
    }

    /// When the next one is due.
    pub fn next(&self, ending: bool) -> Option<Timestamp> {
        let started = self.started();
        let waiting = self.workers.iter().filter(|worker| worker.waits(started, ending));
        waiting.map(|worker| worker.next).min()
    }

    /// Takes an answer. What to tell people: `Unhealthy` or `ProbeWarning`, and the text.
    pub fn answer(
        &mut self,
        kind: Kind,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Option<(&'static str, String)> {
        let worker = self.workers.iter_mut().find(|worker| worker.kind == kind)?;
        let told = worker.answer(outcome, now);
        if kind == Kind::Startup && self.started() {
            // Whoever waited for it is asked at once.
            for worker in &mut self.workers {
                worker.next = worker.next.min(now);
            }
        }
        told
    }

    /// `None`: there is no such probe. `Some(None)`: nothing is known yet.
    fn result(&self, kind: Kind) -> Option<Option<bool>> {
        let worker = self.workers.iter().find(|worker| worker.kind == kind)?;
        Some(worker.result)
    }
}

impl Worker {
    fn waits(&self, started: bool, ending: bool) -> bool {
        !self.asked
            && !self.on_hold
            && started == (self.kind != Kind::Startup)
            && (!ending || self.kind == Kind::Readiness)
    }

    fn answer(&mut self, outcome: &Outcome, now: Timestamp) -> Option<(&'static str, String)> {
        self.asked = false;
        let early = self.early < self.probe.period && self.last.is_none();
        let wait = if early { self.early } else { self.probe.period };
        self.early = self.early.saturating_mul(2);
        self.next = after(self.next, wait).max(now);
        let (good, told) = match outcome {
            Outcome::Success => (true, None),
            Outcome::Warning(text) => (
                true,
                Some(("ProbeWarning", format!("{} probe warning: {text}", self.kind))),
            ),
            // A container that has only just begun is expected not to be ready.
            Outcome::Failure(_) if early => return None,
            Outcome::Failure(text) => (
                false,
                Some(("Unhealthy", format!("{} probe failed: {text}", self.kind))),
            ),
            Outcome::Error(text) => {
                let told = format!(
                    "{} probe errored and resulted in unknown state: {text}",
                    self.kind
                );
                return Some(("Unhealthy", told));
            }
        };
        if self.last == Some(good) {
            self.row += 1;
        } else {
            (self.last, self.row) = (Some(good), 1);
        }
        let threshold = if good {
            self.probe.success_threshold
        } else {
            self.probe.failure_threshold
        };
        if self.row >= threshold {
            self.result = Some(good);
            if self.kind == Kind::Startup || (self.kind == Kind::Liveness && !good) {
                self.on_hold = true;
                self.row = 0;
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    fn probe(spec: serde_json::Value) -> Probe {
        let mut whole = json!({"exec": {"command": ["true"]}});
        whole
            .as_object_mut()
            .expect("an object")
            .extend(spec.as_object().expect("an object").clone());
        Probe::read(&whole).expect("a probe")
    }

    fn failure() -> Outcome {
        Outcome::Failure("no".to_owned())
    }

    #[test]
    fn the_others_wait_for_startup() {
        let two = probe(json!({"periodSeconds": 2, "failureThreshold": 2}));
        let mut probes = Probes::new(
            [
                (Kind::Startup, two.clone()),
                (Kind::Readiness, two.clone()),
                (Kind::Liveness, two),
            ],
            at(0),
        );
        assert!(!probes.started() && !probes.ready());
        let due: Vec<Kind> = probes.due(at(0), false).into_iter().map(|due| due.0).collect();
        assert_eq!(due, [Kind::Startup]);
        assert_eq!(probes.next(false), None, "it is being asked");
        let told = probes.answer(Kind::Startup, &failure(), at(0));
        assert_eq!(told, Some(("Unhealthy", "Startup probe failed: no".to_owned())));
        assert_eq!(probes.next(false), Some(at(2)));
        probes.due(at(2), false);
        probes.answer(Kind::Startup, &Outcome::Success, at(3));
        assert!(probes.started() && !probes.ready());
        let due: Vec<Kind> = probes.due(at(3), false).into_iter().map(|due| due.0).collect();
        assert_eq!(due, [Kind::Readiness, Kind::Liveness]);
        probes.answer(Kind::Readiness, &Outcome::Success, at(3));
        assert!(probes.ready());
    }

    #[test]
    fn failures_in_a_row_ask_for_a_restart_once() {
        let mut probes = Probes::new(
            [(Kind::Liveness, probe(json!({"terminationGracePeriodSeconds": 7})))],
            at(0),
        );
        for (second, outcome) in [
            (0, failure()),
            (10, failure()),
            (20, Outcome::Success),
            (30, failure()),
            (40, failure()),
        ] {
            assert_eq!(probes.due(at(second), false).len(), 1);
            probes.answer(Kind::Liveness, &outcome, at(second));
            assert_eq!(probes.failed(), None);
        }
        probes.due(at(50), false);
        probes.answer(Kind::Liveness, &failure(), at(50));
        assert_eq!(probes.failed(), Some((Kind::Liveness, Some(7))));
        assert_eq!(
            probes.next(false),
            None,
            "the next attempt is asked, not this one"
        );
    }

    #[test]
    fn nobody_to_ask_says_nothing() {
        let mut probes = Probes::new([(Kind::Readiness, probe(json!({})))], at(0));
        probes.due(at(0), false);
        probes.answer(Kind::Readiness, &Outcome::Success, at(0));
        probes.due(at(10), false);
        probes.answer(Kind::Readiness, &Outcome::Error("no exec".to_owned()), at(10));
        assert!(probes.ready());
    }

    #[test]
    fn readiness_over_the_network_is_asked_early_and_quietly() {
        let tcp =
            Probe::read(&json!({"tcpSocket": {"port": 80}, "initialDelaySeconds": 1})).expect("a probe");
        let mut probes = Probes::new([(Kind::Readiness, tcp)], at(0));
        assert!(probes.due(at(0), false).is_empty());
        let mut quiet = 0;
        let mut now = at(1);
        loop {
            assert_eq!(probes.due(now, false).len(), 1);
            if probes.answer(Kind::Readiness, &failure(), now).is_some() {
                break;
            }
            quiet += 1;
            now = probes.next(false).expect("it is asked again");
        }
        assert_eq!(quiet, 7, "100 ms, 200 ms ... 6.4 s");
        assert!(!probes.ready());
    }

    #[test]
    fn a_pod_that_goes_is_only_asked_whether_it_is_ready() {
        let mut probes = Probes::new(
            [
                (Kind::Liveness, probe(json!({}))),
                (Kind::Readiness, probe(json!({}))),
            ],
            at(0),
        );
        let due: Vec<Kind> = probes.due(at(0), true).into_iter().map(|due| due.0).collect();
        assert_eq!(due, [Kind::Readiness]);
    }
}
