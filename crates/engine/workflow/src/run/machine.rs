//! The run as a whole: which job starts when, and how the run ends.

use super::context::{Contexts, StatusOf};
use super::graph::{Graph, Instance, NodeState, Progress};
use super::groups::Waiting;
use super::job::{Ended, after};
use super::types::{Conclusion, Effect, Facts, Input, JobId, Level};
use crate::expression::{Object, Value};
use crate::limits::MAX_WAIT_MINUTES;
use crate::plan::Plan;
use crate::reader::Token;
use crate::trigger::dispatch_inputs;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One run of a workflow.
pub struct Run {
    pub(super) plan: Arc<Plan>,
    pub(super) facts: Facts,
    pub(super) graph: Graph,
    phase: RunPhase,
    group: Option<String>,
    pub(super) cancelled: Option<String>,
    group_deadline: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RunPhase {
    New,
    WaitsForGroup,
    Running,
    Ended,
}

impl Run {
    /// A run that has not begun.
    pub fn new(plan: Arc<Plan>, facts: Facts) -> Run {
        Run {
            plan,
            facts,
            graph: Graph::default(),
            phase: RunPhase::New,
            group: None,
            cancelled: None,
            group_deadline: None,
        }
    }

    /// What follows from an input. Inputs that fit nothing any more, as a second answer, change nothing.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.phase == RunPhase::Ended {
            return effects;
        }
        match input {
            Input::Started => self.start(now, &mut effects),
            Input::GroupGranted { job: None } => {
                if self.phase == RunPhase::WaitsForGroup {
                    self.begin(&mut effects);
                }
            }
            Input::Cancel { reason } => self.cancel(reason, now, &mut effects),
            Input::Tick => self.tick(now, &mut effects),
            Input::GroupGranted { job: Some(job) } => self.of_job(&job, &mut effects, |run, at, effects| {
                run.job_granted(at, now, effects);
            }),
            Input::JobAssigned { job, runner } => self.of_job(&job, &mut effects, |run, at, effects| {
                run.job_assigned(at, runner, now, effects);
            }),
            Input::JobFailed { job, reason } => self.of_job(&job, &mut effects, |run, at, effects| {
                run.end_instance(at, failed(reason), effects);
            }),
            Input::CancelJob { job, reason } => self.of_job(&job, &mut effects, |run, at, effects| {
                run.cancel_instance(at, &reason, now, effects);
            }),
            Input::FilesHashed { job, patterns, hash } => {
                self.of_job(&job, &mut effects, |run, at, effects| {
                    run.running(at, effects, |job, effects| {
                        job.hashed(patterns, hash, now, effects)
                    });
                })
            }
            Input::StepEnded {
                job,
                step,
                outcome,
                changes,
            } => self.of_job(&job, &mut effects, |run, at, effects| {
                run.running(at, effects, |job, effects| {
                    job.step_ended(step, outcome, changes, now, effects)
                });
            }),
        }
        if self.phase == RunPhase::Running {
            self.settle(now, &mut effects);
        }
        effects
    }

    /// When [`Input::Tick`] is due next: a step, a job or a wait then has taken its time.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let instances = self.graph.instances().filter_map(Instance::next_deadline);
        let group = self
            .group_deadline
            .filter(|_| self.phase == RunPhase::WaitsForGroup);
        instances.chain(group).min()
    }

    /// Whether the last effect was given.
    pub fn has_ended(&self) -> bool {
        self.phase == RunPhase::Ended
    }

    /// `run-name`, or else the name of the workflow, or its file.
    pub fn name(&self) -> String {
        let workflow = &self.plan.workflow;
        let named = workflow.run_name.as_ref().and_then(|token| {
            let contexts = self.base(StatusOf::Job(Conclusion::Success));
            contexts.text(token).ok().filter(|name| !name.trim().is_empty())
        });
        named
            .or_else(|| workflow.name.clone())
            .unwrap_or_else(|| workflow.files.first().cloned().unwrap_or_default())
    }

    fn start(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.phase != RunPhase::New {
            return;
        }
        if let Err(messages) = self.inputs() {
            effects.extend(
                messages
                    .into_iter()
                    .map(|message| note(None, Level::Error, message)),
            );
            return self.end(Conclusion::Failure, effects);
        }
        let Some(token) = self.plan.workflow.concurrency.clone() else {
            return self.begin(effects);
        };
        let asked = group_of(&token, &self.base(StatusOf::Job(Conclusion::Success)));
        match asked {
            Ok(Some(asked)) => {
                self.phase = RunPhase::WaitsForGroup;
                self.group_deadline = after(now, MAX_WAIT_MINUTES);
                self.group = Some(asked.name.clone());
                effects.push(asked.effect(None));
            }
            Ok(None) => self.begin(effects),
            Err(message) => {
                effects.push(note(None, Level::Error, format!("`concurrency`: {message}")));
                self.end(Conclusion::Failure, effects);
            }
        }
    }

    fn begin(&mut self, effects: &mut Vec<Effect>) {
        self.phase = RunPhase::Running;
        let inputs = self.inputs().unwrap_or_default();
        let secrets = self
            .facts
            .secrets
            .iter()
            .map(|name| (name.as_str(), super::secrets::hole(name)));
        let secrets: Object = secrets.collect();
        let workflow = Arc::clone(&self.plan.workflow);
        self.graph
            .add_scope(workflow, None, inputs.into(), secrets.into());
        if !self.graph.has_room_for(0) {
            effects.push(note(None, Level::Error, super::graph::too_many_jobs()));
            self.end(Conclusion::Failure, effects);
        }
    }

    fn inputs(&self) -> Result<Object, Vec<String>> {
        match self.facts.github.get("event_name").and_then(|name| name.as_str()) {
            Some("workflow_dispatch") => dispatch_inputs(&self.plan.workflow, &self.facts.inputs),
            _ => Ok(Object::new()),
        }
    }

    fn cancel(&mut self, reason: String, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.cancelled.is_some() {
            return;
        }
        self.cancelled = Some(reason.clone());
        match self.phase {
            RunPhase::New | RunPhase::WaitsForGroup => self.end(Conclusion::Cancelled, effects),
            RunPhase::Running => {
                for at in self.graph.places() {
                    self.cancel_instance(at, &reason, now, effects);
                }
            }
            RunPhase::Ended => {}
        }
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.phase == RunPhase::WaitsForGroup && self.group_deadline.is_some_and(|at| at <= now) {
            let message = "The run waited too long for its concurrency group".to_owned();
            effects.push(note(None, Level::Error, message));
            return self.end(Conclusion::Failure, effects);
        }
        for at in self.graph.places() {
            let instance = self.graph.at(at);
            if instance.next_deadline().is_none_or(|due| due > now) {
                continue;
            }
            match instance.progress {
                Progress::Running(_) => self.running(at, effects, |job, effects| job.tick(now, effects)),
                _ => self.end_instance(at, failed("The job waited too long to start".to_owned()), effects),
            }
        }
    }

    fn of_job(
        &mut self,
        job: &JobId,
        effects: &mut Vec<Effect>,
        then: impl FnOnce(&mut Run, super::graph::At, &mut Vec<Effect>),
    ) {
        if let Some(at) = self.graph.find(job) {
            then(self, at, effects);
        }
    }

    /// Hands something to a job that runs.
    fn running(
        &mut self,
        at: super::graph::At,
        effects: &mut Vec<Effect>,
        then: impl FnOnce(&mut super::job::JobRun, &mut Vec<Effect>) -> Option<Ended>,
    ) {
        let Progress::Running(job) = &mut self.graph.at_mut(at).progress else {
            return;
        };
        if let Some(ended) = then(job, effects) {
            self.end_instance(at, ended, effects);
        }
    }

    /// Ends the run.
    pub(super) fn end(&mut self, conclusion: Conclusion, effects: &mut Vec<Effect>) {
        self.phase = RunPhase::Ended;
        if let Some(group) = self.group.take() {
            effects.push(Effect::LeaveGroup { job: None, group });
        }
        effects.push(Effect::EndRun { conclusion });
    }

    /// Starts what can start and ends what has ended, until nothing changes any more.
    fn settle(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        loop {
            let mut changed = false;
            for node in 0..self.graph.nodes.len() {
                changed |= match self.graph.nodes[node].state {
                    NodeState::Waiting => self.try_begin(node, effects),
                    NodeState::Running => self.try_go_on(node, now, effects),
                    NodeState::Done => false,
                };
            }
            for scope in 0..self.graph.scopes.len() {
                changed |= self.try_end_scope(scope, effects);
            }
            if !changed {
                break;
            }
        }
        if let Some(conclusion) = self.graph.conclusion() {
            let conclusion = match (conclusion, &self.cancelled) {
                (Conclusion::Success | Conclusion::Skipped, Some(_)) => Conclusion::Cancelled,
                (conclusion, _) => conclusion,
            };
            self.end(conclusion, effects);
        }
    }

    /// The contexts that everything has.
    pub(super) fn base<'c>(&self, status: StatusOf) -> Contexts<'c> {
        Contexts::new(status)
            .with("github", self.github())
            .with(
                "vars",
                self.facts
                    .vars
                    .iter()
                    .map(|(k, v)| (k.as_str(), v.as_str()))
                    .collect::<Object>(),
            )
            .with("inputs", self.inputs().unwrap_or_default())
    }

    pub(super) fn github(&self) -> Object {
        let mut github: Object = self
            .facts
            .github
            .iter()
            .map(|(key, value)| (key.as_str(), Value::from(value)))
            .collect();
        if self.facts.secrets.contains("GITHUB_TOKEN") {
            github.set("token", super::secrets::hole("GITHUB_TOKEN"));
        }
        if github.get("workflow").is_none() {
            let workflow = &self.plan.workflow;
            let name = workflow.name.clone().or_else(|| workflow.files.first().cloned());
            github.set("workflow", name.unwrap_or_default());
        }
        github
    }
}

