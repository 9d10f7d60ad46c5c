//! One job on its runner: its steps one after the other, those of composite actions, and what they left to do.

use super::context::{Contexts, Hashes, StatusOf};
use super::secrets::{has_hole, shown, without_marks};
use super::step::{Ready, Start};
use super::types::{Changes, Conclusion, Effect, JobId, Level, Phase, Runner, StepNumber, StepOrder, Work};
use crate::expression::{EvaluationError, Object, Value};
use crate::limits::{MAX_STEPS, STOP_GRACE_SECONDS};
use crate::plan::{Action, Plan};
use crate::reader::Token;
use crate::workflow::Step;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a job is made of when a runner has taken it.
pub(super) struct JobParts {
    pub id: JobId,
    pub plan: Arc<Plan>,
    pub steps: Arc<[Step]>,
    /// `github`, `inputs`, `vars`, `secrets`, `needs`, `strategy`, `matrix`.
    pub contexts: Vec<(&'static str, Value)>,
    /// `env` of the workflow and of the job, in this order.
    pub env: Vec<Token>,
    /// `defaults` of the workflow and of the job, in this order.
    pub defaults: Vec<Token>,
    pub outputs: Option<Token>,
    pub timeout_minutes: f64,
    pub cancel_minutes: f64,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub conclusion: Conclusion,
    pub outputs: BTreeMap<String, String>,
    pub reason: Option<String>,
}

/// A job that runs.
pub(super) struct JobRun {
    pub(super) parts: JobParts,
    pub(super) runner: Runner,
    pub(super) frames: Vec<Frame>,
    /// `env` of workflow and job, evaluated.
    pub(super) env: Vec<(String, String)>,
    /// What steps put into `GITHUB_ENV`.
    pub(super) exported: Vec<(String, String)>,
    /// What steps put into `GITHUB_PATH`, the last first.
    pub(super) path: Vec<String>,
    pub(super) hashes: Hashes,
    pub(super) status: Conclusion,
    posts: Vec<Post>,
    running: Option<Running>,
    hashing: Option<Vec<String>>,
    numbers: u32,
    deadline: Option<Timestamp>,
    /// Nothing new begins after this; set when the job is told to stop.
    stop_at: Option<Timestamp>,
    reason: Option<String>,
}

/// A list of steps that is being worked through: the job's, or a composite action's within.
pub(super) struct Frame {
    pub steps: Arc<[Step]>,
    pub next: usize,
    /// The `steps` context.
    pub context: Object,
    pub status: Conclusion,
    pub action: Option<Within>,
}

/// A composite action that is being carried out.
pub(super) struct Within {
    pub number: StepNumber,
    pub step: Step,
    pub action: Arc<Action>,
    /// Its folder in the repository.
    pub path: String,
    pub inputs: Value,
    /// The variables of the step that uses it.
    pub env: Vec<(String, String)>,
    pub continue_on_error: bool,
    pub deadline: Option<Timestamp>,
}

struct Running {
    number: StepNumber,
    step: Option<Step>,
    continue_on_error: bool,
    deadline: Option<Timestamp>,
    /// Why it was told to stop.
    stopped: Option<Stop>,
    /// What has to be done at the end for it.
    post: Option<StepOrder>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Timeout,
    Cancel,
}

/// What an action left to do.
struct Post {
    order: StepOrder,
    always: bool,
}

impl JobRun {
    pub fn new(parts: JobParts, runner: Runner, now: Timestamp) -> JobRun {
        let frame = Frame::new(Arc::clone(&parts.steps), None);
        JobRun {
            deadline: after(now, parts.timeout_minutes),
            parts,
            runner,
            frames: vec![frame],
            env: Vec::new(),
            exported: Vec::new(),
            path: Vec::new(),
            hashes: Hashes::new(),
            status: Conclusion::Success,
            posts: Vec::new(),
            running: None,
            hashing: None,
            numbers: 0,
            stop_at: None,
            reason: None,
        }
    }

