//! A run, from its first effect to its last.

mod drive;
mod hash;
mod job;
mod rooms;
mod step;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use deploy_workflow::run::{Effect, Groups, Input};
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builtin::{Artifacts, Builder, Cache};
use crate::error::JobsError;
use crate::events::Event;
use crate::labels::Labels;
use crate::ledger::Ledger;
use crate::limits::{LOG_BACKLOG, MAX_CACHE_BYTES, MAX_JOBS};
use crate::report::RunReport;
use crate::room::{Ground, Limits};
use crate::source::Source;

pub(crate) use job::{Context, Job};
use rooms::Hotel;
pub(crate) use step::Done;

/// The state machine of one run: `deploy_workflow::run::Run`, or what a test has in its place.
pub trait Machine: Send {
    /// What follows from what happened.
    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect>;

    /// When it wants an [`Input::Tick`].
    fn next_deadline(&self) -> Option<Timestamp>;
}

impl Machine for deploy_workflow::run::Run {
    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        deploy_workflow::run::Run::step(self, now, input)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        deploy_workflow::run::Run::next_deadline(self)
    }
}

/// What a runner is made of.
pub struct Options {
    /// Where rooms are made, and of what.
    pub ground: Ground,
    /// Which labels stand for which roots.
    pub labels: Labels,
    /// What each job may use.
    pub limits: Limits,
    /// Jobs at a time.
    pub jobs: usize,
    /// Bytes of all caches.
    pub cache_bytes: u64,
    /// Builds images.
    pub builder: Option<Arc<dyn Builder>>,
    /// Takes the lines of runs.
    pub ledger: Arc<dyn Ledger>,
}

impl Options {
    /// With what nobody has to say.
    pub fn new(ground: Ground, ledger: Arc<dyn Ledger>) -> Options {
        Options {
            ground,
            labels: Labels::default(),
            limits: Limits::default(),
            jobs: MAX_JOBS,
            cache_bytes: MAX_CACHE_BYTES,
            builder: None,
            ledger,
        }
    }
}

/// One run to carry out.
pub struct RunOrder {
    /// Its id: letters, digits, `-`.
    pub id: String,
    /// The `github` context; `repository` and `event` are read here.
    pub github: serde_json::Map<String, serde_json::Value>,
    /// Values of secrets, by name.
    pub secrets: BTreeMap<String, String>,
    /// Variables of all steps, which those of the workflow go over.
    pub environment: BTreeMap<String, String>,
    /// What `actions/checkout` brings.
    pub source: Source,
    /// How many jobs the plan has: while some are to come, the next one's room is made ahead.
    pub jobs: usize,
    /// Who is told what happens.
    pub listeners: broadcast::Sender<Event>,
}

/// Carries runs out.
pub struct Runner {
    hotel: Arc<Hotel>,
    labels: Labels,
    logs: PathBuf,
    cache: Arc<Cache>,
    artifacts: Arc<Artifacts>,
    builder: Option<Arc<dyn Builder>>,
    ledger: Arc<dyn Ledger>,
    groups: Mutex<Members>,
    tasks: TaskTracker,
}

/// Concurrency groups, and how runs are told of them.
#[derive(Default)]
struct Members {
    groups: Groups,
    runs: BTreeMap<String, mpsc::Sender<Input>>,
}

impl Runner {
    /// Looks whether this machine can run jobs. What a runner that was killed has left is removed.
    ///
    /// # Errors
    /// What is missing, with its remedy.
    pub async fn start(options: Options) -> Result<Arc<Runner>, JobsError> {
        let folder = options.ground.folder.clone();
        let hotel = Hotel::open(&options.ground, options.limits, options.jobs).await?;
        Ok(Arc::new(Runner {
            hotel: Arc::new(hotel),
            labels: options.labels,
            logs: folder.join("logs"),
            cache: Arc::new(Cache::new(folder.join("cache"), options.cache_bytes)),
            artifacts: Arc::new(Artifacts::new(folder.join("artifacts"))),
            builder: options.builder,
            ledger: options.ledger,
            groups: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// The folder of logs: see [`crate::step_log`].
    pub fn logs(&self) -> &std::path::Path {
        &self.logs
    }

    /// A channel for [`RunOrder::listeners`].
    pub fn listeners() -> (broadcast::Sender<Event>, broadcast::Receiver<Event>) {
        broadcast::channel(LOG_BACKLOG)
    }

    /// Makes a room for a job with these labels before anybody asks.
    pub fn prepare(&self, labels: &[String]) {
        if let Ok(place) = self.labels.place(labels) {
            Hotel::prepare(&self.hotel, place);
        }
    }

    /// Carries a run out to its end. `cancel` asks it to stop; it still ends by itself.
    ///
    /// # Errors
    /// Where the ledger does not take its beginning or its end.
    pub fn run(
        self: &Arc<Self>,
        order: RunOrder,
        machine: Box<dyn Machine>,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<RunReport, String>> + Send + use<> {
        drive::run(self.clone(), order, machine, cancel)
    }

    /// Takes all rooms away and waits for what is under way. Runs must have ended.
    ///
    /// # Errors
    /// What cannot be removed.
    pub async fn close(self: Arc<Self>) -> Result<(), JobsError> {
        self.tasks.close();
        self.tasks.wait().await;
        self.hotel.close().await
    }
}
