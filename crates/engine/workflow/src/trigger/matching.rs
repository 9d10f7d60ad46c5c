//! Whether an event starts a workflow, and why.

use super::pattern::Patterns;
use crate::expression::{Object, Value};
use crate::reader::Kind;
use crate::workflow::{DispatchInput, Event, InputType, Workflow};
use std::collections::BTreeMap;

/// Something that happened.
#[derive(Clone, Debug, Default)]
pub struct Happening {
    /// The event: `push`, `pull_request`, `workflow_dispatch`, `schedule` ...
    pub event: String,
    /// What kind of it: `opened`, `synchronize` ...
    pub action: Option<String>,
    /// The full name of the reference: `refs/heads/main`, `refs/tags/v1`. For pull requests the one they go into.
    pub reference: String,
    /// What was changed, where that is known; path filters let pass what is not.
    pub paths: Option<Vec<String>>,
    /// The cron expression that is due, for `schedule`.
    pub schedule: Option<String>,
    /// The name of the workflow that ran, for `workflow_run`.
    pub workflow: Option<String>,
}

/// Whether a workflow starts, and why or why not, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it starts.
    pub starts: bool,
    /// In words.
    pub reason: String,
}

fn yes(reason: String) -> Answer {
    Answer { starts: true, reason }
}

fn no(reason: String) -> Answer {
    Answer {
        starts: false,
        reason,
    }
}

/// Asks a workflow whether it wants to run.
pub fn triggers(workflow: &Workflow, happening: &Happening) -> Answer {
    let name = happening.event.as_str();
    let Some(event) = workflow.events.get(name) else {
        let names: Vec<&str> = workflow
            .events
            .list
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        return no(format!("it runs on {}, not on {name}", names.join(", ")));
    };
    let refused = refused_type(event, happening)
        .or_else(|| refused_reference(event, happening))
        .or_else(|| refused_path(event, happening))
        .or_else(|| refused_schedule(event, happening))
        .or_else(|| refused_workflow(event, happening));
    match refused {
        Some(reason) => no(reason),
        None if happening.reference.is_empty() => yes(format!("it runs on {name}")),
        None => yes(format!("it runs on {name} of {}", short(&happening.reference))),
    }
}

fn refused_type(event: &Event, happening: &Happening) -> Option<String> {
    let action = happening.action.as_deref()?;
    let default = ["opened", "synchronize", "reopened"].map(str::to_owned);
    let wanted = match event.filters.get("types") {
        Some(types) => types.as_slice(),
        None if matches!(happening.event.as_str(), "pull_request" | "pull_request_target") => &default,
        None => return None,
    };
    let is_wanted = wanted.iter().any(|one| one == action);
    (!is_wanted).then(|| format!("it wants the types {}, this one is {action}", wanted.join(", ")))
}

fn refused_reference(event: &Event, happening: &Happening) -> Option<String> {
    let reference = happening.reference.as_str();
    let has = |filter: &str| event.filters.contains_key(filter);
    let has_branches = has("branches") || has("branches-ignore");
    let has_tags = has("tags") || has("tags-ignore");
    let (filter, name) = match reference.strip_prefix("refs/tags/") {
        Some(tag) => ("tags", tag),
        None => (
            "branches",
            reference.strip_prefix("refs/heads/").unwrap_or(reference),
        ),
    };
    if happening.event == "push" {
        if filter == "tags" && has_branches && !has_tags {
            return Some("it names branches only, and this is a tag".to_owned());
        }
        if filter == "branches" && has_tags && !has_branches {
            return Some("it names tags only, and this is a branch".to_owned());
        }
    }
    refused_by(event, filter, &[name.to_owned()], name)
}

fn refused_path(event: &Event, happening: &Happening) -> Option<String> {
    // Path filters are not asked for tags (GitHub, `on.push.paths`).
    if happening.reference.starts_with("refs/tags/") {
        return None;
    }
    let paths = happening.paths.as_ref()?;
    refused_by(event, "paths", paths, "what was changed")
}

