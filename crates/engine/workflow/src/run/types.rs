//! What goes into the machine of a run and what comes out of it. All of it is data and can be kept in the ledger:
//! no secret is ever in an input or an effect in the clear, only holes that [`super::secrets::fill`] closes.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One job of one run, as the ledger and the log folder name it: `build`, `test.2` (third combination of a matrix),
/// `deploy/publish` (a job of the called workflow).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The order in which a job began its steps, from 0. Steps within composite actions and post steps are counted too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepNumber(pub u32);

impl fmt::Display for StepNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is known before the first job starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The `github` context: `event_name`, `ref`, `sha`, `repository`, `actor`, `run_id`, `run_number`, `event` ...
    /// The keys `job`, `action*`, `workspace` and `env` are set by the machine.
    pub github: serde_json::Map<String, serde_json::Value>,
    /// The `vars` context.
    pub vars: BTreeMap<String, String>,
    /// The names of the secrets that are set and not empty.
    pub secrets: BTreeSet<String>,
    /// What `workflow_dispatch` was given; the machine fills in the defaults.
    pub inputs: BTreeMap<String, String>,
}

/// Who carries a job out: the `runner` context, and where the job's files are, as its steps see them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// `runner.name`
    pub name: String,
    /// `runner.os`: `Linux`
    pub os: String,
    /// `runner.arch`: `X64`, `ARM64`
    pub arch: String,
    /// `runner.temp`, an absolute path
    pub temp: String,
    /// `runner.tool_cache`, an absolute path
    pub tool_cache: String,
    /// `github.workspace`, an absolute path
    pub workspace: String,
    /// Variables of the job's root, as `PATH` and `HOME`. They are not in the `env` context.
    pub environment: BTreeMap<String, String>,
}

/// How a step or a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// It did what it should, or its failure was allowed.
    Success,
    /// It failed, or took too long.
    Failure,
    /// Someone or something stopped it.
    Cancelled,
    /// Its condition was false, or what it needs did not succeed.
    Skipped,
}

impl Conclusion {
    /// As GitHub writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Conclusion::Success => "success",
            Conclusion::Failure => "failure",
            Conclusion::Cancelled => "cancelled",
            Conclusion::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a step changed for those after it. Made by [`super::files`] from the command files and by
/// [`super::commands`] from its output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// `GITHUB_OUTPUT`, or a builtin's outputs, in order; a later one wins.
    pub outputs: Vec<(String, String)>,
    /// `GITHUB_ENV`, in order.
    pub env: Vec<(String, String)>,
    /// `GITHUB_PATH`, in order: the last is searched first.
    pub path: Vec<String>,
    /// `GITHUB_STATE`: for the step's own post step.
    pub state: Vec<(String, String)>,
}

/// What happened. The shell writes it to the ledger, then hands it to [`super::Run::step`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Input {
    /// The run begins. The first input, once.
    Started,
    /// The concurrency group that [`Effect::AskGroup`] asked for is ours.
    GroupGranted {
        /// The job that asked; none where the run did.
        job: Option<JobId>,
    },
    /// A runner took the job of [`Effect::StartJob`] and its root stands: the first step can run.
    JobAssigned {
        /// Which job.
        job: JobId,
        /// Who has it.
        runner: Runner,
    },
    /// The answer to [`Effect::HashFiles`].
    FilesHashed {
        /// Which job asked.
        job: JobId,
        /// As asked.
        patterns: Vec<String>,
        /// SHA-256 in hex; empty where no file matched.
        hash: String,
    },
    /// A step of [`Effect::RunStep`] ended by itself or because of [`Effect::StopStep`].
    StepEnded {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// `Success`, `Failure`, or `Cancelled` where it was stopped; never `Skipped`.
        outcome: Conclusion,
        /// What it left for others.
        changes: Changes,
    },
    /// The job cannot go on: no runner has its labels, its root could not be made, its runner is gone.
    /// No further input of this job may follow; the machine ends it as failed.
    JobFailed {
        /// Which job.
        job: JobId,
        /// Why, for people.
        reason: String,
    },
    /// Somebody wants the run to stop. Steps with `if: always()` and `if: cancelled()` still run.
    Cancel {
        /// Why, for people.
        reason: String,
    },
    /// Somebody wants one job to stop, as its concurrency group was taken by a newer one.
    CancelJob {
        /// Which job.
        job: JobId,
        /// Why, for people.
        reason: String,
    },
    /// Time has passed: [`super::Run::next_deadline`] is reached.
    Tick,
}

