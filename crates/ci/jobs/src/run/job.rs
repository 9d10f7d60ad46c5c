//! What the steps of a run and of a job share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deploy_workflow::run::mask::Masker;
use deploy_workflow::run::{JobId, Level, StepNumber};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builtin::{Artifacts, Builder, Cache, Login};
use crate::events::Event;
use crate::limits::STOP_GRACE;
use crate::log::{StepLog, name};
use crate::report::RunReport;
use crate::room::{Room, blocking, locked};
use crate::source::Source;

/// What all jobs of a run share.
pub(crate) struct Context {
    /// The run's id.
    pub(crate) run: String,
    pub(crate) logs: PathBuf,
    /// Takes copies of build contexts.
    pub(crate) scratch: PathBuf,
    pub(crate) repository: String,
    /// The `github` context.
    pub(crate) github: serde_json::Map<String, serde_json::Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// Below the workflow's variables.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) source: Source,
    pub(crate) cache: Arc<Cache>,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) builder: Option<Arc<dyn Builder>>,
    pub(crate) listeners: broadcast::Sender<Event>,
    pub(crate) report: Mutex<RunReport>,
    pub(crate) tasks: TaskTracker,
    pub(crate) number: AtomicU64,
}

/// One job that has its room.
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) room: Room,
    pub(crate) workspace: PathBuf,
    /// Grows with `add-mask`.
    pub(crate) masker: Mutex<Masker>,
    /// What `docker/login-action` was given.
    pub(crate) logins: Mutex<Vec<Login>>,
    /// Its room is not needed any more.
    pub(crate) ended: CancellationToken,
    running: Mutex<Option<(StepNumber, Stop)>>,
}

/// How a step is told to stop.
#[derive(Clone)]
pub(crate) struct Stop {
    pub(crate) token: CancellationToken,
    pub(crate) grace: Arc<Mutex<Duration>>,
    pub(crate) reason: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// A secret's text; names ignore case.
    pub(crate) fn secret(&self, name: &str) -> Option<String> {
        let found = self
            .secrets
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// A folder for a job's build context, which does not exist.
    pub(crate) fn scratch(&self, job: &JobId) -> PathBuf {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.scratch.join(format!("{}-{number}", name(&job.0)))
    }

    /// Tells who listens.
    pub(crate) fn tell(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.listeners.send(event);
    }

    /// Tells people that something of ours does not work.
    pub(crate) fn warn(&self, job: &JobId, message: String) {
        self.tell(Event::Note {
            job: Some(job.clone()),
            level: Level::Warning,
            message,
        });
    }

    /// A log in place of one that was lost.
    pub(crate) async fn no_log(&self, job: &Job, step: StepNumber) -> StepLog {
        let (masker, listeners) = (locked(&job.masker).clone(), self.listeners.clone());
        let whose = (job.id.clone(), step);
        blocking(move || {
            StepLog::open("/dev/null".as_ref(), 0, masker, listeners, whose)
                .expect("the kernel lets root write to /dev/null")
        })
        .await
    }
}

impl Job {
    pub(super) fn new(id: JobId, room: Room, workspace: PathBuf, masker: Masker) -> Job {
        Job {
            id,
            room,
            workspace,
            masker: Mutex::new(masker),
            logins: Mutex::default(),
            ended: CancellationToken::new(),
            running: Mutex::default(),
        }
    }

    /// Notes that a step runs, and how it is stopped.
    pub(super) fn begin(&self, step: StepNumber) -> Stop {
        let stop = Stop {
            token: CancellationToken::new(),
            grace: Arc::new(Mutex::new(STOP_GRACE)),
            reason: Arc::default(),
        };
        *locked(&self.running) = Some((step, stop.clone()));
        stop
    }

    pub(super) fn end(&self, step: StepNumber) {
        let mut running = locked(&self.running);
        if running.as_ref().is_some_and(|(number, _)| *number == step) {
            *running = None;
        }
    }

    /// Stops a step, if it still runs.
    pub(super) fn stop(&self, step: StepNumber, reason: String, grace: Duration) {
        let running = locked(&self.running);
        if let Some((number, stop)) = running.as_ref()
            && *number == step
        {
            *locked(&stop.reason) = Some(reason);
            *locked(&stop.grace) = grace;
            stop.token.cancel();
        }
    }
}