fn refused_by(event: &Event, filter: &str, names: &[String], what: &str) -> Option<String> {
    if let Some(patterns) = event.filters.get(filter)
        && !names.iter().any(|name| Patterns(patterns).include(name))
    {
        return Some(format!(
            "`{filter}` ({}) does not have {what}",
            patterns.join(", ")
        ));
    }
    let ignore = format!("{filter}-ignore");
    if let Some(patterns) = event.filters.get(&ignore)
        && !names.is_empty()
        && names.iter().all(|name| Patterns(patterns).any(name))
    {
        return Some(format!("`{ignore}` ({}) has {what}", patterns.join(", ")));
    }
    None
}

fn refused_schedule(event: &Event, happening: &Happening) -> Option<String> {
    let due = happening.schedule.as_deref()?;
    let known = event.schedules.iter().any(|schedule| schedule.text == due);
    (!known).then(|| format!("it has no schedule '{due}'"))
}

fn refused_workflow(event: &Event, happening: &Happening) -> Option<String> {
    let ran = happening.workflow.as_ref()?;
    let wanted = event.filters.get("workflows")?;
    (!wanted.contains(ran)).then(|| format!("it waits for {}, and {ran} ran", wanted.join(", ")))
}

fn short(reference: &str) -> String {
    match (
        reference.strip_prefix("refs/heads/"),
        reference.strip_prefix("refs/tags/"),
    ) {
        (Some(branch), _) => format!("branch {branch}"),
        (_, Some(tag)) => format!("tag {tag}"),
        _ => reference.to_owned(),
    }
}

/// The `inputs` of a run that somebody starts by hand, typed, with their defaults; or what is wrong with those given.
pub fn dispatch_inputs(workflow: &Workflow, given: &BTreeMap<String, String>) -> Result<Object, Vec<String>> {
    let mut wrong = Vec::new();
    let mut inputs = Object::new();
    let declared = workflow
        .events
        .get("workflow_dispatch")
        .map_or(&[][..], |event| &event.inputs);
    for name in given.keys() {
        if !declared.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            let names: Vec<&str> = declared.iter().map(|(name, _)| name.as_str()).collect();
            wrong.push(format!(
                "Unexpected input '{name}'. The workflow takes: {}",
                names.join(", ")
            ));
        }
    }
    for (name, input) in declared {
        let text = given
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, text)| text.as_str());
        match typed(name, input, text) {
            Ok(value) => inputs.set(name.as_str(), value),
            Err(message) => wrong.push(message),
        }
    }
    match wrong.is_empty() {
        true => Ok(inputs),
        false => Err(wrong),
    }
}

fn typed(name: &str, input: &DispatchInput, given: Option<&str>) -> Result<Value, String> {
    let Some(text) = given else {
        return match &input.default {
            Some(default) => Ok(match &default.kind {
                Kind::Bool(b) => Value::Bool(*b),
                Kind::Number(n) if input.kind == InputType::Number => Value::Number(*n),
                _ => Value::from(default.shown()),
            }),
            None if input.required => Err(format!("Required input '{name}' not provided")),
            None if input.kind == InputType::Boolean => Ok(Value::Bool(false)),
            None => Ok(Value::text("")),
        };
    };
    match input.kind {
        InputType::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!(
                "Input '{name}' is a boolean: true or false, not '{text}'"
            )),
        },
        InputType::Number => {
            let number = Value::text(text).to_number();
            match number.is_nan() || text.trim().is_empty() {
                true => Err(format!("Input '{name}' is a number, not '{text}'")),
                false => Ok(Value::Number(number)),
            }
        }
        InputType::Choice if !input.options.iter().any(|option| option == text) => Err(format!(
            "Input '{name}' is one of {}, not '{text}'",
            input.options.join(", ")
        )),
        _ if input.required && text.is_empty() => Err(format!("Required input '{name}' not provided")),
        _ => Ok(Value::text(text)),
    }
}
