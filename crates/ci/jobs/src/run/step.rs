//! One step, from its order to its end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deploy_sandbox::{Exec, ExecSpec, Exit, SandboxError};
use deploy_workflow::run::commands::Commands;
use deploy_workflow::run::files::CommandFiles;
use deploy_workflow::run::{Changes, Conclusion, Input, Shell, StepNumber, StepOrder, Work};
use tokio::sync::oneshot;

use super::job::{Context, Job, Stop};
use crate::builtin;
use crate::events::Event;
use crate::limits::{MAX_COMMAND_FILE_BYTES, SETTLE};
use crate::log::{Ended, Output, StepLog, Streams, step_log};
use crate::place::{EVENT, FILES, TEMP, WORK};
use crate::report::StepReport;
use crate::room::{Inside, Room, absolute, blocking, locked};

/// SIGTERM
const TERM: i32 = 15;

/// The exit code of what SIGKILL has ended, also when a shell tells of its child. The sandbox says for the rest of a
/// job's life that the kernel has killed one of its processes: only with this code it was this step's.
const KILLED: i32 = 137;

/// What a step comes to.
pub(crate) struct Done {
    pub(crate) outcome: Conclusion,
    pub(crate) changes: Changes,
}

/// Carries a step out and gives the machine's input for it.
pub(super) async fn carry_out(context: Arc<Context>, job: Arc<Job>, mut order: StepOrder) -> Input {
    let (id, number, name) = (job.id.clone(), order.step, order.name.clone());
    let began = Instant::now();
    let stop = job.begin(number);
    order.fill(&|wanted| context.secret(wanted));
    let path = step_log(&context.logs, &context.run, &id, number);
    context.tell(Event::StepBegan {
        job: id.clone(),
        step: number,
        name: name.clone(),
        log: path.clone(),
    });
    let (masker, bound) = (locked(&job.masker).clone(), job.room.limits().step_log_bytes);
    let (listeners, whose) = (context.listeners.clone(), (id.clone(), number));
    let log = blocking(move || StepLog::open(&path, bound, masker, listeners, whose)).await;
    let done = match log {
        Ok(log) => work(&context, &job, &order, log, &stop).await,
        Err(error) => {
            context.warn(&id, format!("the log of a step cannot be written: {error}"));
            failed()
        }
    };
    job.end(number);
    let took = began.elapsed();
    context.tell(Event::StepEnded {
        job: id.clone(),
        step: number,
        name: name.clone(),
        outcome: done.outcome,
        took,
    });
    locked(&context.report).step(
        &id,
        StepReport {
            number: number.0,
            name,
            outcome: done.outcome,
            took_ms: took.as_millis() as u64,
        },
    );
    Input::StepEnded {
        job: id,
        step: number,
        outcome: done.outcome,
        changes: done.changes,
    }
}

fn failed() -> Done {
    Done {
        outcome: Conclusion::Failure,
        changes: Changes::default(),
    }
}

async fn work(context: &Arc<Context>, job: &Arc<Job>, order: &StepOrder, log: StepLog, stop: &Stop) -> Done {
    let (mut log, outcome) = match &order.work {
        Work::Script { shell, script } => {
            let script = Script {
                shell,
                text: script,
                order,
            };
            script.run(context, job, log, stop).await
        }
        Work::Builtin { .. } => builtin::run(context, job, order, log, &stop.token).await,
    };
    let (mut outcome, changes) = match outcome {
        Ok(done) => (done.outcome, done.changes),
        Err(message) => {
            let lines = message
                .lines()
                .map(|line| format!("##[error]{line}"))
                .collect::<Vec<_>>();
            log = note(log, lines.join("\n")).await;
            (Conclusion::Failure, Changes::default())
        }
    };
    if let Some(reason) = stop.reason() {
        log = note(log, format!("##[error]{reason}")).await;
        outcome = Conclusion::Cancelled;
    }
    if let Ok(file) = blocking(move || log.close()).await {
        // A crash of the machine meanwhile loses lines of a step whose end it loses, too.
        context.tasks.spawn_blocking(move || file.sync_data());
    }
    Done { outcome, changes }
}

async fn note(mut log: StepLog, text: String) -> StepLog {
    blocking(move || {
        // A log that cannot be written any more has said so before.
        let _ = log.line(&text);
        log
    })
    .await
}

/// A script and what it is run with.
struct Script<'a> {
    shell: &'a Shell,
    text: &'a str,
    order: &'a StepOrder,
}

/// Names of a step's own files, as the step sees them.
struct Files {
    script: PathBuf,
    env: PathBuf,
    output: PathBuf,
    path: PathBuf,
    state: PathBuf,
    summary: PathBuf,
}

impl Files {
    fn of(step: StepNumber, shell: &Shell) -> Files {
        let at = |name: &str| Path::new(FILES).join(format!("{name}_{step}"));
        Files {
            script: Path::new(TEMP).join(format!("{step}{}", shell.extension())),
            env: at("set_env"),
            output: at("set_output"),
            path: at("add_path"),
            state: at("save_state"),
            summary: at("step_summary"),
        }
    }