    /// Evaluates the variables of workflow and job, then begins.
    pub fn begin(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Ended> {
        for token in self.parts.env.clone() {
            let evaluated = self.contexts(0).texts(&token);
            match evaluated {
                Ok(env) => merge(&mut self.env, env),
                Err(error) => {
                    self.fail(format!("`env` cannot be evaluated: {error}"), effects);
                    self.frames[0].next = self.parts.steps.len();
                    break;
                }
            }
        }
        self.advance(now, effects)
    }

    /// When time matters next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let running = self.running.as_ref().filter(|running| running.stopped.is_none());
        let within = self
            .frames
            .iter()
            .filter_map(|frame| frame.action.as_ref()?.deadline);
        let step = running.and_then(|running| running.deadline.into_iter().chain(within).min());
        let stop = self.stop_at.filter(|_| running.is_some());
        let job = self.deadline.filter(|_| self.stop_at.is_none());
        [step, stop, job].into_iter().flatten().min()
    }

    pub fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Ended> {
        let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if self.stop_at.is_none() && is_past(self.deadline) {
            let minutes = self.parts.timeout_minutes;
            let reason = format!("The job has exceeded the maximum execution time of {minutes} minutes");
            self.stop(Conclusion::Failure, &reason, now, effects);
            return self.advance(now, effects);
        }
        let within = self
            .frames
            .iter()
            .position(|frame| is_past(frame.action.as_ref().and_then(|w| w.deadline)));
        if let Some(at) = within {
            for frame in &mut self.frames[at..] {
                frame.next = frame.steps.len();
                frame.status = Conclusion::Failure;
            }
        }
        let hard = is_past(self.stop_at);
        if let Some(running) = &self.running
            && (within.is_some() || hard || is_past(running.deadline))
        {
            let reason = match hard {
                true => "The job was told to stop, and its time for that is over",
                false => "The step has exceeded its maximum execution time",
            };
            self.stop_step(if hard { Stop::Cancel } else { Stop::Timeout }, reason, effects);
        }
        self.advance(now, effects)
    }

