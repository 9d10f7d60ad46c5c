//! A runner in a folder of its own, a machine that plays a script, and the proof that nothing is left.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_jobs::{
    Event, Ground, Labels, Limits, Machine, NoLedger, Options, RunOrder, RunReport, Runner, Source, Way,
    step_log,
};
use deploy_workflow::run::{
    Builtin, Changes, Conclusion, Effect, Input, JobId, JobOrder, Phase, Shell, StepNumber, StepOrder, Work,
};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test with real rooms, as root; prints that it was skipped otherwise.
pub fn run<F: Future<Output = ()>>(name: &str, test: impl FnOnce(World) -> F) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {name} needs root");
        return;
    }
    let world = World::new(name);
    let folder = world.folder.clone();
    let guard = Guard(folder.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, test(world))
            .await
            .expect("the test takes too long");
    });
    drop(runtime);
    assert_eq!(left(&folder), Vec::<String>::new(), "left behind");
    drop(guard);
}

/// What sessions of a folder have left of the machine.
pub fn left(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for session in fs::read_dir(folder.join("ci/sessions"))
        .into_iter()
        .flatten()
        .flatten()
    {
        left.push(session.path().display().to_string());
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let text = folder.display().to_string();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&text))
            .map(str::to_owned),
    );
    left
}

struct Guard(PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

pub struct World {
    pub folder: PathBuf,
    pub source: PathBuf,
    pub limits: Limits,
    pub labels: Labels,
    pub jobs: usize,
    pub secrets: BTreeMap<String, String>,
}

impl World {
    fn new(name: &str) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("deploy-jobs-{}-{number}-{name}", std::process::id()));
        let source = folder.join("source");
        fs::create_dir_all(&source).unwrap();
        World {
            folder,
            source,
            limits: Limits::default(),
            labels: Labels::default(),
            jobs: 4,
            secrets: BTreeMap::new(),
        }
    }

    pub fn ground(&self) -> Ground {
        Ground {
            folder: self.folder.join("ci"),
            images: self.folder.join("images"),
            program: env!("CARGO_BIN_EXE_deploy-jobs-shim").into(),
            home: std::env::var_os("HOME").unwrap_or_default().into(),
            path: std::env::var("PATH").unwrap_or_default(),
            way: Way::Nowhere,
        }
    }

    pub async fn runner(&self) -> Arc<Runner> {
        let mut options = Options::new(self.ground(), Arc::new(NoLedger));
        options.limits = self.limits.clone();
        options.labels = self.labels.clone();
        options.jobs = self.jobs;
        Runner::start(options).await.unwrap()
    }

    pub fn order(&self, id: &str, jobs: usize) -> (RunOrder, broadcast::Receiver<Event>) {
        let (listeners, events) = Runner::listeners();
        let github = serde_json::json!({"repository": "me/shop", "event": {"ref": "refs/heads/main"}});
        let order = RunOrder {
            id: id.to_owned(),
            github: github.as_object().unwrap().clone(),
            secrets: self.secrets.clone(),
            environment: BTreeMap::new(),
            source: Source::Folder(self.source.clone()),
            jobs,
            listeners,
        };
        (order, events)
    }

    /// Plays one job to its end.
    pub async fn play(&self, steps: Vec<Step>) -> Played {
        let runner = self.runner().await;
        let played = self.play_on(&runner, "r1", steps, CancellationToken::new()).await;
        runner.close().await.unwrap();
        played
    }

    pub async fn play_on(
        &self,
        runner: &Arc<Runner>,
        id: &str,
        steps: Vec<Step>,
        cancel: CancellationToken,
    ) -> Played {
        let (order, _) = self.order(id, 1);
        let machine = Box::new(Script::new(steps));
        let report = runner.run(order, machine, cancel).await.unwrap();
        Played {
            logs: runner.logs().to_owned(),
            report,
        }
    }
}

/// A run that has ended.
pub struct Played {
    pub logs: PathBuf,
    pub report: RunReport,
}

impl Played {
    pub fn outcomes(&self) -> Vec<Conclusion> {
        assert_eq!(self.report.jobs["job"].reason, None);
        self.report.jobs["job"]
            .steps
            .iter()
            .map(|step| step.outcome)
            .collect()
    }

    /// A step's lines behind its head, without times.
    pub fn said(&self, step: u32) -> Vec<String> {
        let path = step_log(
            &self.logs,
            &self.report.run,
            &JobId("job".to_owned()),
            StepNumber(step),
        );
        let text = fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .map(|line| line.split_once(' ').map_or("", |(_, text)| text).to_owned());
        let all: Vec<String> = lines.collect();
        let head = all
            .iter()
            .position(|line| line == "##[endgroup]")
            .map_or(0, |at| at + 1);
        all[head..].to_vec()
    }
}

/// A step of a script.
#[derive(Clone)]
pub struct Step {
    work: Work,
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    timeout: Option<Duration>,
    /// Also after a failure.
    always: bool,
}

