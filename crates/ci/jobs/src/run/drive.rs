//! The loop of one run: inputs into the machine, effects out of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deploy_workflow::run::mask::Masker;
use deploy_workflow::run::{
    Conclusion, Effect, GroupEffect, Input, JobId, JobOrder, Level, Member, Runner as Who,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::hash::hash_files;
use super::job::{Context, Job};
use super::rooms::{Hotel, Slot};
use super::{Machine, RunOrder, Runner, step};
use crate::events::Event;
use crate::labels::Place;
use crate::ledger::Entry;
use crate::limits::INPUT_BACKLOG;
use crate::place::{EVENT, FILES, TEMP, TOOLS, workspace};
use crate::report::RunReport;
use crate::room::{blocking, locked};

/// One run while it goes on.
struct Drive {
    runner: Arc<Runner>,
    context: Arc<Context>,
    inputs: mpsc::Sender<Input>,
    jobs: Arc<Mutex<BTreeMap<JobId, Stay>>>,
    /// Jobs of the plan that have not been asked for yet.
    to_come: usize,
    masker: Masker,
}

/// A job, as far as its room is concerned.
enum Stay {
    /// The room is being made; cancelled where nobody wants it any more.
    Coming(CancellationToken),
    There(Arc<Job>, Instant),
}

pub(super) async fn run(
    runner: Arc<Runner>,
    order: RunOrder,
    mut machine: Box<dyn Machine>,
    cancel: CancellationToken,
) -> Result<RunReport, String> {
    let began = Instant::now();
    let (inputs, mut queue) = mpsc::channel(INPUT_BACKLOG);
    let mut drive = Drive::new(runner, order, inputs).await;
    let run = drive.context.run.clone();
    drive
        .write("run.started", json!({"repository": drive.context.repository}))
        .await?;
    locked(&drive.runner.groups)
        .runs
        .insert(run.clone(), drive.inputs.clone());
    let mut pending = VecDeque::from([Input::Started]);
    let mut asked = false;
    let conclusion = 'run: loop {
        while let Some(input) = pending.pop_front() {
            for effect in machine.step(Timestamp::now(), input) {
                if let Effect::EndRun { conclusion } = effect {
                    break 'run conclusion;
                }
                pending.extend(drive.carry_out(effect).await);
            }
        }
        let deadline = wait_for(machine.next_deadline());
        tokio::select! {
            // The run's own sender keeps the queue open.
            Some(input) = queue.recv() => pending.push_back(input),
            () = cancel.cancelled(), if !asked => {
                asked = true;
                pending.push_back(Input::Cancel { reason: "The run was cancelled.".to_owned() });
            }
            () = deadline => pending.push_back(Input::Tick),
        }
    };
    locked(&drive.runner.groups).runs.remove(&run);
    drive.finish(conclusion, began.elapsed()).await
}

async fn wait_for(deadline: Option<Timestamp>) {
    match deadline {
        Some(at) => {
            let left = Timestamp::now().duration_until(at);
            tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
        }
        None => std::future::pending().await,
    }
}

impl Drive {
    async fn new(runner: Arc<Runner>, order: RunOrder, inputs: mpsc::Sender<Input>) -> Drive {
        let repository = order.github.get("repository").and_then(serde_json::Value::as_str);
        let report = RunReport {
            run: order.id.clone(),
            ..RunReport::default()
        };
        let masker = Masker::new(order.secrets.values().map(String::as_str));
        let context = Context {
            run: order.id,
            logs: runner.logs.clone(),
            scratch: runner.hotel.scratch().await,
            repository: repository.unwrap_or_default().to_owned(),
            github: order.github,
            secrets: order.secrets,
            environment: order.environment.into_iter().collect(),
            source: order.source,
            cache: runner.cache.clone(),
            artifacts: runner.artifacts.clone(),
            builder: runner.builder.clone(),
            listeners: order.listeners,
            report: Mutex::new(report),
            tasks: TaskTracker::new(),
            number: AtomicU64::new(0),
        };
        Drive {
            runner,
            context: Arc::new(context),
            inputs,
            jobs: Arc::default(),
            to_come: order.jobs,
            masker,
        }
    }

