//! What a step needs to begin: its condition, its variables and what it does, all expressions resolved.

use super::context::Contexts;
use super::environment::{defaults, is_reserved};
use super::job::{JobRun, Within, merge};
use super::shell::Shell;
use super::types::{Phase, StepNumber, StepOrder, Work};
use crate::expression::{EvaluationError, Object, Value};
use crate::limits::MAX_ACTION_DEPTH;
use crate::plan::{Used, used};
use crate::reader::Kind;
use crate::run::Builtin;
use crate::workflow::{Step, Task};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of a step.
pub(super) enum Ready {
    /// Its condition is false.
    Skip { name: String },
    /// It begins.
    Start(Box<Start>),
}

/// How a step begins.
pub(super) enum Start {
    /// By being carried out.
    Order {
        order: Box<StepOrder>,
        continue_on_error: bool,
        timeout_minutes: Option<f64>,
    },
    /// By going into a composite action.
    Action {
        name: String,
        within: Box<Within>,
        timeout_minutes: Option<f64>,
    },
}

impl JobRun {
    /// Resolves a step of the topmost frame. Nothing changes: it is asked again when a hash is known.
    pub(super) fn ready(&self, step: &Step, number: StepNumber) -> Result<Ready, EvaluationError> {
        let at = self.frames.len() - 1;
        let mut contexts = self.contexts(at);
        // What a step says of its own variables counts for its condition too (actions/runner, StepsRunner.cs).
        let own = match &step.env {
            Some(env) => contexts.texts(env),
            None => Ok(Vec::new()),
        };
        let mut env: Vec<(String, String)> = self.env.clone();
        merge(&mut env, self.exported.clone());
        for within in self.frames.iter().filter_map(|frame| frame.action.as_ref()) {
            merge(&mut env, within.env.clone());
        }
        if let Ok(own) = &own {
            merge(&mut env, own.clone());
        }
        contexts.set(
            "env",
            env.iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect::<Object>(),
        );
        let holds = match &step.condition {
            Some(condition) => contexts.tree(&condition.tree)?.is_true(),
            None => true,
        };
        let name = name(step, &contexts, holds)?;
        if !holds {
            return Ok(Ready::Skip { name });
        }
        let own = own?;
        let continue_on_error = contexts.flag(step.continue_on_error.as_ref(), false)?;
        let timeout_minutes = contexts.number(step.timeout_minutes.as_ref())?;
        let work = match &step.task {
            Task::Run {
                script,
                shell,
                working_directory,
            } => {
                let shell = match shell {
                    Some(shell) => Some(contexts.text(shell)?),
                    None => self.default("shell", &contexts)?,
                };
                let folder = match working_directory {
                    Some(folder) => Some(contexts.text(folder)?),
                    None => self.default("working-directory", &contexts)?,
                };
                let work = Work::Script {
                    shell: shell.map_or(Shell::Unspecified, |shell| Shell::named(&shell)),
                    script: contexts.text(script)?,
                };
                (work, folder.filter(|folder| !folder.is_empty()))
            }
            Task::Uses { action, with } => {
                let action = action.as_str().unwrap_or_default();
                let with = match with {
                    Some(with) => contexts.texts(with)?,
                    None => Vec::new(),
                };
                match used(action) {
                    Used::Builtin(builtin, version) => (self.builtin(builtin, version, &with)?, None),
                    Used::Local(path) => {
                        let within = self.within(step, number, path, &with, own, &contexts)?;
                        return Ok(Ready::Start(Box::new(Start::Action {
                            name,
                            within: Box::new(Within {
                                continue_on_error,
                                ..within
                            }),
                            timeout_minutes,
                        })));
                    }
                    Used::Image(_) | Used::Other(_) => return Err(not_here(action)),
                }
            }
            _ => return Err(not_here("a step beside others")),
        };
        let (work, working_directory) = work;
        let order = Box::new(StepOrder {
            job: self.parts.id.clone(),
            step: number,
            name: super::secrets::shown(&name),
            parent: self.parent(),
            work,
            env: self.variables(env, step, &contexts),
            path: self.path.clone(),
            working_directory,
            timeout_seconds: timeout_minutes.map(|minutes| (minutes * 60.0) as u64),
        });
        Ok(Ready::Start(Box::new(Start::Order {
            order,
            continue_on_error,
            timeout_minutes,
        })))
    }