    pub fn cancel(&mut self, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Ended> {
        if self.stop_at.is_none() {
            self.stop(Conclusion::Cancelled, reason, now, effects);
        }
        self.advance(now, effects)
    }

    pub fn hashed(
        &mut self,
        patterns: Vec<String>,
        hash: String,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Option<Ended> {
        if self.hashing.as_ref() != Some(&patterns) {
            return None;
        }
        self.hashing = None;
        self.hashes.insert(patterns, without_marks(hash));
        self.advance(now, effects)
    }

    pub fn step_ended(
        &mut self,
        number: StepNumber,
        outcome: Conclusion,
        changes: Changes,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Option<Ended> {
        let running = self.running.take_if(|running| running.number == number)?;
        let changes = clean(changes);
        merge(&mut self.exported, changes.env);
        for folder in changes.path {
            self.path.retain(|known| *known != folder);
            self.path.insert(0, folder);
        }
        self.hashes.clear();
        let outcome = match (running.stopped, outcome) {
            (Some(Stop::Timeout), _) | (None, Conclusion::Skipped) => Conclusion::Failure,
            (Some(Stop::Cancel), Conclusion::Failure | Conclusion::Skipped) => Conclusion::Cancelled,
            (_, outcome) => outcome,
        };
        if let Some(mut order) = running.post {
            if let Work::Builtin { state, .. } = &mut order.work {
                state.extend(changes.state);
            }
            let always = matches!(
                &order.work,
                Work::Builtin {
                    builtin: super::Builtin::Login,
                    ..
                }
            );
            self.posts.push(Post { order, always });
        }
        match running.step {
            Some(step) => self.record(&step, outcome, running.continue_on_error, changes.outputs),
            None if outcome == Conclusion::Failure => self.status = self.status.worse(Conclusion::Failure),
            None => {}
        }
        self.advance(now, effects)
    }

    /// Goes on until something has to be waited for, or the job has ended.
    fn advance(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Ended> {
        loop {
            if self.running.is_some() || self.hashing.is_some() {
                return None;
            }
            let is_over = self.stop_at.is_some_and(|at| at <= now);
            let frame = self.frames.last_mut()?;
            if is_over {
                frame.next = frame.steps.len();
            }
            if let Some(step) = frame.steps.get(frame.next).cloned() {
                self.begin_step(step, now, effects);
            } else if frame.action.is_some() {
                self.end_action(effects);
            } else if let Some(post) = self.posts.pop() {
                if !is_over {
                    self.begin_post(post, effects);
                }
            } else {
                return Some(self.end(effects));
            }
        }
    }

    fn begin_step(&mut self, step: Step, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.numbers >= MAX_STEPS {
            self.fail(format!("The job has begun more than {MAX_STEPS} steps"), effects);
            self.frames
                .iter_mut()
                .for_each(|frame| frame.next = frame.steps.len());
            return;
        }
        let number = StepNumber(self.numbers);
        let ready = match self.ready(&step, number) {
            Ok(ready) => ready,
            Err(EvaluationError::NeedsHash(patterns)) => {
                effects.push(Effect::HashFiles {
                    job: self.parts.id.clone(),
                    patterns: patterns.clone(),
                });
                self.hashing = Some(patterns);
                return;
            }
            Err(error) => {
                self.numbers += 1;
                self.top().next += 1;
                effects.push(self.note(Level::Error, format!("Step '{}': {error}", step.id)));
                let allowed = self
                    .contexts(self.frames.len() - 1)
                    .flag(step.continue_on_error.as_ref(), false);
                self.record(&step, Conclusion::Failure, allowed.unwrap_or(false), Vec::new());
                return;
            }
        };
        self.numbers += 1;
        self.top().next += 1;
        match ready {
            Ready::Skip { name } => {
                effects.push(Effect::StepSkipped {
                    job: self.parts.id.clone(),
                    step: number,
                    name: shown(&name),
                    parent: self.parent(),
                });
                self.record(&step, Conclusion::Skipped, false, Vec::new());
            }
            Ready::Start(start) => self.start(step, *start, now, effects),
        }
    }

    fn start(&mut self, step: Step, start: Start, now: Timestamp, effects: &mut Vec<Effect>) {
        match start {
            Start::Order {
                order,
                continue_on_error,
                timeout_minutes,
            } => {
                let post = match &order.work {
                    Work::Builtin { builtin, .. } if builtin.has_post() => Some(as_post(&order)),
                    _ => None,
                };
                self.running = Some(Running {
                    number: order.step,
                    step: Some(step),
                    continue_on_error,
                    deadline: timeout_minutes.and_then(|minutes| after(now, minutes)),
                    stopped: None,
                    post,
                });
                effects.push(Effect::RunStep(order));
            }
            Start::Action {
                name,
                mut within,
                timeout_minutes,
            } => {
                within.deadline = timeout_minutes.and_then(|minutes| after(now, minutes));
                effects.push(Effect::GroupBegan {
                    job: self.parts.id.clone(),
                    step: within.number,
                    name: shown(&name),
                    parent: self.parent(),
                });
                let steps = within.action.steps.clone().into();
                self.frames.push(Frame::new(steps, Some(*within)));
            }
        }
    }

    fn end_action(&mut self, effects: &mut Vec<Effect>) {
        let at = self.frames.len() - 1;
        let (outcome, outputs) = {
            let contexts = self.contexts(at);
            let Some(within) = &self.frames[at].action else {
                return;
            };
            let mut outputs = Vec::new();
            for (name, value) in &within.action.outputs {
                match contexts.text(value) {
                    Ok(text) => outputs.push((name.clone(), text)),
                    Err(error) => {
                        effects.push(self.note(Level::Warning, format!("Output '{name}': {error}")))
                    }
                }
            }
            (self.frames[at].status, outputs)
        };
        let Some(Frame {
            action: Some(within), ..
        }) = self.frames.pop()
        else {
            return;
        };
        effects.push(Effect::GroupEnded {
            job: self.parts.id.clone(),
            step: within.number,
            conclusion: outcome,
        });
        self.record(&within.step, outcome, within.continue_on_error, outputs);
    }

    fn begin_post(&mut self, post: Post, effects: &mut Vec<Effect>) {
        if !post.always && self.status != Conclusion::Success {
            return;
        }
        let mut order = post.order;
        order.step = StepNumber(self.numbers);
        self.numbers += 1;
        order.path = self.path.clone();
        self.running = Some(Running {
            number: order.step,
            step: None,
            continue_on_error: false,
            deadline: None,
            stopped: None,
            post: None,
        });
        effects.push(Effect::RunStep(Box::new(order)));
    }

    /// Remembers how a step ended, for the steps after it.
    fn record(&mut self, step: &Step, outcome: Conclusion, allowed: bool, outputs: Vec<(String, String)>) {
        let conclusion = match outcome {
            Conclusion::Failure if allowed => Conclusion::Success,
            outcome => outcome,
        };
        let is_job = self.frames.len() == 1;
        let frame = self.top();
        if step.has_id {
            let entry: Object = [
                ("outputs", Value::from(outputs.into_iter().collect::<Object>())),
                ("outcome", Value::text(outcome.as_str())),
                ("conclusion", Value::text(conclusion.as_str())),
            ]
            .into_iter()
            .collect();
            frame.context.set(step.id.as_str(), entry);
        }
        if matches!(conclusion, Conclusion::Failure | Conclusion::Cancelled) {
            frame.status = frame.status.worse(conclusion);
            if is_job {
                self.status = self.status.worse(conclusion);
            }
        }
    }

    /// Tells the job to stop: steps whose condition still holds go on, for a while.
    fn stop(&mut self, status: Conclusion, reason: &str, now: Timestamp, effects: &mut Vec<Effect>) {
        self.status = status;
        for frame in &mut self.frames {
            frame.status = frame.status.worse(status);
        }
        self.reason = Some(reason.to_owned());
        self.stop_at = after(now, self.parts.cancel_minutes);
        let goes_on = status == Conclusion::Cancelled && self.wants_to_go_on();
        if self.running.is_some() && !goes_on {
            self.stop_step(Stop::Cancel, reason, effects);
        }
    }

    /// Whether the conditions of all that runs now hold for a cancelled job too.
    fn wants_to_go_on(&self) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let Some(step) = &running.step else { return true };
        let around = self.frames.iter().enumerate().skip(1);
        let mut around = around.filter_map(|(at, frame)| Some((at - 1, &frame.action.as_ref()?.step)));
        let holds = |at: usize, step: &Step| {
            let condition = step.condition.as_ref();
            condition.is_some_and(|c| self.contexts(at).tree(&c.tree).is_ok_and(|value| value.is_true()))
        };
        holds(self.frames.len() - 1, step) && around.all(|(at, step)| holds(at, step))
    }

    fn stop_step(&mut self, stop: Stop, reason: &str, effects: &mut Vec<Effect>) {
        let job = self.parts.id.clone();
        if let Some(running) = self.running.as_mut().filter(|running| running.stopped.is_none()) {
            running.stopped = Some(stop);
            effects.push(Effect::StopStep {
                job,
                step: running.number,
                reason: reason.to_owned(),
                grace_seconds: STOP_GRACE_SECONDS,
            });
        }
    }

    fn end(&mut self, effects: &mut Vec<Effect>) -> Ended {
        let mut outputs = BTreeMap::new();
        let tokens = self.parts.outputs.clone();
        for (name, value) in tokens.as_ref().map_or(&[][..], Token::entries) {
            let name = name.shown();
            match self.contexts(0).text(value) {
                Ok(text) if has_hole(&text) => {
                    let message = format!("Skip output '{name}' since it may contain secret.");
                    effects.push(self.note(Level::Warning, message));
                }
                Ok(text) => {
                    outputs.insert(name, text);
                }
                Err(error) => {
                    effects.push(self.note(Level::Error, format!("Output '{name}': {error}")));
                    self.status = self.status.worse(Conclusion::Failure);
                }
            }
        }
        Ended {
            conclusion: self.status,
            outputs,
            reason: self.reason.take(),
        }
    }

    fn fail(&mut self, message: String, effects: &mut Vec<Effect>) {
        effects.push(self.note(Level::Error, message.clone()));
        self.status = self.status.worse(Conclusion::Failure);
        self.frames[0].status = self.status;
        self.reason.get_or_insert(message);
    }

    fn note(&self, level: Level, message: String) -> Effect {
        Effect::Note {
            job: Some(self.parts.id.clone()),
            level,
            message: shown(&message),
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames
            .last_mut()
            .expect("the job's own frame is never taken away")
    }

    pub(super) fn parent(&self) -> Option<StepNumber> {
        let within = self.frames.last()?.action.as_ref()?;
        Some(within.number)
    }

    /// The contexts of a frame.
    pub(super) fn contexts(&self, at: usize) -> Contexts<'_> {
        let frame = &self.frames[at];
        let mut contexts = Contexts::new(StatusOf::Job(match (self.stop_at, &frame.action) {
            (None, Some(_)) => frame.status,
            _ => self.status,
        }));
        for (name, value) in &self.parts.contexts {
            contexts.set(name, value.clone());
        }
        let mut env: Object = self
            .env
            .iter()
            .chain(&self.exported)
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        for within in self.frames[..=at]
            .iter()
            .filter_map(|frame| frame.action.as_ref())
        {
            within
                .env
                .iter()
                .for_each(|(key, value)| env.set(key.as_str(), value.as_str()));
            contexts.set("inputs", within.inputs.clone());
        }
        contexts.set("env", env);
        contexts.set("steps", frame.context.clone());
        let job: Object = [("status", self.status.as_str())].into_iter().collect();
        contexts.set("job", job);
        contexts.set("runner", runner_context(&self.runner));
        contexts.set("github", self.github(frame));
        contexts.hashing(&self.hashes)
    }

    fn github(&self, frame: &Frame) -> Value {
        let known = self.parts.contexts.iter().find(|(name, _)| *name == "github");
        let mut github = match known {
            Some((_, Value::Object(github))) => (**github).clone(),
            _ => Object::new(),
        };
        github.set("workspace", self.runner.workspace.as_str());
        if let Some(within) = &frame.action {
            github.set(
                "action_path",
                format!("{}/{}", self.runner.workspace, within.path),
            );
        }
        github.into()
    }
}

impl Frame {
    fn new(steps: Arc<[Step]>, action: Option<Within>) -> Frame {
        Frame {
            steps,
            next: 0,
            context: Object::new(),
            status: Conclusion::Success,
            action,
        }
    }
}

impl Conclusion {
    /// The one that counts where both happened.
    pub(super) fn worse(self, other: Conclusion) -> Conclusion {
        let rank = |conclusion| match conclusion {
            Conclusion::Skipped => 0,
            Conclusion::Success => 1,
            Conclusion::Cancelled => 2,
            Conclusion::Failure => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

fn as_post(order: &StepOrder) -> StepOrder {
    let mut post = order.clone();
    post.name = format!("Post {}", order.name);
    post.timeout_seconds = None;
    post.parent = None;
    if let Work::Builtin { phase, .. } = &mut post.work {
        *phase = Phase::Post;
    }
    post
}

fn runner_context(runner: &Runner) -> Object {
    let entries = [
        ("name", &runner.name),
        ("os", &runner.os),
        ("arch", &runner.arch),
        ("temp", &runner.temp),
        ("tool_cache", &runner.tool_cache),
        ("workspace", &runner.workspace),
    ];
    let mut context: Object = entries
        .into_iter()
        .map(|(name, value)| (name, value.as_str()))
        .collect();
    context.set("environment", "self-hosted");
    context
}

/// No text from outside may ask for a secret.
fn clean(changes: Changes) -> Changes {
    let pairs = |list: Vec<(String, String)>| {
        let list = list.into_iter();
        list.map(|(name, value)| (without_marks(name), without_marks(value)))
            .collect()
    };
    Changes {
        outputs: pairs(changes.outputs),
        env: pairs(changes.env),
        path: changes.path.into_iter().map(without_marks).collect(),
        state: pairs(changes.state),
    }
}

/// Later values take the place of earlier ones. Names of variables have a case.
pub(super) fn merge(env: &mut Vec<(String, String)>, more: Vec<(String, String)>) {
    for (name, value) in more {
        match env.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => env.push((name, value)),
        }
    }
}

/// The time some minutes later; none where that is beyond all time.
pub(super) fn after(now: Timestamp, minutes: f64) -> Option<Timestamp> {
    let duration = SignedDuration::try_from_secs_f64(minutes * 60.0).ok()?;
    now.checked_add(duration).ok()
}
