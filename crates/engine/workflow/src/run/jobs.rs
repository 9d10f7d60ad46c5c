//! How jobs begin, wait, go on and end.

use super::context::{Contexts, StatusOf};
use super::graph::{At, Instance, NodeState, Progress, too_many_jobs};
use super::job::{Ended, JobParts, JobRun, after};
use super::machine::{Run, failed, group_of, note};
use super::types::{Conclusion, Container, Effect, JobId, JobOrder, Level, Runner};
use crate::expression::{EvaluationError, Object, Value};
use crate::limits::{CANCEL_MINUTES, DEFAULT_JOB_MINUTES, MAX_WAIT_MINUTES};
use crate::plan::{Combination, matrix};
use crate::reader::Token;
use crate::workflow::{Body, Call, Secrets};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Run {
    /// Begins a node whose needs have ended.
    pub(super) fn try_begin(&mut self, node: usize, effects: &mut Vec<Effect>) -> bool {
        let needs = self.graph.needs(node);
        if needs
            .iter()
            .any(|needed| self.graph.nodes[*needed].state != NodeState::Done)
        {
            return false;
        }
        let contexts = self.node_contexts(node);
        let condition = &self.graph.job(node).condition;
        match contexts.tree(&condition.tree) {
            Ok(value) if value.is_true() => match self.instances(node, &contexts) {
                Ok(instances) => {
                    self.graph.nodes[node].state = NodeState::Running;
                    self.graph.nodes[node].instances = instances;
                    if !self.graph.has_room_for(0) {
                        self.graph.nodes[node].instances.clear();
                        self.end_unborn(node, Conclusion::Failure, too_many_jobs(), effects);
                    }
                }
                Err(message) => self.end_unborn(node, Conclusion::Failure, message, effects),
            },
            Ok(_) => {
                let (conclusion, reason) = self.why_skipped(node);
                self.end_unborn(node, conclusion, reason, effects);
            }
            Err(error) => self.end_unborn(node, Conclusion::Failure, format!("`if`: {error}"), effects),
        }
        true
    }

    fn why_skipped(&self, node: usize) -> (Conclusion, String) {
        if self.is_cancelled(self.graph.nodes[node].scope) {
            let reason = self
                .cancelled
                .clone()
                .unwrap_or_else(|| "The job that calls its workflow stops".to_owned());
            return (Conclusion::Cancelled, reason);
        }
        let results = self.graph.results(node);
        let culprit = results
            .iter()
            .find(|(_, conclusion)| *conclusion != Conclusion::Success);
        let reason = match culprit {
            Some((job, conclusion)) => format!("it needs '{job}', which ended as {conclusion}"),
            None => format!("its condition is false: {}", self.graph.job(node).condition.text),
        };
        (Conclusion::Skipped, reason)
    }

    fn is_cancelled(&self, scope: usize) -> bool {
        self.cancelled.is_some() || self.graph.is_cancelled(scope)
    }

    /// Ends a node that never had an instance.
    fn end_unborn(&mut self, node: usize, conclusion: Conclusion, reason: String, effects: &mut Vec<Effect>) {
        let (ids, names) = self.graph.prefixes(self.graph.nodes[node].scope);
        let job = self.graph.job(node);
        let id = JobId(format!("{ids}{}", job.id()));
        let name = format!("{names}{}", job.name.as_str().unwrap_or(job.id()));
        if conclusion == Conclusion::Failure {
            effects.push(note(Some(id.clone()), Level::Error, reason.clone()));
        }
        effects.push(Effect::EndJob {
            job: id,
            name,
            conclusion,
            outputs: BTreeMap::new(),
            reason: Some(super::secrets::shown(&reason)),
        });
        self.graph.nodes[node].state = NodeState::Done;
        self.graph.nodes[node].conclusion = conclusion;
    }

    /// The contexts of a node before its matrix is known.
    fn node_contexts<'c>(&self, node: usize) -> Contexts<'c> {
        let scope = &self.graph.scopes[self.graph.nodes[node].scope];
        let status = StatusOf::Needs {
            results: self.graph.results(node),
            cancelled: self.is_cancelled(self.graph.nodes[node].scope),
        };
        self.base(status)
            .with("inputs", scope.inputs.clone())
            .with("secrets", scope.secrets.clone())
            .with("needs", self.graph.needs_context(node))
    }

    fn instances(&mut self, node: usize, contexts: &Contexts<'_>) -> Result<Vec<Instance>, String> {
        let job = self.graph.job(node);
        let text = |error: EvaluationError| format!("`strategy`: {error}");
        let strategy = job.strategy.as_ref();
        let fail_fast = contexts
            .flag(strategy.and_then(|s| s.get("fail-fast")), true)
            .map_err(text)?;
        let max_parallel = contexts
            .number(strategy.and_then(|s| s.get("max-parallel")))
            .map_err(text)?;
        let combinations: Vec<Option<Combination>> = match strategy.and_then(|s| s.get("matrix")) {
            None => vec![None],
            Some(token) => {
                let value = contexts.value(token).map_err(text)?;
                matrix::combinations(&value)?.into_iter().map(Some).collect()
            }
        };
        let total = combinations.len();
        let max_parallel = max_parallel.map_or(total, |n| n as usize).max(1);
        let list = combinations.into_iter().enumerate();
        let instances = list
            .map(|(index, combination)| {
                self.instance(node, index, total, combination, fail_fast, max_parallel)
            })
            .collect();
        let node = &mut self.graph.nodes[node];
        node.fail_fast = fail_fast;
        node.max_parallel = max_parallel;
        Ok(instances)
    }

    fn instance(
        &self,
        node: usize,
        index: usize,
        total: usize,
        combination: Option<Combination>,
        fail_fast: bool,
        max_parallel: usize,
    ) -> Instance {
        let job = self.graph.job(node);
        let (ids, names) = self.graph.prefixes(self.graph.nodes[node].scope);
        let number = |n: usize| Value::Number(n as f64);
        let strategy: Object = [
            ("fail-fast", Value::Bool(fail_fast)),
            ("job-index", number(index)),
            ("job-total", number(total)),
            ("max-parallel", number(max_parallel)),
        ]
        .into_iter()
        .collect();
        let contexts = with_matrix(
            self.node_contexts(node),
            combination.as_ref(),
            &strategy.clone().into(),
        );
        let suffix = combination
            .as_ref()
            .map(matrix::shown)
            .filter(|shown| !shown.is_empty());
        let name = match (contexts.text(&job.name), suffix) {
            (Ok(name), _) if job.name.is_expression() => name,
            (Ok(name), None) => name,
            (Ok(name), Some(suffix)) => format!("{name} ({suffix})"),
            (Err(_), _) => job.id().to_owned(),
        };
        let id = match &combination {
            Some(_) => format!("{ids}{}.{}", job.id(), index + 1),
            None => format!("{ids}{}", job.id()),
        };
        Instance {
            id: JobId(id),
            name: super::secrets::shown(&format!("{names}{name}")),
            matrix: combination,
            strategy: strategy.into(),
            progress: Progress::Queued,
            continue_on_error: contexts
                .flag(job.get("continue-on-error"), false)
                .unwrap_or(false),
            group: None,
        }
    }

    fn instance_contexts<'c>(&self, at: At) -> Contexts<'c> {
        let instance = self.graph.at(at);
        with_matrix(
            self.node_contexts(at.node),
            instance.matrix.as_ref(),
            &instance.strategy,
        )
    }

    /// Starts queued instances whose turn it is, and ends a node all of whose instances have ended.
    pub(super) fn try_go_on(&mut self, node: usize, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let mut changed = false;
        if std::mem::take(&mut self.graph.nodes[node].stops) {
            // `fail-fast`: the other combinations of the matrix stop.
            for instance in 0..self.graph.nodes[node].instances.len() {
                self.cancel_instance(
                    At { node, instance },
                    "Another job of the matrix failed",
                    now,
                    effects,
                );
            }
            changed = true;
        }
        loop {
            let instances = &self.graph.nodes[node].instances;
            let busy = instances
                .iter()
                .filter(|i| !matches!(i.progress, Progress::Queued | Progress::Ended(_)));
            if busy.count() >= self.graph.nodes[node].max_parallel {
                break;
            }
            let queued = instances
                .iter()
                .position(|i| matches!(i.progress, Progress::Queued));
            let Some(instance) = queued else { break };
            self.begin_instance(At { node, instance }, now, effects);
            changed = true;
        }
        let instances = &self.graph.nodes[node].instances;
        if instances.iter().all(|instance| instance.ended().is_some()) {
            let conclusions = instances.iter().filter_map(Instance::ended);
            self.graph.nodes[node].conclusion = conclusions.fold(Conclusion::Skipped, Conclusion::worse);
            self.graph.nodes[node].state = NodeState::Done;
            changed = true;
        }
        changed
    }

    fn begin_instance(&mut self, at: At, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(token) = self.graph.job(at.node).concurrency.clone() else {
            return self.start_instance(at, now, effects);
        };
        match group_of(&token, &self.instance_contexts(at)) {
            Ok(Some(asked)) => {
                let instance = self.graph.at_mut(at);
                instance.progress = Progress::WaitsForGroup {
                    until: after(now, MAX_WAIT_MINUTES),
                };
                instance.group = Some(asked.name.clone());
                effects.push(asked.effect(Some(instance.id.clone())));
            }
            Ok(None) => self.start_instance(at, now, effects),
            Err(message) => self.end_instance(at, failed(format!("`concurrency`: {message}")), effects),
        }
    }

    pub(super) fn job_granted(&mut self, at: At, now: Timestamp, effects: &mut Vec<Effect>) {
        if matches!(self.graph.at(at).progress, Progress::WaitsForGroup { .. }) {
            self.start_instance(at, now, effects);
        }
    }

    fn start_instance(&mut self, at: At, now: Timestamp, effects: &mut Vec<Effect>) {
        if let Body::Call(call) = &self.graph.job(at.node).body {
            let call = call.clone();
            return match self.call(at, &call) {
                Ok(()) => {}
                Err(message) => self.end_instance(at, failed(message), effects),
            };
        }
        match self.order(at) {
            Ok(order) => {
                self.graph.at_mut(at).progress = Progress::Starting {
                    until: after(now, MAX_WAIT_MINUTES),
                };
                effects.push(Effect::StartJob(Box::new(order)));
            }
            Err(error) => self.end_instance(at, failed(error.to_string()), effects),
        }
    }

    fn order(&self, at: At) -> Result<JobOrder, EvaluationError> {
        let contexts = self.instance_contexts(at);
        let instance = self.graph.at(at);
        let job = self.graph.job(at.node);
        let mut services = BTreeMap::new();
        for (name, service) in job.get("services").map_or(&[][..], Token::entries) {
            if let Some(container) = container(service, &contexts)? {
                services.insert(name.shown(), container);
            }
        }
        let environment = match job.get("environment") {
            Some(token) => match contexts.value(token.get("name").unwrap_or(token))?.to_text() {
                name if name.is_empty() => None,
                name => Some(name.to_string()),
            },
            None => None,
        };
        let minutes = contexts
            .number(job.get("timeout-minutes"))?
            .unwrap_or(DEFAULT_JOB_MINUTES);
        Ok(JobOrder {
            job: instance.id.clone(),
            name: instance.name.clone(),
            labels: labels(job.get("runs-on"), &contexts)?,
            matrix: match &instance.matrix {
                Some(matrix) => serde_json::Value::from(&Value::from(matrix.clone())),
                None => serde_json::Value::Null,
            },
            container: match job.get("container") {
                Some(token) => container(token, &contexts)?,
                None => None,
            },
            services,
            timeout_seconds: (minutes * 60.0) as u64,
            environment,
        })
    }

    pub(super) fn job_assigned(&mut self, at: At, runner: Runner, now: Timestamp, effects: &mut Vec<Effect>) {
        if !matches!(self.graph.at(at).progress, Progress::Starting { .. }) {
            return;
        }
        let contexts = self.instance_contexts(at);
        let job = self.graph.job(at.node);
        let scope = &self.graph.scopes[self.graph.nodes[at.node].scope];
        let Body::Steps(steps) = &job.body else { return };
        let instance = self.graph.at(at);
        let mut github = self.github();
        github.set("job", job.id());
        let values: [(&'static str, Value); 7] = [
            ("github", github.into()),
            ("vars", host_value(&contexts, "vars")),
            ("inputs", scope.inputs.clone()),
            ("secrets", scope.secrets.clone()),
            ("needs", self.graph.needs_context(at.node).into()),
            ("strategy", instance.strategy.clone()),
            ("matrix", instance.matrix.clone().map_or(Value::Null, Value::from)),
        ];
        let number =
            |key: &str, default: f64| contexts.number(job.get(key)).ok().flatten().unwrap_or(default);
        let both = |workflow: &Option<Token>, key: &str| {
            workflow
                .iter()
                .chain(job.get(key))
                .cloned()
                .collect::<Vec<Token>>()
        };
        let parts = JobParts {
            id: instance.id.clone(),
            plan: Arc::clone(&self.plan),
            steps: steps.clone().into(),
            contexts: values.into(),
            env: both(&scope.workflow.env, "env"),
            defaults: both(&scope.workflow.defaults, "defaults"),
            outputs: job.get("outputs").cloned(),
            timeout_minutes: number("timeout-minutes", DEFAULT_JOB_MINUTES),
            cancel_minutes: number("cancel-timeout-minutes", CANCEL_MINUTES),
        };
        let mut run = Box::new(JobRun::new(parts, runner, now));
        let ended = run.begin(now, effects);
        self.graph.at_mut(at).progress = Progress::Running(run);
        if let Some(ended) = ended {
            self.end_instance(at, ended, effects);
        }
    }

    /// Begins a called workflow.
    fn call(&mut self, at: At, call: &Call) -> Result<(), String> {
        let Some(workflow) = &call.workflow else {
            return Err(format!("'{}' was not found", call.target.shown()));
        };
        let contexts = self.instance_contexts(at);
        let definition = workflow.call.clone().unwrap_or_default();
        let mut inputs = Object::new();
        for (name, input) in definition.inputs.as_ref().map_or(&[][..], Token::entries) {
            let name = name.shown();
            let given = call.with.as_ref().and_then(|with| with.get(&name));
            let kind = input.get("type").and_then(Token::as_str).unwrap_or("string");
            let value = match given.or_else(|| input.get("default")) {
                Some(token) => contexts
                    .value(token)
                    .map_err(|error| format!("Input '{name}': {error}"))?,
                None => Value::Null,
            };
            inputs.set(name.as_str(), typed(&name, kind, value)?);
        }
        let secrets = match &call.secrets {
            Secrets::None => Object::new().into(),
            Secrets::Inherit => host_value(&contexts, "secrets"),
            Secrets::Given(token) => contexts
                .value(token)
                .map_err(|error| format!("`secrets`: {error}"))?,
        };
        if !self.graph.has_room_for(workflow.jobs.len()) {
            return Err(too_many_jobs());
        }
        let workflow = Arc::new((**workflow).clone());
        let scope = self.graph.add_scope(workflow, Some(at), inputs.into(), secrets);
        self.graph.at_mut(at).progress = Progress::Calling { scope };
        Ok(())
    }

    /// Ends the instance that called a workflow, when all of that has ended.
    pub(super) fn try_end_scope(&mut self, scope: usize, effects: &mut Vec<Effect>) -> bool {
        let Some(parent) = self.graph.scopes[scope].parent else {
            return false;
        };
        if self.graph.scopes[scope].done {
            return false;
        }
        let Some(conclusion) = self.graph.conclusion_of(scope) else {
            return false;
        };
        self.graph.scopes[scope].done = true;
        let jobs: Object = {
            let nodes = self.graph.scopes[scope].nodes.clone();
            nodes
                .map(|node| (self.graph.job(node).id(), self.graph.result_of(node)))
                .collect()
        };
        let contexts = self
            .base(StatusOf::Job(conclusion))
            .with("inputs", self.graph.scopes[scope].inputs.clone())
            .with("jobs", jobs);
        let definition = self.graph.scopes[scope].workflow.call.clone().unwrap_or_default();
        let mut outputs = BTreeMap::new();
        for (name, output) in definition.outputs.as_ref().map_or(&[][..], Token::entries) {
            let Some(value) = output.get("value") else {
                continue;
            };
            match contexts.text(value) {
                Ok(text) => {
                    outputs.insert(name.shown(), text);
                }
                Err(error) => {
                    let id = self.graph.at(parent).id.clone();
                    effects.push(note(
                        Some(id),
                        Level::Warning,
                        format!("Output '{}': {error}", name.shown()),
                    ));
                }
            }
        }
        let conclusion = match conclusion {
            Conclusion::Skipped => Conclusion::Success,
            conclusion => conclusion,
        };
        let ended = Ended {
            conclusion,
            outputs,
            reason: None,
        };
        self.end_instance(parent, ended, effects);
        true
    }

    pub(super) fn cancel_instance(
        &mut self,
        at: At,
        reason: &str,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.graph.at_mut(at).progress {
            Progress::Ended(_) => {}
            Progress::Calling { scope } => {
                let scope = *scope;
                self.graph.scopes[scope].cancelled = true;
                for node in self.graph.scopes[scope].nodes.clone() {
                    for instance in 0..self.graph.nodes[node].instances.len() {
                        self.cancel_instance(At { node, instance }, reason, now, effects);
                    }
                }
            }
            Progress::Running(job) => {
                if let Some(ended) = job.cancel(reason, now, effects) {
                    self.end_instance(at, ended, effects);
                }
            }
            _ => {
                let ended = Ended {
                    conclusion: Conclusion::Cancelled,
                    outputs: BTreeMap::new(),
                    reason: Some(reason.to_owned()),
                };
                self.end_instance(at, ended, effects);
            }
        }
    }

    pub(super) fn end_instance(&mut self, at: At, ended: Ended, effects: &mut Vec<Effect>) {
        if self.graph.at(at).ended().is_some() {
            return;
        }
        let conclusion = self.graph.keep(at, &ended);
        let instance = self.graph.at_mut(at);
        effects.push(Effect::EndJob {
            job: instance.id.clone(),
            name: instance.name.clone(),
            conclusion: ended.conclusion,
            outputs: ended.outputs,
            reason: ended.reason.map(|reason| super::secrets::shown(&reason)),
        });
        if let Some(group) = instance.group.take() {
            effects.push(Effect::LeaveGroup {
                job: Some(instance.id.clone()),
                group,
            });
        }
        let node = &mut self.graph.nodes[at.node];
        node.stops |= conclusion == Conclusion::Failure && node.fail_fast;
    }
}

fn with_matrix<'c>(
    contexts: Contexts<'c>,
    combination: Option<&Combination>,
    strategy: &Value,
) -> Contexts<'c> {
    let matrix = combination.map_or(Value::Null, |combination| Value::from(combination.clone()));
    contexts.with("matrix", matrix).with("strategy", strategy.clone())
}