    fn commands(&self) -> [(&'static str, &Path); 5] {
        [
            ("GITHUB_ENV", &self.env),
            ("GITHUB_OUTPUT", &self.output),
            ("GITHUB_PATH", &self.path),
            ("GITHUB_STATE", &self.state),
            ("GITHUB_STEP_SUMMARY", &self.summary),
        ]
    }
}

type Outcome = (StepLog, Result<Done, String>);

impl Script<'_> {
    async fn run(&self, context: &Arc<Context>, job: &Arc<Job>, log: StepLog, stop: &Stop) -> Outcome {
        if job.room.full() {
            return (log, Err(full(&job.room)));
        }
        let files = Files::of(self.order.step, self.shell);
        let log = note(log, self.head()).await;
        let started = self.start(job, &files).await;
        let (inside, mut exec) = match started {
            Ok(started) => started,
            Err(message) => return (log, Err(message)),
        };
        let unsecure = self.variable("ACTIONS_ALLOW_UNSECURE_COMMANDS");
        let commands = Commands::new(unsecure.is_some_and(|text| text.eq_ignore_ascii_case("true")));
        let debug = self.variable("RUNNER_DEBUG").is_some_and(|text| text == "1");
        let output = Output::start(log, commands, debug);
        let mut streams = Streams::of(&mut exec);
        let exit = {
            let (ended, heard) = oneshot::channel();
            let (closed, all_closed) = oneshot::channel();
            let attend = async {
                let exit = attend(&job.room, &mut exec, stop, all_closed).await;
                // Where the pipes have ended before, nobody listens.
                let _ = ended.send(());
                exit
            };
            let pump = async {
                let exited = async {
                    let _ = heard.await;
                };
                streams.pump(&output, exited).await;
                let _ = closed.send(());
            };
            tokio::join!(attend, pump).0
        };
        if streams.open() {
            context.tasks.spawn(streams.drain());
        }
        let ended = match output.end().await {
            Ok(ended) => ended,
            Err(error) => {
                context.warn(&job.id, format!("the log of a step cannot be written: {error}"));
                // What is told from here on goes nowhere.
                return (context.no_log(job, self.order.step).await, Err(error.to_string()));
            }
        };
        self.finish(context, job, inside, files, exit, ended).await
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.order.env.get(name).map(String::as_str)
    }

    /// What people see first: the script, and how it is run.
    fn head(&self) -> String {
        let mut lines = vec![format!("##[group]{}", self.order.name)];
        lines.extend(
            self.text
                .lines()
                .map(|line| format!("\u{1b}[36;1m{line}\u{1b}[0m")),
        );
        let command = self.shell.commands("{0}").into_iter().next().unwrap_or_default();
        lines.push(format!("shell: {}", command.join(" ")));
        lines.push("##[endgroup]".to_owned());
        lines.join("\n")
    }