/// A concurrency group that is asked for.
pub(super) struct Asked {
    pub name: String,
    cancel_in_progress: bool,
    queue: Waiting,
}

impl Asked {
    pub fn effect(&self, job: Option<JobId>) -> Effect {
        Effect::AskGroup {
            job,
            group: self.name.clone(),
            cancel_in_progress: self.cancel_in_progress,
            queue: self.queue,
        }
    }
}

/// The group that `concurrency` names; none where its name is empty.
pub(super) fn group_of(token: &Token, contexts: &Contexts<'_>) -> Result<Option<Asked>, String> {
    let text = |e: crate::expression::EvaluationError| e.to_string();
    let value = contexts.value(token).map_err(text)?;
    let (name, cancel, queue) = match &value {
        Value::Object(group) => {
            let cancel = match group.get("cancel-in-progress") {
                Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
                Some(value) => value.is_true(),
                None => false,
            };
            let queue = value.get("queue").to_text();
            (value.get("group").to_text(), cancel, queue)
        }
        other => (other.to_text(), false, Arc::from("")),
    };
    if super::secrets::has_hole(&name) {
        return Err("the name of a group may not have a secret".to_owned());
    }
    Ok((!name.is_empty()).then(|| Asked {
        name: name.to_string(),
        cancel_in_progress: cancel,
        queue: if &*queue == "max" {
            Waiting::Max
        } else {
            Waiting::Single
        },
    }))
}

pub(super) fn failed(reason: String) -> Ended {
    Ended {
        conclusion: Conclusion::Failure,
        outputs: BTreeMap::new(),
        reason: Some(reason),
    }
}

pub(super) fn note(job: Option<JobId>, level: Level, message: String) -> Effect {
    Effect::Note {
        job,
        level,
        message: super::secrets::shown(&message),
    }
}
