//! Workflows that are called by jobs: what they take, what they give, what they may do.

use super::permissions::Permissions;
use super::{Body, Job, Reading, Workflow};
use crate::reader::{Hint, Kind, Problems, Token};

/// A job that calls a workflow.
#[derive(Clone, Debug)]
pub struct Call {
    /// `uses`: `./.github/workflows/x.yml`, or `owner/repository/.github/workflows/x.yml@ref`.
    pub target: Token,
    /// `with`
    pub with: Option<Token>,
    /// `secrets`
    pub secrets: Secrets,
    /// The workflow, where it was read.
    pub workflow: Option<Box<Workflow>>,
}

/// Which secrets a called workflow gets.
#[derive(Clone, Debug)]
pub enum Secrets {
    /// None.
    None,
    /// All of the caller's.
    Inherit,
    /// Those of a mapping.
    Given(Token),
}

/// `on.workflow_call`
#[derive(Clone, Debug, Default)]
pub struct CallDefinition {
    /// `inputs`
    pub inputs: Option<Token>,
    /// `secrets`
    pub secrets: Option<Token>,
    /// `outputs`
    pub outputs: Option<Token>,
}

impl CallDefinition {
    /// Reads it from `on`; none where the workflow cannot be called.
    pub(super) fn read(on: &Token) -> Option<CallDefinition> {
        match &on.kind {
            Kind::String(event) if &**event == "workflow_call" => Some(CallDefinition::default()),
            Kind::Sequence(events) => {
                let named = events.iter().any(|event| event.as_str() == Some("workflow_call"));
                named.then(CallDefinition::default)
            }
            Kind::Mapping(_) => {
                let call = on.get("workflow_call")?;
                Some(CallDefinition {
                    inputs: call.get("inputs").cloned(),
                    secrets: call.get("secrets").cloned(),
                    outputs: call.get("outputs").cloned(),
                })
            }
            _ => None,
        }
    }
}

/// `./folder/name.yml`, or `owner/repository/folder/name.yml@ref`
pub(super) fn check_target(target: &Token, problems: &mut Problems) {
    let Some(text) = target.as_str() else { return };
    let path = match text.strip_prefix("./") {
        Some(path) => Some(path),
        None => text.split_once('@').and_then(|(path, reference)| {
            let whole = path.split('/').filter(|segment| !segment.is_empty()).count() >= 3;
            (whole && !reference.is_empty()).then_some(path)
        }),
    };
    let is_file = |path: &str| path.ends_with(".yml") || path.ends_with(".yaml");
    if !path.is_some_and(is_file) {
        problems.hinted(
            target.place,
            format!("invalid value workflow reference '{text}'"),
            Hint::CallLocal,
        );
    }
}

/// Reads the workflows that the jobs of a workflow call, and checks what they are given.
pub(super) fn follow(workflow: &mut Workflow, reading: &mut Reading<'_>) {
    let own = workflow.permissions.clone();
    for job in &mut workflow.jobs {
        let Body::Call(call) = &mut job.body else { continue };
        let target = call.target.shown();
        if reading.depth + 1 > reading.options.max_call_depth {
            let depth = reading.options.max_call_depth;
            reading
                .problems
                .whole(format!("Nested reusable workflow depth exceeded {depth}."));
            return;
        }
        let path = target.strip_prefix("./").unwrap_or(&target);
        let Some(text) = reading.files.read(path) else {
            reading.problems.hinted(
                call.target.place,
                "Unable to find reusable workflow",
                Hint::CallLocal,
            );
            continue;
        };
        let Some(called) = reading.called(path, &text) else {
            continue;
        };
        let Some(definition) = &called.call else {
            let message = "workflow_call key is not defined in the referenced workflow.";
            reading.problems.at(call.target.place, message);
            continue;
        };
        check_inputs(call, definition, reading);
        check_secrets(call, definition, reading);
        let default = || reading.options.policy.map(Permissions::of);
        let allowed = job.permissions.clone().or_else(|| own.clone()).or_else(default);
        call.workflow = Some(Box::new(called));
        if let Some(allowed) = allowed {
            check_permissions(job, &allowed, reading);
        }
    }
}

fn check_inputs(call: &Call, definition: &CallDefinition, reading: &mut Reading<'_>) {
    let given = |name: &str| call.with.as_ref().and_then(|with| with.get(name));
    for (name, input) in definition.inputs.as_ref().map_or(&[][..], Token::entries) {
        let name = name.shown();
        let required = input.get("required").and_then(Token::as_bool) == Some(true);
        if required && given(&name).is_none() {
            let message = format!("Input {name} is required, but not provided while calling.");
            reading.problems.at(call.target.place, message);
        }
    }
    for (name, value) in call.with.as_ref().map_or(&[][..], Token::entries) {
        let name = name.shown();
        let Some(input) = definition.inputs.as_ref().and_then(|inputs| inputs.get(&name)) else {
            let message = format!("Invalid input, {name} is not defined in the referenced workflow.");
            reading.problems.at(value.place, message);
            continue;
        };
        let fits = match (input.get("type").and_then(Token::as_str), &value.kind) {
            (_, Kind::Expression(_)) => true,
            (Some("boolean"), kind) => matches!(kind, Kind::Bool(_)),
            (Some("number"), kind) => matches!(kind, Kind::Number(_)),
            _ => true,
        };
        if !fits {
            reading
                .problems
                .at(value.place, format!("Unexpected value '{}'", value.shown()));
        }
    }
}

fn check_secrets(call: &Call, definition: &CallDefinition, reading: &mut Reading<'_>) {
    if matches!(call.secrets, Secrets::Inherit) {
        return;
    }
    let given = match &call.secrets {
        Secrets::Given(token) => token.entries(),
        _ => &[],
    };
    let is_given = |name: &str| {
        given
            .iter()
            .any(|(key, _)| key.shown().eq_ignore_ascii_case(name))
    };
    for (name, secret) in definition.secrets.as_ref().map_or(&[][..], Token::entries) {
        let name = name.shown();
        let required = secret.get("required").and_then(Token::as_bool) == Some(true);
        if required && !is_given(&name) {
            let message = format!("Secret {name} is required, but not provided while calling.");
            reading.problems.at(call.target.place, message);
        }
    }
    for (name, value) in given {
        let name = name.shown();
        if definition
            .secrets
            .as_ref()
            .is_none_or(|secrets| secrets.get(&name).is_none())
        {
            let message = format!("Invalid secret, {name} is not defined in the referenced workflow.");
            reading.problems.at(value.place, message);
        }
    }
}

/// A called workflow and its jobs may not do more than the job that calls it.
fn check_permissions(job: &Job, allowed: &Permissions, reading: &mut Reading<'_>) {
    let Body::Call(call) = &job.body else { return };
    let Some(called) = &call.workflow else { return };
    let target = call.target.shown();
    let mut tell = |who: String, asked: &Permissions| {
        let Some((asked, only)) = asked.excess(allowed) else {
            return;
        };
        let message = format!(
            "Error calling workflow '{target}'. {who} is requesting '{asked}', but is only allowed '{only}'."
        );
        reading.problems.at(job.id.place, message);
    };
    if let Some(asked) = &called.permissions {
        tell(format!("The workflow '{target}'"), asked);
    }
    for nested in &called.jobs {
        if let Some(asked) = &nested.permissions {
            tell(format!("The nested job '{}'", nested.name.shown()), asked);
        }
    }
}
