//! What is told of a run while it goes on, to people who watch.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deploy_workflow::run::{Conclusion, JobId, Level, StepNumber};

/// Something that happened in a run. None of it has a secret.
#[derive(Clone, Debug)]
pub enum Event {
    /// A job waits.
    JobWaits {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// What for, for people.
        reason: String,
    },
    /// A job has its root.
    JobBegan {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// How long it waited for that.
        queued: Duration,
        /// What its root is made of.
        place: String,
    },
    /// A step begins.
    StepBegan {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// Its name.
        name: String,
        /// Its log.
        log: PathBuf,
    },
    /// Whole lines, or pieces of them, as they are in the step's log.
    Output {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// With times.
        text: Arc<str>,
    },
    /// A step ended.
    StepEnded {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// Its name.
        name: String,
        /// How.
        outcome: Conclusion,
        /// How long it took.
        took: Duration,
    },
    /// A step did not run.
    StepSkipped {
        /// Which job.
        job: JobId,
        /// Which step.
        step: StepNumber,
        /// Its name.
        name: String,
    },
    /// Something to tell people.
    Note {
        /// Which job; none where it is about the run.
        job: Option<JobId>,
        /// How bad it is.
        level: Level,
        /// The text.
        message: String,
    },
    /// A job ended.
    JobEnded {
        /// Which.
        job: JobId,
        /// Its name.
        name: String,
        /// How.
        conclusion: Conclusion,
        /// Why, where no step says so.
        reason: Option<String>,
    },
    /// The run ended.
    RunEnded {
        /// How.
        conclusion: Conclusion,
    },
}