pub fn sh(script: &str) -> Step {
    shell("bash", script)
}

pub fn shell(name: &str, script: &str) -> Step {
    Step {
        work: Work::Script {
            shell: Shell::named(name),
            script: script.to_owned(),
        },
        env: BTreeMap::new(),
        cwd: None,
        timeout: None,
        always: false,
    }
}

pub fn uses(builtin: Builtin, with: &[(&str, &str)]) -> Step {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for input in builtin.inputs() {
        let default = if input.default.contains("${{") {
            ""
        } else {
            input.default
        };
        all.insert(input.name.to_owned(), default.to_owned());
    }
    all.extend(
        with.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    Step {
        work: Work::Builtin {
            builtin,
            version: "v4".to_owned(),
            with: all,
            phase: Phase::Main,
            state: BTreeMap::new(),
        },
        ..sh("")
    }
}

impl Step {
    pub fn within(mut self, folder: &str) -> Step {
        self.cwd = Some(folder.to_owned());
        self
    }

    pub fn timeout(mut self, time: Duration) -> Step {
        self.timeout = Some(time);
        self
    }

    pub fn always(mut self) -> Step {
        self.always = true;
        self
    }
}

/// Plays one job's steps in their order; what one changes, the next ones have.
pub struct Script {
    steps: VecDeque<Step>,
    next: u32,
    failed: bool,
    cancelled: bool,
    env: BTreeMap<String, String>,
    path: Vec<String>,
    deadline: Option<(Timestamp, StepNumber)>,
}

const JOB: &str = "job";

impl Script {
    pub fn new(steps: Vec<Step>) -> Script {
        Script {
            steps: steps.into(),
            next: 0,
            failed: false,
            cancelled: false,
            env: BTreeMap::new(),
            path: Vec::new(),
            deadline: None,
        }
    }

    fn go_on(&mut self, now: Timestamp) -> Vec<Effect> {
        while let Some(step) = self.steps.pop_front() {
            if (self.failed || self.cancelled) && !step.always {
                continue;
            }
            let number = StepNumber(self.next);
            self.next += 1;
            self.deadline = step
                .timeout
                .map(|time| (now + jiff::SignedDuration::try_from(time).unwrap(), number));
            let mut env = self.env.clone();
            env.extend(step.env);
            return vec![Effect::RunStep(Box::new(StepOrder {
                job: JobId(JOB.to_owned()),
                step: number,
                name: format!("step {number}"),
                parent: None,
                work: step.work,
                env,
                path: self.path.clone(),
                working_directory: step.cwd,
                timeout_seconds: None,
            }))];
        }
        self.end(None)
    }

    fn end(&mut self, reason: Option<String>) -> Vec<Effect> {
        let conclusion = match (self.cancelled, self.failed) {
            (true, _) => Conclusion::Cancelled,
            (_, true) => Conclusion::Failure,
            _ => Conclusion::Success,
        };
        vec![
            Effect::EndJob {
                job: JobId(JOB.to_owned()),
                name: JOB.to_owned(),
                conclusion,
                outputs: BTreeMap::new(),
                reason,
            },
            Effect::EndRun { conclusion },
        ]
    }

    fn stop(&mut self, reason: &str) -> Vec<Effect> {
        vec![Effect::StopStep {
            job: JobId(JOB.to_owned()),
            step: StepNumber(self.next.saturating_sub(1)),
            reason: reason.to_owned(),
            grace_seconds: 1,
        }]
    }

    fn take(&mut self, changes: Changes) {
        self.env.extend(changes.env);
        for folder in changes.path {
            self.path.insert(0, folder);
        }
        let outputs = changes
            .outputs
            .into_iter()
            .map(|(name, value)| (format!("OUT_{}", name.replace('-', "_")), value));
        self.env.extend(outputs);
    }
}

impl Machine for Script {
    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Started => vec![Effect::StartJob(Box::new(JobOrder {
                job: JobId(JOB.to_owned()),
                name: JOB.to_owned(),
                labels: vec!["ubuntu-latest".to_owned()],
                matrix: serde_json::Value::Null,
                container: None,
                services: BTreeMap::new(),
                timeout_seconds: 3600,
                environment: None,
            }))],
            Input::JobAssigned { .. } => self.go_on(now),
            Input::StepEnded { outcome, changes, .. } => {
                self.deadline = None;
                self.failed |= outcome != Conclusion::Success;
                self.take(changes);
                self.go_on(now)
            }
            Input::JobFailed { reason, .. } => {
                self.failed = true;
                self.end(Some(reason))
            }
            Input::Cancel { reason } => {
                self.cancelled = true;
                self.stop(&reason)
            }
            Input::Tick => {
                self.deadline = None;
                self.stop("The step took too long.")
            }
            _ => Vec::new(),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.deadline.map(|(at, _)| at)
    }
}