    /// Writes the files and starts the shell.
    async fn start(&self, job: &Job, files: &Files) -> Result<(Arc<Inside>, Exec), String> {
        let inside = Arc::new(job.room.inside().await.map_err(|error| error.to_string())?);
        let cwd = match &self.order.working_directory {
            Some(folder) => absolute(folder, &job.workspace, &job.room.home()),
            None => job.workspace.clone(),
        };
        let mut contents = vec![(
            files.script.clone(),
            self.shell.script(self.text).into_bytes(),
            0o755,
        )];
        contents.extend(
            files
                .commands()
                .map(|(_, path)| (path.to_owned(), Vec::new(), 0o666)),
        );
        let (writer, folder) = (inside.clone(), cwd.clone());
        let written = blocking(move || -> io::Result<bool> {
            for (path, bytes, mode) in contents {
                writer.write(&path, &bytes, mode)?;
            }
            Ok(writer.folder(&folder).is_ok())
        });
        let there = written
            .await
            .map_err(|error| format!("writing the step's files: {error}"))?;
        let env = self.environment(job, files);
        let script = files.script.display().to_string();
        let mut missing = Vec::new();
        for args in self.shell.commands(&script) {
            let program = args.first().cloned().unwrap_or_default();
            if !there {
                return Err(format!(
                    "An error occurred trying to start process '{program}' with working directory '{}'. No such file \
                     or directory",
                    cwd.display()
                ));
            }
            let spec = ExecSpec {
                args,
                env: Some(env.clone()),
                cwd: Some(cwd.display().to_string()),
                ..ExecSpec::default()
            };
            match job.room.exec(spec).await {
                Ok(exec) => return Ok((inside, exec)),
                Err(SandboxError::Program(why)) => missing.push(why),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!(
            "{} cannot be started: {}",
            self.order.name,
            missing.join("; ")
        ))
    }

    /// The root's variables, above them the workflow's, above them the command files'.
    fn environment(&self, job: &Job, files: &Files) -> Vec<(String, String)> {
        let mut env: BTreeMap<String, String> = job.room.environment().clone();
        env.extend(self.order.env.clone());
        for (name, path) in files.commands() {
            env.insert(name.to_owned(), path.display().to_string());
        }
        env.insert("GITHUB_EVENT_PATH".to_owned(), EVENT.to_owned());
        env.insert("GITHUB_WORKSPACE".to_owned(), job.workspace.display().to_string());
        env.insert("RUNNER_WORKSPACE".to_owned(), parent(&job.workspace));
        if !self.order.path.is_empty() {
            let before = self.order.path.join(":");
            let path = env.entry("PATH".to_owned()).or_default();
            *path = if path.is_empty() {
                before
            } else {
                format!("{before}:{path}")
            };
        }
        // The kernel takes no more than 128 KiB of one variable, and none with a zero in it.
        env.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
        env.into_iter().collect()
    }

    /// Reads what the step has left, and says how it ended.
    async fn finish(
        &self,
        context: &Arc<Context>,
        job: &Job,
        inside: Arc<Inside>,
        files: Files,
        exit: Result<Exit, SandboxError>,
        ended: Ended,
    ) -> Outcome {
        {
            let mut masker = locked(&job.masker);
            ended.masks.iter().for_each(|value| masker.add(value));
        }
        let Ended {
            log,
            commands,
            annotations,
            refused,
            ..
        } = ended;
        locked(&context.report).annotate(&job.id, annotations);
        let mut changes = commands.changes();
        let log_path = step_log(&context.logs, &context.run, &job.id, self.order.step);
        let masker = locked(&job.masker).clone();
        let read = blocking(move || -> Result<Changes, String> {
            let text = |path: &Path| read_text(&inside, path);
            changes
                .read(CommandFiles {
                    env: &text(&files.env)?,
                    output: &text(&files.output)?,
                    state: &text(&files.state)?,
                    path: &text(&files.path)?,
                })
                .map_err(|error| format!("Unable to process file command: {error}"))?;
            let summary = text(&files.summary)?;
            if !summary.is_empty() {
                let path = log_path.with_extension("summary.md");
                std::fs::write(path, masker.mask(&summary)).map_err(|error| error.to_string())?;
            }
            for (_, path) in files.commands() {
                // The step may have removed it, or made a folder of it: then it stays until the job's end.
                let _ = inside.remove(path);
            }
            Ok(changes)
        });
        let changes = match read.await {
            Ok(changes) => changes,
            Err(message) => return (log, Err(message)),
        };
        let (log, outcome) = verdict(log, exit, &job.room, refused).await;
        (log, Ok(Done { outcome, changes }))
    }
}

fn parent(path: &Path) -> String {
    path.parent().unwrap_or(Path::new(WORK)).display().to_string()
}

/// A command file's text. One that the step has removed is empty; one that is too long is refused by who reads it.
fn read_text(inside: &Inside, path: &Path) -> Result<String, String> {
    match inside.read(path, MAX_COMMAND_FILE_BYTES + 1) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// How a step ended, said in its log.
async fn verdict(
    log: StepLog,
    exit: Result<Exit, SandboxError>,
    room: &Room,
    refused: bool,
) -> (StepLog, Conclusion) {
    let text = match exit {
        _ if room.full() => full(room),
        Err(error) => deploy_model::with_causes(&error),
        Ok(exit) if exit.oom_killed && exit.code == KILLED => format!(
            "A process of the job was killed: the job has more than its {} bytes of memory. Exit code {}.",
            room.limits().memory_bytes,
            exit.code
        ),
        Ok(exit) if exit.code != 0 => format!("Process completed with exit code {}.", exit.code),
        Ok(_) if refused => "A workflow command of the step was refused.".to_owned(),
        Ok(_) => return (log, Conclusion::Success),
    };
    (note(log, format!("##[error]{text}")).await, Conclusion::Failure)
}

fn full(room: &Room) -> String {
    format!(
        "The job was ended: it has written more than its {} bytes, or the disk is full.",
        room.limits().disk_bytes
    )
}

/// Waits for the end of a process, or makes it.
async fn attend(
    room: &Room,
    exec: &mut Exec,
    stop: &Stop,
    mut closed: oneshot::Receiver<()>,
) -> Result<Exit, SandboxError> {
    tokio::select! {
        exit = exec.wait() => {
            let killed = |exit: &Exit| exit.code == KILLED;
            if exit.as_ref().map_or(true, killed) {
                room.settle(SETTLE).await;
            }
            return exit;
        }
        () = stop.token.cancelled() => {}
    }
    let grace = tokio::time::sleep(stop.grace());
    tokio::pin!(grace);
    room.signal(TERM).await;
    let exit = tokio::select! {
        exit = exec.wait() => Some(exit),
        () = &mut grace => None,
    };
    if exit.is_some() {
        // What it has started may still be at cleaning up: as long as it holds the pipes, and no longer than that.
        tokio::select! {
            _ = &mut closed => {}
            () = &mut grace => {}
        }
    }
    room.kill().await;
    match exit {
        Some(exit) => exit,
        None => exec.wait().await,
    }
}

impl Stop {
    fn grace(&self) -> Duration {
        *locked(&self.grace)
    }

    fn reason(&self) -> Option<String> {
        locked(&self.reason).clone()
    }
}