    /// What the defaults of job and workflow say; they are not for composite actions.
    fn default(&self, key: &str, contexts: &Contexts<'_>) -> Result<Option<String>, EvaluationError> {
        if self.frames.len() > 1 {
            return Ok(None);
        }
        let mut found = None;
        for defaults in &self.parts.defaults {
            if let Some(token) = defaults.get("run").and_then(|run| run.get(key)) {
                found = Some(contexts.text(token)?);
            }
        }
        Ok(found)
    }

    fn variables(
        &self,
        env: Vec<(String, String)>,
        step: &Step,
        contexts: &Contexts<'_>,
    ) -> BTreeMap<String, String> {
        let mut github = match contexts_github(contexts) {
            Value::Object(github) => (*github).clone(),
            _ => Object::new(),
        };
        github.set("action", step.id.as_str());
        let mut variables = defaults(&github.into(), &self.runner);
        variables.extend(
            env.into_iter()
                .filter(|(name, _)| !is_reserved(name) && !name.is_empty()),
        );
        variables
    }

    fn builtin(
        &self,
        builtin: Builtin,
        version: &str,
        given: &[(String, String)],
    ) -> Result<Work, EvaluationError> {
        let mut with = BTreeMap::new();
        let contexts = self.contexts(self.frames.len() - 1);
        for input in builtin.inputs() {
            let given = given
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(input.name));
            let value = match given {
                Some((_, value)) => value.clone(),
                None => default_of(input.default, &contexts),
            };
            with.insert(input.name.to_owned(), value);
        }
        let known = |name: &str| {
            builtin
                .inputs()
                .iter()
                .any(|input| input.name.eq_ignore_ascii_case(name))
        };
        with.extend(given.iter().filter(|(name, _)| !known(name)).cloned());
        Ok(Work::Builtin {
            builtin,
            version: version.to_owned(),
            with,
            phase: Phase::Main,
            state: BTreeMap::new(),
        })
    }

    fn within(
        &self,
        step: &Step,
        number: StepNumber,
        path: String,
        given: &[(String, String)],
        env: Vec<(String, String)>,
        contexts: &Contexts<'_>,
    ) -> Result<Within, EvaluationError> {
        if self.frames.len() > MAX_ACTION_DEPTH {
            let message = format!("Local actions use each other more than {MAX_ACTION_DEPTH} levels deep");
            return Err(EvaluationError::Function(message));
        }
        let action = self
            .parts
            .plan
            .actions
            .get(&path)
            .ok_or_else(|| not_here(&path))?;
        let mut inputs = Object::new();
        for input in &action.inputs {
            let given = given
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&input.name));
            let value = match (given, &input.default) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(default)) => contexts.text(default)?,
                (None, None) => String::new(),
            };
            inputs.set(input.name.as_str(), value);
        }
        Ok(Within {
            number,
            step: step.clone(),
            action: Arc::clone(action),
            path,
            inputs: inputs.into(),
            env,
            continue_on_error: false,
            deadline: None,
        })
    }
}

fn contexts_github(contexts: &Contexts<'_>) -> Value {
    use crate::expression::Host;
    contexts.context("github")
}

fn not_here(what: &str) -> EvaluationError {
    EvaluationError::Function(format!("'{what}' cannot be carried out here"))
}

/// The default of a builtin's input: text, or one context of `github`.
fn default_of(default: &str, contexts: &Contexts<'_>) -> String {
    let key = default
        .strip_prefix("${{ github.")
        .and_then(|rest| rest.strip_suffix(" }}"));
    match key {
        Some(key) => contexts_github(contexts).get(key).to_text().to_string(),
        None => default.to_owned(),
    }
}

/// What people see: `name`, or what the step does. A name that cannot be evaluated is no reason to skip a step wrongly.
fn name(step: &Step, contexts: &Contexts<'_>, holds: bool) -> Result<String, EvaluationError> {
    if let Some(name) = &step.name {
        return match contexts.text(name) {
            Ok(name) => Ok(name),
            Err(error) if holds => Err(error),
            Err(_) => Ok(name.shown()),
        };
    }
    let token = match &step.task {
        Task::Run { script, .. } => script,
        Task::Uses { action, .. } => action,
        _ => return Ok(step.id.clone()),
    };
    let text = match (&token.kind, holds) {
        (Kind::Expression(_), false) => token.shown(),
        _ => contexts.text(token)?,
    };
    let first = text.trim().lines().next().unwrap_or_default().to_owned();
    Ok(format!("Run {first}"))
}
