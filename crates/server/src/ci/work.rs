//! Carries one run out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use deploy_jobs::{RunOrder, Runner, Source};
use deploy_workflow::plan::Plan;
use deploy_workflow::run::{Conclusion, Facts, Run};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::runs::RunRecord;
use super::{Ci, CiError, chosen, secrets};
use crate::server::News;

impl Ci {
    /// Carries a queued run out, beside all others. Without a plan it is read from the commit.
    pub(super) fn begin(self: Arc<Ci>, run: RunRecord, plan: Option<Plan>) {
        let cancel = CancellationToken::new();
        self.active().insert(run.id, cancel.clone());
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            let id = run.id;
            let name = format!("run {id}");
            if let Err(error) = self.carry_out(run, plan, cancel).await {
                self.tell(News::Failed {
                    what: name,
                    reason: error.to_string(),
                });
            }
            self.active().remove(&id);
        });
    }

    async fn carry_out(
        &self,
        run: RunRecord,
        plan: Option<Plan>,
        cancel: CancellationToken,
    ) -> Result<(), CiError> {
        let began = Instant::now();
        let ended = |conclusion: &str| {
            let took = began.elapsed().as_millis();
            self.tell(News::ended(
                &run,
                conclusion,
                u64::try_from(took).unwrap_or(u64::MAX),
            ));
        };
        let place = tokio::select! {
            place = self.places.acquire() => place,
            () = cancel.cancelled() => {
                // A run that a closing server has not begun is begun by the next one.
                if !self.closing.is_cancelled() {
                    self.end(run.id, "cancelled", "It was cancelled before it began.").await?;
                    ended("cancelled");
                }
                return Ok(());
            }
        };
        let Ok(_place) = place else {
            return Ok(());
        };
        let name = run
            .repository
            .parse()
            .map_err(|_| CiError::Missing(run.repository.clone()))?;
        let ready = match self.parts.repositories.find(&name) {
            Err(error) => Err(error.to_string()),
            Ok(repository) => match plan {
                Some(plan) => Ok((repository, plan)),
                None => match chosen::one(&repository, &run.cause, &run.file).await {
                    Ok(chosen) => chosen.plan.map(|plan| (repository, plan)),
                    Err(error) => Err(error.to_string()),
                },
            },
        };
        let (repository, plan) = match ready {
            Ok(ready) => ready,
            Err(reason) => {
                self.end(run.id, "failure", &reason).await?;
                ended("failure");
                return Ok(());
            }
        };
        let github = github(&run);
        let secrets = secrets::secrets(&self.parts.data, &run.repository);
        let facts = Facts {
            github: github.clone(),
            vars: BTreeMap::new(),
            secrets: secrets.keys().cloned().collect(),
            inputs: run.cause.inputs.clone(),
        };
        let (listeners, _) = Runner::listeners();
        let order = RunOrder {
            id: run.id.to_string(),
            github,
            secrets,
            environment: BTreeMap::new(),
            source: Source::Commit {
                repository: repository.folder().to_owned(),
                commit: run.cause.commit.clone(),
            },
            jobs: plan.workflow.count_jobs(),
            listeners,
        };
        self.tell(News::Started {
            id: run.id,
            repository: run.repository.clone(),
            workflow: run.workflow.clone(),
        });
        let machine = Box::new(Run::new(Arc::new(plan), facts));
        let report = self.parts.runner.run(order, machine, cancel).await;
        let report = report.map_err(CiError::Ledger)?;
        ended(report.conclusion.map_or("", Conclusion::as_str));
        Ok(())
    }
}

/// The `github` context of a run.
fn github(run: &RunRecord) -> Map<String, Value> {
    let mut github = run.cause.github();
    for (name, value) in [
        ("run_id", run.id.to_string()),
        ("run_number", run.number.to_string()),
        ("workflow", run.workflow.clone()),
        (
            "workflow_ref",
            format!("{}/{}@{}", run.cause.repository, run.file, run.cause.reference),
        ),
        ("workflow_sha", run.cause.commit.clone()),
    ] {
        github.insert(name.to_owned(), value.into());
    }
    github
}