fn host_value(contexts: &Contexts<'_>, name: &str) -> Value {
    use crate::expression::Host;
    contexts.context(name)
}

/// An input of a called workflow, as its type has it.
fn typed(name: &str, kind: &str, value: Value) -> Result<Value, String> {
    let fits = match (kind, &value) {
        ("boolean", Value::Null) => return Ok(Value::Bool(false)),
        ("number", Value::Null) => return Ok(Value::Number(0.0)),
        ("boolean", value) => matches!(value, Value::Bool(_)),
        ("number", value) => matches!(value, Value::Number(_)),
        (_, value) => return Ok(Value::String(value.to_text())),
    };
    match fits {
        true => Ok(value),
        false => Err(format!("Input '{name}' is a {kind}, not '{}'", value.to_text())),
    }
}

fn labels(runs_on: Option<&Token>, contexts: &Contexts<'_>) -> Result<Vec<String>, EvaluationError> {
    let Some(token) = runs_on else {
        return Ok(Vec::new());
    };
    let value = contexts.value(token)?;
    let source = match &value {
        Value::Object(group) => match group.get("labels") {
            Some(labels) => labels.clone(),
            None => value.get("group"),
        },
        other => other.clone(),
    };
    Ok(match source {
        Value::Array(items) => items.iter().map(|item| item.to_text().to_string()).collect(),
        Value::Null => Vec::new(),
        one => vec![one.to_text().to_string()],
    })
}

/// None where its image is empty: a matrix may leave it out.
fn container(token: &Token, contexts: &Contexts<'_>) -> Result<Option<Container>, EvaluationError> {
    let value = contexts.value(token)?;
    let text = |key: &str| value.get(key).to_text().to_string();
    let list = |key: &str| match value.get(key) {
        Value::Array(items) => items.iter().map(|item| item.to_text().to_string()).collect(),
        _ => Vec::new(),
    };
    let image = match &value {
        Value::Object(_) => text("image"),
        other => other.to_text().to_string(),
    };
    if image.is_empty() {
        return Ok(None);
    }
    let pairs = match value.get("env") {
        Value::Object(env) => env
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_text().to_string()))
            .collect(),
        _ => Vec::new(),
    };
    let credentials = match value.get("credentials") {
        credentials @ Value::Object(_) => {
            let part = |key: &str| credentials.get(key).to_text().to_string();
            Some((part("username"), part("password")))
        }
        _ => None,
    };
    Ok(Some(Container {
        image,
        env: pairs,
        ports: list("ports"),
        volumes: list("volumes"),
        options: text("options"),
        credentials,
    }))
}
