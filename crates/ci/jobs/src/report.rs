//! What is kept of a run: times, waits with their reasons, cache hits.

use std::collections::BTreeMap;

use deploy_workflow::run::commands::Annotation;
use deploy_workflow::run::{Conclusion, JobId};
use serde::Serialize;

/// A run, when it has ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// The run's id.
    pub run: String,
    /// How it ended; none while it goes on.
    pub conclusion: Option<Conclusion>,
    /// From its beginning to its end.
    pub took_ms: u64,
    /// Its jobs, by id.
    pub jobs: BTreeMap<String, JobReport>,
    /// What was told of the run itself.
    pub notes: Vec<String>,
}

/// One job of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JobReport {
    /// As people see it.
    pub name: String,
    /// How it ended; none while it goes on.
    pub conclusion: Option<Conclusion>,
    /// Why, where no step says so.
    pub reason: Option<String>,
    /// From its order until its root stood.
    pub queued_ms: u64,
    /// What it waited for.
    pub queue_reason: Option<String>,
    /// From there to its end.
    pub took_ms: u64,
    /// In the order in which they began.
    pub steps: Vec<StepReport>,
    /// What its caches had.
    pub caches: Vec<CacheReport>,
    /// Messages with places, from all steps.
    #[serde(skip)]
    pub annotations: Vec<Annotation>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// One step of a job.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// In the order of their beginning.
    pub number: u32,
    /// As people see it.
    pub name: String,
    /// How it ended.
    pub outcome: Conclusion,
    /// How long it took.
    pub took_ms: u64,
}

/// One question to the cache.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    /// What was asked for.
    pub key: String,
    /// What was found; none is a miss.
    pub found: Option<String>,
    /// Bytes, unpacked.
    pub bytes: u64,
}

impl RunReport {
    pub(crate) fn job(&mut self, id: &JobId) -> &mut JobReport {
        self.jobs.entry(id.0.clone()).or_default()
    }

    pub(crate) fn step(&mut self, id: &JobId, step: StepReport) {
        self.job(id).steps.push(step);
    }

    pub(crate) fn annotate(&mut self, id: &JobId, annotations: Vec<Annotation>) {
        self.job(id).annotations.extend(annotations);
    }

    pub(crate) fn cache(&mut self, id: &JobId, cache: CacheReport) {
        self.job(id).caches.push(cache);
    }
}
