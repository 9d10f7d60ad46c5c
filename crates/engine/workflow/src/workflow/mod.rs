//! A workflow file as a structure: events, jobs, steps, called workflows.
//!
//! [`read`] checks all of it, called workflows included, and tells everything that is wrong at once.

mod calls;
mod condition;
mod containers;
mod events;
mod ids;
mod job;
mod permissions;
mod step;

pub use calls::{Call, CallDefinition, Secrets};
pub use condition::Condition;
pub use events::{CRON_FORMAT, DispatchInput, Event, Events, InputType, Schedule};
pub use job::{Body, Job};
pub use permissions::{Level, Permissions, Policy};
pub(crate) use step::read_steps;
pub use step::{Step, Task};

use crate::limits::{MAX_CALL_DEPTH, MAX_JOBS};
use crate::reader::{Bounds, Problem, Problems, Token};

/// Where the workflows of a repository are: the first of these folders that is there counts, alone.
pub const FOLDERS: &[&str] = &[
    ".deploy/workflows",
    ".forgejo/workflows",
    ".gitea/workflows",
    ".github/workflows",
];

/// Finds files that a workflow names: called workflows and local actions.
pub trait Files {
    /// The text of a file by its path in the repository; for workflows of other repositories by
    /// `owner/repository/path@ref`.
    fn read(&self, path: &str) -> Option<String>;
}

/// No files at all.
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Option<String> {
        None
    }
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether `on` may only have events and keys that there are.
    pub strict_events: bool,
    /// Whether steps may have `background`, `wait`, `wait-all` and `cancel`.
    pub background_steps: bool,
    /// Whether called workflows are read too; a call that is not is left open.
    pub follow_calls: bool,
    /// Bounds of one file.
    pub bounds: Bounds,
    /// How many jobs there may be, those of called workflows included.
    pub max_jobs: usize,
    /// How many levels of workflows may be called.
    pub max_call_depth: usize,
    /// What a token may do where no file says; none: nothing is checked against it.
    pub policy: Option<Policy>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            strict_events: true,
            background_steps: false,
            follow_calls: true,
            bounds: Bounds::default(),
            max_jobs: MAX_JOBS,
            max_call_depth: MAX_CALL_DEPTH,
            policy: None,
        }
    }
}

/// A workflow.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// The names of all files that places point into; this one's is the first unless it is a called one.
    pub files: Vec<String>,
    /// `name`
    pub name: Option<String>,
    /// `run-name`
    pub run_name: Option<Token>,
    /// `on`
    pub events: Events,
    /// What it takes and gives when it is called: `on.workflow_call`.
    pub call: Option<CallDefinition>,
    /// `env`
    pub env: Option<Token>,
    /// `defaults`
    pub defaults: Option<Token>,
    /// `permissions`
    pub permissions: Option<Permissions>,
    /// `concurrency`
    pub concurrency: Option<Token>,
    /// `jobs`, in their order.
    pub jobs: Vec<Job>,
}

impl Workflow {
    /// All jobs, those of called workflows too.
    pub fn count_jobs(&self) -> usize {
        let counts = self.jobs.iter().map(|job| match &job.body {
            Body::Call(Call {
                workflow: Some(called),
                ..
            }) => 1 + called.count_jobs(),
            _ => 1,
        });
        counts.sum()
    }
}

/// Reads a workflow. `name` is its path in the repository, which problems begin with.
pub fn read(name: &str, text: &str, files: &dyn Files, options: &Options) -> Result<Workflow, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut reading = Reading {
        files,
        options,
        problems: &mut problems,
        depth: 0,
    };
    let workflow = reading.workflow(name, text);
    if let (Some(workflow), false) = (&workflow, problems.any())
        && workflow.count_jobs() > options.max_jobs
    {
        problems.whole(format!(
            "The workflow may not contain more than {} jobs",
            options.max_jobs
        ));
    }
    match workflow {
        Some(mut workflow) if !problems.any() => {
            workflow.files = problems.files;
            Ok(workflow)
        }
        _ => Err(problems.list),
    }
}

/// The state of reading a workflow and those that it calls.
pub(crate) struct Reading<'r> {
    pub files: &'r dyn Files,
    pub options: &'r Options,
    pub problems: &'r mut Problems,
    /// How many calls led here.
    pub depth: usize,
}

impl Reading<'_> {
    fn workflow(&mut self, name: &str, text: &str) -> Option<Workflow> {
        let file = self.problems.file(name);
        let definition = match self.options.strict_events {
            true => "workflow",
            false => "workflow-lax",
        };
        let (bounds, background) = (self.options.bounds, self.options.background_steps);
        let before = self.problems.list.len();
        let root = crate::reader::read(file, text, definition, bounds, background, self.problems)?;
        if self.problems.list.len() > before {
            return None;
        }
        let on = root.get("on");
        let permissions = root.get("permissions").map(Permissions::read);
        let mut workflow = Workflow {
            files: Vec::new(),
            name: root.get("name").and_then(|t| t.as_str().map(str::to_owned)),
            run_name: root.get("run-name").cloned(),
            events: on.map(|on| events::read(on, self.problems)).unwrap_or_default(),
            call: on.and_then(CallDefinition::read),
            env: root.get("env").cloned(),
            defaults: root.get("defaults").cloned(),
            permissions,
            concurrency: root.get("concurrency").cloned(),
            jobs: Vec::new(),
        };
        if let Some(jobs) = root.get("jobs") {
            workflow.jobs = job::read_jobs(jobs, self);
        }
        if self.options.follow_calls && self.problems.list.len() == before {
            calls::follow(&mut workflow, self);
        }
        Some(workflow)
    }

    /// Reads a called workflow.
    pub fn called(&mut self, name: &str, text: &str) -> Option<Workflow> {
        self.depth += 1;
        let workflow = self.workflow(name, text);
        self.depth -= 1;
        workflow
    }
}
