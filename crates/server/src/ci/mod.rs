//! Runs: what starts them, their order, their end, and what is known of them.

mod book;
mod chosen;
mod files;
mod intake;
mod runs;
mod secrets;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use deploy_git::{GitError, Repositories};
use deploy_jobs::Runner;
use deploy_model::with_causes;
use deploy_store::{Actor, ActorKind, Ledger, Line, Subject};
use deploy_workflow::trigger::Cause;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use book::Book;
pub use runs::{RunRecord, RunState, runs_of};
pub(crate) use runs::{Runs, run_of};

use crate::limits;
use crate::server::News;
use chosen::Chosen;
use runs::{ENDED, QUEUED, RUN};

/// Why something that was asked of runs is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CiError {
    /// There is none.
    #[error("there is no {0}")]
    Missing(String),
    /// What was asked does not fit.
    #[error("{0}")]
    Invalid(String),
    /// It has ended already, or the like.
    #[error("{0}")]
    Conflict(String),
    /// Git does not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger does not take or give it.
    #[error("the ledger: {0}")]
    Ledger(String),
}

impl CiError {
    fn ledger(error: &dyn std::error::Error) -> CiError {
        CiError::Ledger(with_causes(error))
    }
}

/// What the runs of a server are made of.
pub(crate) struct Parts {
    pub data: PathBuf,
    /// The address of the server, as workflows and people see it.
    pub url: String,
    pub ledger: Ledger,
    pub repositories: Repositories,
    pub runner: Arc<Runner>,
    pub news: broadcast::Sender<News>,
}