/// What to do. Effects name the job and the step, so doing one twice can be told from doing two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// Get a concurrency group for the run or one of its jobs: ask [`super::Groups`], answer with
    /// [`Input::GroupGranted`].
    AskGroup {
        /// The job that needs it; none where the whole run does.
        job: Option<JobId>,
        /// Its name; names are compared ignoring case.
        group: String,
        /// Whether those that hold it now are to be cancelled.
        cancel_in_progress: bool,
        /// How many may wait.
        queue: super::Waiting,
    },
    /// The group is no longer needed.
    LeaveGroup {
        /// Who asked for it.
        job: Option<JobId>,
        /// Its name.
        group: String,
    },
    /// Find a runner and make the job's root; answer with [`Input::JobAssigned`] or [`Input::JobFailed`].
    StartJob(Box<JobOrder>),
    /// Carry a step out; answer with [`Input::StepEnded`].
    RunStep(Box<StepOrder>),
    /// Stop a step that is running: SIGINT, after `grace_seconds` SIGKILL for all of it; answer with
    /// [`Input::StepEnded`].
    StopStep {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// Why, for people.
        reason: String,
        /// How long it may take to go by itself.
        grace_seconds: u32,
    },
    /// Hash the files of the job's workspace that match, as `hashFiles` does; answer with [`Input::FilesHashed`].
    HashFiles {
        /// Which job.
        job: JobId,
        /// Globs, relative to the workspace; `!` excludes.
        patterns: Vec<String>,
    },
    /// A step did not run. For log and page.
    StepSkipped {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// Its name.
        name: String,
        /// The step of [`Effect::GroupBegan`] that it is part of.
        parent: Option<StepNumber>,
    },
    /// A composite action begins: the steps until [`Effect::GroupEnded`] are its.
    GroupBegan {
        /// Which job.
        job: JobId,
        /// The step that uses the action.
        step: StepNumber,
        /// Its name.
        name: String,
        /// The composite action that it is itself part of.
        parent: Option<StepNumber>,
    },
    /// The composite action of a step ended.
    GroupEnded {
        /// Which job.
        job: JobId,
        /// The step that uses the action.
        step: StepNumber,
        /// How.
        conclusion: Conclusion,
    },
    /// Something to tell people, in the job's log: a condition that cannot be evaluated, an output that would have
    /// shown a secret.
    Note {
        /// Which job; none where it is about the run.
        job: Option<JobId>,
        /// How bad it is.
        level: Level,
        /// The text.
        message: String,
    },
    /// A job ended, also where it never started: take its root away.
    EndJob {
        /// Which job.
        job: JobId,
        /// Its name, as people see it.
        name: String,
        /// How.
        conclusion: Conclusion,
        /// What others can use as `needs.<job>.outputs`.
        outputs: BTreeMap<String, String>,
        /// Why it was skipped, failed or cancelled, where no step says so.
        reason: Option<String>,
    },
    /// The run ended: the last effect.
    EndRun {
        /// How.
        conclusion: Conclusion,
    },
}

/// How bad a note or an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Seen where debug logging is on.
    Debug,
    /// For information.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
}

/// What a runner needs to know to take a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobOrder {
    /// Which job.
    pub job: JobId,
    /// Its name, as people see it: `test (22, ubuntu)`.
    pub name: String,
    /// `runs-on`.
    pub labels: Vec<String>,
    /// The combination of the matrix, as the `matrix` context has it; null without one.
    pub matrix: serde_json::Value,
    /// `container`: the image that is the job's root.
    pub container: Option<Container>,
    /// `services`, by name.
    pub services: BTreeMap<String, Container>,
    /// `timeout-minutes`, in seconds, from the assignment. The machine itself counts it: for information.
    pub timeout_seconds: u64,
    /// `environment`, where the job names one.
    pub environment: Option<String>,
}

/// A container of a job. Its strings may have holes: see [`super::secrets::fill`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The image reference.
    pub image: String,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// As `8080:80`.
    pub ports: Vec<String>,
    /// As `name:/path`.
    pub volumes: Vec<String>,
    /// Options of `docker create`.
    pub options: String,
    /// User name and password for the registry.
    pub credentials: Option<(String, String)>,
}

/// One step to carry out. All strings may have holes where secrets go: [`StepOrder::fill`] closes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOrder {
    /// Which job.
    pub job: JobId,
    /// Which step.
    pub step: StepNumber,
    /// As people see it: `Run make test`.
    pub name: String,
    /// The composite action that it is part of.
    pub parent: Option<StepNumber>,
    /// What to run.
    pub work: Work,
    /// All variables that the workflow gives, `GITHUB_*`, `RUNNER_*`, `CI` among them. The shell adds the paths of
    /// the command files (`GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_PATH`, `GITHUB_STATE`, `GITHUB_STEP_SUMMARY`,
    /// `GITHUB_EVENT_PATH`) and the [`Runner::environment`] below all of it.
    pub env: BTreeMap<String, String>,
    /// Folders to put before `PATH`, the first one first.
    pub path: Vec<String>,
    /// Relative to the workspace, or absolute; none means the workspace.
    pub working_directory: Option<String>,
    /// `timeout-minutes`, in seconds. The machine itself counts it: for information.
    pub timeout_seconds: Option<u64>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Work {
    /// `run`: write the script to a file and start the shell on it.
    Script {
        /// With what.
        shell: super::Shell,
        /// All expressions are resolved.
        script: String,
    },
    /// `uses` of an action that is built in.
    Builtin {
        /// Which one.
        builtin: super::Builtin,
        /// The version that is written behind `@`.
        version: String,
        /// `with`, completed by the defaults, in the spelling of the action's own inputs.
        with: BTreeMap<String, String>,
        /// What to do: its main part or, at the end of the job, what it left to do.
        phase: Phase,
        /// What the main part left in [`Changes::state`]; empty for the main part.
        state: BTreeMap<String, String>,
    },
}

/// Which part of an action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Where it stands in the file.
    Main,
    /// At the end of the job, the last first: saving a cache, forgetting a login.
    Post,
}