    async fn write(&self, kind: &'static str, data: serde_json::Value) -> Result<(), String> {
        let run = self.context.run.clone();
        self.runner.ledger.append(Entry { kind, run, data }).await
    }

    /// Carries one effect out, or begins to. Gives what is known at once.
    async fn carry_out(&mut self, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::AskGroup {
                job,
                group,
                cancel_in_progress,
                queue,
            } => {
                let member = self.member(job);
                let effects =
                    locked(&self.runner.groups)
                        .groups
                        .ask(&group, member, cancel_in_progress, queue);
                self.tell_groups(effects).await
            }
            Effect::LeaveGroup { job, group } => {
                let member = self.member(job);
                let effects = locked(&self.runner.groups).groups.leave(&group, &member);
                self.tell_groups(effects).await
            }
            Effect::StartJob(order) => {
                self.start(*order);
                Vec::new()
            }
            Effect::RunStep(order) => match self.job(&order.job) {
                Some(job) => {
                    let (context, inputs) = (self.context.clone(), self.inputs.clone());
                    self.context.tasks.spawn(async move {
                        let input = step::carry_out(context, job, *order).await;
                        // Where the run has ended, nobody waits for it.
                        let _ = inputs.send(input).await;
                    });
                    Vec::new()
                }
                None => vec![gone(order.job)],
            },
            Effect::StopStep {
                job,
                step,
                reason,
                grace_seconds,
            } => {
                if let Some(job) = self.job(&job) {
                    job.stop(step, reason, Duration::from_secs(grace_seconds.into()));
                }
                Vec::new()
            }
            Effect::HashFiles { job, patterns } => {
                self.hash(job, patterns);
                Vec::new()
            }
            other => {
                self.tell(other);
                Vec::new()
            }
        }
    }

    /// What is only told, and the end of jobs.
    fn tell(&mut self, effect: Effect) {
        match effect {
            Effect::StepSkipped { job, step, name, .. } => {
                self.context.tell(Event::StepSkipped { job, step, name });
            }
            Effect::Note { job, level, message } => {
                if level == Level::Error {
                    locked(&self.context.report).notes.push(message.clone());
                }
                self.context.tell(Event::Note { job, level, message });
            }
            Effect::EndJob {
                job,
                name,
                conclusion,
                outputs,
                reason,
            } => {
                let took = self.leave(&job);
                {
                    let mut report = locked(&self.context.report);
                    let one = report.job(&job);
                    one.name.clone_from(&name);
                    one.conclusion = Some(conclusion);
                    one.reason.clone_from(&reason);
                    one.outputs = outputs;
                    one.took_ms = took.as_millis() as u64;
                }
                self.to_come = self
                    .to_come
                    .saturating_sub(usize::from(conclusion == Conclusion::Skipped));
                self.context.tell(Event::JobEnded {
                    job,
                    name,
                    conclusion,
                    reason,
                });
            }
            _ => {}
        }
    }

    fn member(&self, job: Option<JobId>) -> Member {
        Member {
            run: self.context.run.clone(),
            job,
        }
    }

    fn job(&self, id: &JobId) -> Option<Arc<Job>> {
        match locked(&self.jobs).get(id) {
            Some(Stay::There(job, _)) => Some(job.clone()),
            _ => None,
        }
    }

    /// Tells runs that they have a group or must give one up. What is for this run comes back.
    async fn tell_groups(&self, effects: Vec<GroupEffect>) -> Vec<Input> {
        let mut own = Vec::new();
        for effect in effects {
            let (member, input) = match effect {
                GroupEffect::Grant(member) => {
                    let job = member.job.clone();
                    (member, Input::GroupGranted { job })
                }
                GroupEffect::Cancel { member, reason } => {
                    let input = match member.job.clone() {
                        Some(job) => Input::CancelJob { job, reason },
                        None => Input::Cancel { reason },
                    };
                    (member, input)
                }
            };
            if member.run == self.context.run {
                own.push(input);
                continue;
            }
            let other = locked(&self.runner.groups).runs.get(&member.run).cloned();
            if let Some(other) = other {
                // Where that run has ended, it has left all groups.
                let _ = other.send(input).await;
            }
        }
        own
    }

    fn hash(&self, id: JobId, patterns: Vec<String>) {
        let (job, context, inputs) = (self.job(&id), self.context.clone(), self.inputs.clone());
        self.context.tasks.spawn(async move {
            let hash = match &job {
                Some(job) => hash_in(job, patterns.clone()).await,
                None => Err("the job has no files".to_owned()),
            };
            let hash = hash.unwrap_or_else(|error| {
                context.warn(&id, format!("hashFiles: {error}"));
                String::new()
            });
            let input = Input::FilesHashed {
                job: id,
                patterns,
                hash,
            };
            // Where the run has ended, nobody waits for it.
            let _ = inputs.send(input).await;
        });
    }

    /// Finds a room for a job.
    fn start(&mut self, order: JobOrder) {
        self.to_come = self.to_come.saturating_sub(1);
        let more = self.to_come > 0;
        let unwanted = CancellationToken::new();
        let began = Instant::now();
        locked(&self.jobs).insert(order.job.clone(), Stay::Coming(unwanted.clone()));
        let (runner, context, inputs) = (self.runner.clone(), self.context.clone(), self.inputs.clone());
        let (jobs, masker) = (self.jobs.clone(), self.masker.clone());
        self.runner.tasks.spawn(async move {
            let id = order.job.clone();
            let input = match arrive(&runner, &context, order, masker, (began, unwanted)).await {
                Ok((job, who, slot, place)) => {
                    let job = Arc::new(job);
                    let there = Stay::There(job.clone(), Instant::now());
                    let wanted = locked(&jobs).get_mut(&id).map(|stay| *stay = there).is_some();
                    if more {
                        Hotel::prepare(&runner.hotel, place);
                    }
                    let (hotel, tasks) = (runner.hotel.clone(), runner.tasks.clone());
                    tasks.spawn(checked_out(hotel, context, job, slot, wanted));
                    if !wanted {
                        return;
                    }
                    Input::JobAssigned { job: id, runner: who }
                }
                Err(reason) => Input::JobFailed { job: id, reason },
            };
            // Where the run has ended, nobody waits for it.
            let _ = inputs.send(input).await;
        });
    }

    /// The job needs its room no more.
    fn leave(&self, id: &JobId) -> Duration {
        match locked(&self.jobs).remove(id) {
            Some(Stay::Coming(unwanted)) => {
                unwanted.cancel();
                Duration::ZERO
            }
            Some(Stay::There(job, since)) => {
                job.ended.cancel();
                since.elapsed()
            }
            None => Duration::ZERO,
        }
    }

    async fn finish(self, conclusion: Conclusion, took: Duration) -> Result<RunReport, String> {
        // A run that has ended has no job; what a machine forgot must not live on.
        let left: Vec<JobId> = locked(&self.jobs).keys().cloned().collect();
        left.iter().for_each(|id| {
            self.leave(id);
        });
        let report = {
            let mut report = locked(&self.context.report);
            report.conclusion = Some(conclusion);
            report.took_ms = took.as_millis() as u64;
            report.clone()
        };
        let data = serde_json::to_value(&report).unwrap_or_default();
        let written = self.write("run.ended", data).await;
        self.context.tell(Event::RunEnded { conclusion });
        let tasks = self.context.tasks.clone();
        tasks.close();
        self.runner.tasks.spawn(async move { tasks.wait().await });
        written.map(|()| report)
    }
}