/// The runs of a server.
pub(crate) struct Ci {
    parts: Parts,
    /// Runs of this process that have not ended, each with what ends it.
    active: Mutex<BTreeMap<i64, CancellationToken>>,
    /// Numbers are given to one push at a time.
    numbering: tokio::sync::Mutex<()>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Ci {
    /// Goes on where the last server of this data folder has ended: what it had begun has failed, what it had queued
    /// starts.
    pub async fn start(parts: Parts) -> Result<Arc<Ci>, CiError> {
        let ci = Arc::new(Ci {
            parts,
            active: Mutex::default(),
            numbering: tokio::sync::Mutex::default(),
            places: Arc::new(Semaphore::new(limits::RUNS)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        let open = runs::open_runs(&ci.parts.ledger).await;
        for run in open.map_err(|error| CiError::ledger(&error))? {
            match run.state {
                RunState::Running => {
                    let reason =
                        "The server ended while this run was under way; run it again with `deploy ci rerun`.";
                    ci.end(run.id, "failure", reason).await?;
                }
                RunState::Queued | RunState::Ended => ci.clone().begin(run, None),
            }
        }
        Ok(ci)
    }

    pub fn ledger(&self) -> &Ledger {
        &self.parts.ledger
    }

    pub fn repositories(&self) -> &Repositories {
        &self.parts.repositories
    }

    /// The folder of the logs of all runs.
    pub fn logs(&self) -> &std::path::Path {
        self.parts.runner.logs()
    }

    /// Ends a run; its jobs are told, and given time.
    pub async fn cancel(&self, id: i64) -> Result<(), CiError> {
        if let Some(cancel) = self.active().get(&id) {
            cancel.cancel();
            return Ok(());
        }
        let found = run_of(&self.parts.ledger, id).await;
        match found.map_err(|error| CiError::ledger(&error))? {
            None => Err(CiError::Missing(format!("run {id}"))),
            Some(run) => Err(CiError::Conflict(format!(
                "run {id} has ended: {}",
                run.conclusion.unwrap_or_default()
            ))),
        }
    }

    /// Starts the same again: the same commit, the same file, the same event.
    pub async fn rerun(self: &Arc<Ci>, id: i64, by: &str) -> Result<i64, CiError> {
        let found = run_of(&self.parts.ledger, id).await;
        let run = found
            .map_err(|error| CiError::ledger(&error))?
            .ok_or_else(|| CiError::Missing(format!("run {id}")))?;
        let name = run
            .repository
            .parse()
            .map_err(|_| CiError::Missing(run.repository.clone()))?;
        let repository = self.parts.repositories.find(&name)?;
        let chosen = chosen::one(&repository, &run.cause, &run.file).await?;
        let actor = Actor::new(ActorKind::Person, by);
        let ids = self
            .enqueue(&run.repository, run.cause, vec![chosen], actor, None)
            .await?;
        Ok(ids[0])
    }

    /// Writes runs down, then starts them.
    async fn enqueue(
        self: &Arc<Ci>,
        repository: &str,
        cause: Cause,
        chosen: Vec<Chosen>,
        actor: Actor,
        first: Option<Line>,
    ) -> Result<Vec<i64>, CiError> {
        let now = Timestamp::now();
        let _numbering = self.numbering.lock().await;
        let files: Vec<String> = chosen.iter().map(|one| one.file.clone()).collect();
        let numbers = runs::next_numbers(&self.parts.ledger, repository, &files).await;
        let (next, numbers) = numbers.map_err(|error| CiError::ledger(&error))?;
        let ids: Vec<i64> = (next..).take(chosen.len()).collect();
        let mut lines = Vec::new();
        lines.extend(first.map(|line| {
            let mut data = line.data.clone();
            data["runs"] = json!(ids);
            line.with(data)
        }));
        let mut runs = Vec::new();
        for ((one, id), number) in chosen.into_iter().zip(&ids).zip(numbers) {
            let data = json!({
                "repository": repository,
                "file": one.file,
                "workflow": one.name,
                "number": number,
                "cause": cause,
            });
            let subject = Subject::new(RUN, id.to_string());
            let line = Line::new(now, actor.clone(), QUEUED, subject.clone());
            lines.push(line.because(one.why).with(data));
            let record = RunRecord {
                id: *id,
                repository: repository.to_owned(),
                file: one.file,
                workflow: one.name,
                number,
                cause: cause.clone(),
                state: RunState::Queued,
                conclusion: None,
                reason: None,
                queued_at: now,
                started_at: None,
                ended_at: None,
                report: serde_json::Value::Null,
            };
            match one.plan {
                Ok(plan) => runs.push((record, plan)),
                Err(reason) => {
                    let end = Line::new(now, book::runner(), ENDED, subject);
                    lines.push(end.because(reason).with(json!({"conclusion": "failure"})));
                    self.tell(News::ended(&record, "failure", 0));
                }
            }
        }
        if !lines.is_empty() {
            let appended = self.parts.ledger.append(lines).await;
            appended.map_err(|error| CiError::ledger(&error))?;
        }
        for (run, plan) in runs {
            self.clone().begin(run, Some(plan));
        }
        Ok(ids)
    }

    /// Says that a run is over that nobody carries out.
    async fn end(&self, id: i64, conclusion: &str, reason: &str) -> Result<(), CiError> {
        let subject = Subject::new(RUN, id.to_string());
        let line = Line::new(Timestamp::now(), book::runner(), ENDED, subject)
            .because(reason)
            .with(json!({"conclusion": conclusion}));
        let appended = self.parts.ledger.append(vec![line]).await;
        appended.map(drop).map_err(|error| CiError::ledger(&error))
    }

    /// Takes no more pushes, ends what runs, and waits for that. What is queued starts with the next server.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        for cancel in self.active().values() {
            cancel.cancel();
        }
        // Who is later is found by the next start.
        drop(tokio::time::timeout(limits::RUNS_SHUTDOWN, self.tasks.wait()).await);
    }

    fn active(&self) -> std::sync::MutexGuard<'_, BTreeMap<i64, CancellationToken>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: News) {
        // Without a listener it is nobody's news.
        drop(self.parts.news.send(news));
    }
}
