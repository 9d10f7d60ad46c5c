//! The plan of a run: a workflow with the local actions that its steps use, all of it known to be runnable here.

mod action;
pub(crate) mod matrix;

pub use action::{Action, ActionInput};
pub use matrix::Combination;

use crate::limits::MAX_ACTION_DEPTH;
use crate::reader::{Hint, Problem, Problems, Token};
use crate::run::Builtin;
use crate::workflow::{Body, Call, Files, Step, Task, Workflow};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run carries out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workflow, with those that it calls.
    pub workflow: Arc<Workflow>,
    /// The local actions that its steps use, by their path in the repository.
    pub actions: BTreeMap<String, Arc<Action>>,
}

/// Makes the plan of a workflow, or tells what of it cannot be carried out. `files` finds `action.yml`.
pub fn plan(workflow: Workflow, files: &dyn Files) -> Result<Plan, Vec<Problem>> {
    let mut problems = Problems {
        files: workflow.files.clone(),
        list: Vec::new(),
    };
    let mut actions = BTreeMap::new();
    let mut planning = Planning {
        files,
        problems: &mut problems,
        actions: &mut actions,
    };
    planning.workflow(&workflow);
    match problems.any() {
        true => Err(problems.list),
        false => Ok(Plan {
            workflow: Arc::new(workflow),
            actions,
        }),
    }
}

/// What a step uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used<'a> {
    /// An action that is part of Deploy, and the version behind `@`.
    Builtin(Builtin, &'a str),
    /// A folder of the repository, without `./`.
    Local(String),
    /// `docker://image`
    Image(&'a str),
    /// An action of another repository.
    Other(&'a str),
}

/// What the text of `uses` means.
pub fn used(action: &str) -> Used<'_> {
    if let Some(path) = action.strip_prefix("./").or_else(|| action.strip_prefix("$/")) {
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty() && *segment != ".");
        return Used::Local(segments.collect::<Vec<_>>().join("/"));
    }
    if let Some(image) = action.strip_prefix("docker://") {
        return Used::Image(image);
    }
    let (name, version) = action.split_once('@').unwrap_or((action, ""));
    match Builtin::of_action(name) {
        Some(builtin) => Used::Builtin(builtin, version),
        None => Used::Other(name),
    }
}

struct Planning<'p> {
    files: &'p dyn Files,
    problems: &'p mut Problems,
    actions: &'p mut BTreeMap<String, Arc<Action>>,
}

impl Planning<'_> {
    fn workflow(&mut self, workflow: &Workflow) {
        for job in &workflow.jobs {
            match &job.body {
                Body::Steps(steps) => self.steps(steps, 0),
                Body::Call(Call {
                    workflow: Some(called),
                    ..
                }) => self.workflow(called),
                Body::Call(call) => self.problems.hinted(
                    call.target.place,
                    "Unable to find reusable workflow",
                    Hint::CallLocal,
                ),
            }
        }
    }

    fn steps(&mut self, steps: &[Step], depth: usize) {
        for step in steps {
            match &step.task {
                Task::Run { .. } => {}
                Task::Uses { action, with } => self.action(action, with.as_ref(), depth),
                Task::Parallel(_) | Task::Wait(_) | Task::WaitAll | Task::Cancel(_) => self.problems.hinted(
                    step.place,
                    "Steps that run beside each other are not supported",
                    Hint::OneAfterTheOther,
                ),
            }
        }
    }

    fn action(&mut self, action: &Token, with: Option<&Token>, depth: usize) {
        let Some(text) = action.as_str() else { return };
        match used(text) {
            Used::Builtin(builtin, _) => {
                let given = |name: &str| with.is_some_and(|with| with.get(name).is_some());
                for input in builtin
                    .inputs()
                    .iter()
                    .filter(|input| input.required && !given(input.name))
                {
                    let message = format!("Input required and not supplied: {}", input.name);
                    self.problems.at(action.place, message);
                }
            }
            Used::Local(path) => self.local(&path, action, depth),
            Used::Image(_) => self.problems.hinted(
                action.place,
                format!("'{text}' runs a container, which is not supported"),
                Hint::JobContainer,
            ),
            Used::Other(name) => {
                self.problems.hinted(
                    action.place,
                    format!("The action '{text}' is not built in"),
                    hint(name),
                );
            }
        }
    }

    fn local(&mut self, path: &str, used_at: &Token, depth: usize) {
        if self.actions.contains_key(path) {
            return;
        }
        if depth >= MAX_ACTION_DEPTH {
            let message = format!("Local actions use each other more than {MAX_ACTION_DEPTH} levels deep");
            return self.problems.at(used_at.place, message);
        }
        let folder = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let candidates = ["action.yml", "action.yaml"].map(|name| format!("{folder}{name}"));
        let found = candidates
            .iter()
            .find_map(|file| Some((file, self.files.read(file)?)));
        let Some((file, text)) = found else {
            return self.problems.hinted(
                used_at.place,
                format!("Can't find 'action.yml' or 'action.yaml' under './{path}'"),
                Hint::LocalAction,
            );
        };
        let Some(action) = Action::read(file, &text, used_at.place, self.problems) else {
            return;
        };
        let action = Arc::new(action);
        // Entered before its own steps are looked at, so that actions in a circle end here; the run's depth stops them.
        self.actions.insert(path.to_owned(), Arc::clone(&action));
        self.steps(&action.steps, depth + 1);
    }
}

fn hint(action: &str) -> Hint {
    match action {
        "actions/setup-node" => Hint::HasTool("node"),
        "actions/setup-python" => Hint::HasTool("python3"),
        "actions/setup-go" => Hint::HasTool("go"),
        "actions/setup-java" => Hint::HasTool("java"),
        "actions-rs/toolchain" | "dtolnay/rust-toolchain" | "actions-rust-lang/setup-rust-toolchain" => {
            Hint::HasTool("cargo")
        }
        "ruby/setup-ruby" => Hint::HasTool("ruby"),
        "docker/setup-qemu-action" => Hint::NotNeeded,
        _ => Hint::NotBuiltIn,
    }
}
