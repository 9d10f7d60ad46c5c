//! The actions that are part of Deploy.

mod artifacts;
mod cache;
mod checkout;
mod image;

use std::collections::BTreeMap;
use std::sync::Arc;

use deploy_workflow::run::{Builtin, Changes, Conclusion, Phase, StepOrder, Work};
use tokio_util::sync::CancellationToken;

pub(crate) use artifacts::Artifacts;
pub(crate) use cache::Cache;
pub use image::{BuildOrder, Builder, Built, Login};

use crate::log::StepLog;
use crate::room::blocking;
use crate::run::{Context, Done, Job};

/// What a builtin works with.
pub(crate) struct Task<'a> {
    context: &'a Arc<Context>,
    job: &'a Arc<Job>,
    with: &'a BTreeMap<String, String>,
    state: &'a BTreeMap<String, String>,
    log: Option<StepLog>,
    changes: Changes,
}

/// Runs one, and gives the log back.
pub(crate) async fn run(
    context: &Arc<Context>,
    job: &Arc<Job>,
    order: &StepOrder,
    log: StepLog,
    stop: &CancellationToken,
) -> (StepLog, Result<Done, String>) {
    let Work::Builtin {
        builtin,
        with,
        phase,
        state,
        ..
    } = &order.work
    else {
        return (log, Err("the step is no action".to_owned()));
    };
    let mut task = Task {
        context,
        job,
        with,
        state,
        log: Some(log),
        changes: Changes::default(),
    };
    let outcome = tokio::select! {
        outcome = carry_out(*builtin, *phase, &mut task) => outcome,
        // What is under way on a thread of its own ends by itself; nobody waits for it.
        () = stop.cancelled() => Err("The step was stopped.".to_owned()),
    };
    let changes = task.changes;
    let log = match task.log {
        Some(log) => log,
        None => context.no_log(job, order.step).await,
    };
    let done = outcome.map(|()| Done {
        outcome: Conclusion::Success,
        changes,
    });
    (log, done)
}

async fn carry_out(builtin: Builtin, phase: Phase, task: &mut Task<'_>) -> Result<(), String> {
    match (builtin, phase) {
        (Builtin::Checkout, Phase::Main) => checkout::run(task).await,
        (Builtin::Cache | Builtin::CacheRestore, Phase::Main) => cache::restore(task).await,
        (Builtin::CacheSave, Phase::Main) | (Builtin::Cache, Phase::Post) => cache::save(task).await,
        (Builtin::UploadArtifact, Phase::Main) => artifacts::upload(task).await,
        (Builtin::DownloadArtifact, Phase::Main) => artifacts::download(task).await,
        (Builtin::Login, phase) => image::login(task, phase).await,
        (Builtin::BuildPush, Phase::Main) => image::build(task).await,
        (Builtin::Metadata, Phase::Main) => image::metadata(task).await,
        (Builtin::SetupBuildx, _) => {
            task.say("Nothing to set up: the builder is part of Deploy.")
                .await;
            Ok(())
        }
        (_, Phase::Post) => Ok(()),
    }
}

impl Task<'_> {
    /// An input; empty where nothing is given.
    fn input(&self, name: &str) -> &str {
        self.with.get(name).map_or("", |value| value.trim())
    }

    /// An input of YAML's yes or no.
    fn flag(&self, name: &str) -> bool {
        self.input(name).eq_ignore_ascii_case("true")
    }

    /// The lines of an input that are not empty.
    fn lines(&self, name: &str) -> Vec<String> {
        let lines = self
            .input(name)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// Sets an output.
    fn output(&mut self, name: &str, value: impl Into<String>) {
        self.changes.outputs.push((name.to_owned(), value.into()));
    }

    /// Writes a line to the step's log.
    async fn say(&mut self, text: impl Into<String>) {
        let (log, text) = (self.log.take(), text.into());
        let log = blocking(move || {
            log.map(|mut log| {
                // A log that cannot be written any more has said so before.
                let _ = log.line(&text);
                log
            })
        });
        self.log = log.await;
    }
}