fn gone(job: JobId) -> Input {
    Input::JobFailed {
        job,
        reason: "the job's room is gone".to_owned(),
    }
}

async fn hash_in(job: &Job, patterns: Vec<String>) -> Result<String, String> {
    let inside = job.room.inside().await.map_err(|error| error.to_string())?;
    let (workspace, home) = (job.workspace.clone(), job.room.home());
    let hash = blocking(move || hash_files(&inside, &workspace, &patterns, &home)).await;
    hash.map_err(|error| error.to_string())
}

/// A job with its room, in which the first step can run.
async fn arrive(
    runner: &Arc<Runner>,
    context: &Arc<Context>,
    mut order: JobOrder,
    masker: Masker,
    (began, unwanted): (Instant, CancellationToken),
) -> Result<(Job, Who, Slot, Place), String> {
    if let Some(name) = order.services.keys().next() {
        return Err(format!(
            "services are not supported yet: {name}; start it in a `run` step"
        ));
    }
    if let Some(container) = &mut order.container {
        container.fill(&|name| context.secret(name));
    }
    let place = match &order.container {
        Some(container) => Place::Image(container.image.clone()),
        None => runner
            .labels
            .place(&order.labels)
            .map_err(|error| error.to_string())?,
    };
    let mut reason = None;
    let slot = match runner.hotel.try_slot() {
        Some(slot) => slot,
        None => {
            let text = format!("{} jobs run already", runner.hotel.size());
            context.tell(Event::JobWaits {
                job: order.job.clone(),
                name: order.name.clone(),
                reason: text.clone(),
            });
            reason = Some(text);
            tokio::select! {
                slot = runner.hotel.slot() => slot.map_err(|error| error.told())?,
                () = unwanted.cancelled() => return Err("nobody waits for it any more".to_owned()),
            }
        }
    };
    let mut room = runner.hotel.room(&place).await.map_err(|error| error.told())?;
    room.set(&context.environment);
    if let Some(container) = &order.container {
        room.set(&container.env);
    }
    let workspace = workspace(&context.repository);
    let event = context.github.get("event").cloned().unwrap_or_else(|| json!({}));
    let furnished = furnish(&room, workspace.clone(), event.to_string()).await;
    if let Err(error) = furnished {
        runner.hotel.leave(&room).await.map_err(|error| error.told())?;
        return Err(error);
    }
    let queued = began.elapsed();
    {
        let mut report = locked(&context.report);
        let one = report.job(&order.job);
        one.name.clone_from(&order.name);
        one.queued_ms = queued.as_millis() as u64;
        one.queue_reason = reason;
    }
    context.tell(Event::JobBegan {
        job: order.job.clone(),
        name: order.name.clone(),
        queued,
        place: place.to_string(),
    });
    let who = Who {
        name: "deploy".to_owned(),
        os: "Linux".to_owned(),
        arch: if cfg!(target_arch = "aarch64") {
            "ARM64"
        } else {
            "X64"
        }
        .to_owned(),
        temp: TEMP.to_owned(),
        tool_cache: TOOLS.to_owned(),
        workspace: workspace.display().to_string(),
        environment: room.environment().clone(),
    };
    Ok((Job::new(order.job, room, workspace, masker), who, slot, place))
}

/// The folders and files that all steps find.
async fn furnish(
    room: &crate::room::Room,
    workspace: std::path::PathBuf,
    event: String,
) -> Result<(), String> {
    let inside = room.inside().await.map_err(|error| error.to_string())?;
    let made = blocking(move || {
        inside.make(&workspace)?;
        inside.make(FILES.as_ref())?;
        inside.make(TOOLS.as_ref())?;
        inside.write(EVENT.as_ref(), event.as_bytes(), 0o644)
    });
    made.await
        .map_err(|error| format!("making the job's folders: {error}"))
}

/// Waits for a job's end and takes its room away.
async fn checked_out(hotel: Arc<Hotel>, context: Arc<Context>, job: Arc<Job>, slot: Slot, wanted: bool) {
    if wanted {
        job.ended.cancelled().await;
    }
    if let Err(error) = hotel.leave(&job.room).await {
        context.warn(
            &job.id,
            format!("the job's room is not removed: {}", error.told()),
        );
    }
    drop(slot);
}
