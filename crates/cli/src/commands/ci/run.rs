//! `deploy ci run`: the workflows of this working copy, here and now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_jobs::{Ground, JobsError, NoLedger, Options, RunOrder, RunReport, Runner, Source};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use deploy_workflow::plan::{Plan, plan};
use deploy_workflow::reader::Problem;
use deploy_workflow::run::{Conclusion, Facts, Run};
use deploy_workflow::trigger::{Happening, triggers};
use deploy_workflow::workflow::read;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::ground;
use super::show::Show;
use super::workflows::WorkingCopy;
use crate::commands::described;
use crate::{Context, Failure, Outcome, texts};

/// One for the machine of the run, one for its steps' output; the disk has threads of its own.
const WORKERS: usize = 2;

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.ci_words;
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let many = |name, shown, help| value(name, shown, help).action(ArgAction::Append);
    let command = described(Command::new("run"), &texts.ci_run)
        .arg(Arg::new("name").value_name("WORKFLOW").help(words.workflow))
        .arg(value("workflow", "FILE", words.file).conflicts_with("name"))
        .arg(value("event", "EVENT", words.event).default_value("push"))
        .arg(many("input", "NAME=VALUE", words.input))
        .arg(many("secret", "NAME", words.secret))
        .arg(many("env", "NAME", words.env));
    ground::flags(command, lang)
}

/// A workflow that starts, with its file.
struct Chosen {
    file: String,
    plan: Plan,
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let copy = WorkingCopy::of(context.cwd);
    let inputs = pairs(arguments, "input", &BTreeMap::new());
    let cause = copy.cause(event(arguments), &inputs, context.env);
    let github = cause.github();
    let chosen = choose(context, arguments, &copy, &cause.happening())?;
    if chosen.is_empty() {
        return Ok(Exit::NotFound);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("ci")
        .enable_all()
        .build()?;
    let folder = PathBuf::from(context.absolute(context.settings.data_dir()));
    let options = options(context, arguments, &folder);
    runtime.block_on(async {
        let runner = Runner::start(options).await.map_err(|error| cannot_run(&error))?;
        let mut exit = Exit::Done;
        for one in chosen {
            let facts = Facts {
                github: github.clone(),
                vars: BTreeMap::new(),
                secrets: secrets(arguments, context.env).into_keys().collect(),
                inputs: inputs.clone(),
            };
            let report = carry_out(context, arguments, &runner, (one, facts), &copy).await;
            match report {
                Ok(report) if report.conclusion == Some(Conclusion::Success) => {}
                Ok(report) => {
                    exit = Exit::Failed;
                    if report.conclusion == Some(Conclusion::Cancelled) {
                        break;
                    }
                }
                Err(error) => {
                    runner.close().await.map_err(|error| cannot_run(&error))?;
                    return Err(error);
                }
            }
        }
        runner.close().await.map_err(|error| cannot_run(&error))?;
        Ok(exit)
    })
}

fn event(arguments: &ArgMatches) -> &str {
    arguments
        .get_one::<String>("event")
        .map_or("push", String::as_str)
}

/// `NAME=VALUE`, or `NAME` with its value in the environment.
pub(super) fn pairs(
    arguments: &ArgMatches,
    name: &str,
    env: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let given = arguments.get_many::<String>(name).into_iter().flatten();
    given
        .filter_map(|text| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((text.clone(), env.get(text)?.clone())),
        })
        .collect()
}

fn secrets(arguments: &ArgMatches, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut secrets = pairs(arguments, "secret", env);
    secrets.retain(|_, value| !value.is_empty());
    secrets
}

fn options(context: &Context, arguments: &ArgMatches, folder: &Path) -> Options {
    let env = |name: &str| context.env.get(name).cloned().unwrap_or_default();
    let parts = Ground {
        folder: folder.join("ci"),
        images: folder.join("cluster/images"),
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        home: env("HOME").into(),
        path: env("PATH"),
        way: ground::way(arguments),
    };
    let mut options = Options::new(parts, Arc::new(NoLedger));
    options.labels = ground::labels(arguments);
    options.limits = ground::limits(arguments);
    options
}

/// The workflows that the event starts.
fn choose(
    context: &mut Context,
    arguments: &ArgMatches,
    copy: &WorkingCopy,
    happening: &Happening,
) -> Result<Vec<Chosen>, Failure> {
    let words = &texts::of(context.lang).ci_words;
    let named = arguments.get_one::<String>("name");
    let files: Vec<(String, String)> = match arguments.get_one::<String>("workflow") {
        Some(file) => vec![(file.clone(), context.absolute(file))],
        None => {
            let files = copy.workflows();
            files
                .into_iter()
                .map(|file| (file.clone(), copy.root.join(file).display().to_string()))
                .collect()
        }
    };
    if files.is_empty() {
        let none = Diagnostic::new(Code::CiNoWorkflow).with("path", copy.root.display().to_string());
        return Err(Failure::Explained(Box::new(none), Exit::NotFound));
    }
    let mut chosen = Vec::new();
    for (shown, path) in files {
        let text = super::lint::text(&shown, &path)?;
        let workflow = read(&shown, &text, copy, &Default::default())
            .map_err(|problems| wrong(&shown, &problems, context.lang))?;
        let is_named = |name: &&String| {
            let file = Path::new(&shown)
                .file_name()
                .and_then(|file| file.to_str())
                .unwrap_or_default();
            workflow.name.as_ref() == Some(*name) || file == name.as_str() || shown == **name
        };
        if named.is_some() && named.filter(is_named).is_none() {
            continue;
        }
        let answer = triggers(&workflow, happening);
        if !answer.starts {
            let text = words
                .starts_not
                .replace("{file}", &shown)
                .replace("{reason}", &answer.reason);
            context.printer.say(&text);
            continue;
        }
        let plan = plan(workflow, copy).map_err(|problems| wrong(&shown, &problems, context.lang))?;
        chosen.push(Chosen { file: shown, plan });
    }
    Ok(chosen)
}

/// Runs one workflow, and shows it.
async fn carry_out(
    context: &mut Context<'_>,
    arguments: &ArgMatches,
    runner: &Arc<Runner>,
    (chosen, mut facts): (Chosen, Facts),
    copy: &WorkingCopy,
) -> Result<RunReport, Failure> {
    let words = &texts::of(context.lang).ci_words;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let number = milliseconds();
    let id = format!("local-{number}-{}", std::process::id());
    let workflow = chosen
        .plan
        .workflow
        .name
        .clone()
        .unwrap_or_else(|| chosen.file.clone());
    for (name, value) in [
        ("run_id", number.to_string()),
        ("run_number", "1".to_owned()),
        ("workflow", workflow.clone()),
    ] {
        facts.github.insert(name.to_owned(), value.into());
    }
    let (listeners, mut events) = Runner::listeners();
    let order = RunOrder {
        id: id.clone(),
        github: facts.github.clone(),
        secrets: secrets(arguments, context.env),
        environment: pairs(arguments, "env", context.env),
        source: match copy.git {
            true => Source::WorkingCopy(copy.root.clone()),
            false => Source::Folder(copy.root.clone()),
        },
        jobs: chosen.plan.workflow.count_jobs(),
        listeners,
    };
    let cancel = CancellationToken::new();
    let machine = Box::new(Run::new(Arc::new(chosen.plan), facts));
    let running = runner.run(order, machine, cancel.clone());
    tokio::pin!(running);
    let mut show = Show::new(context.lang);
    let (mut asked, mut is_told) = (false, true);
    let report = loop {
        tokio::select! {
            biased;
            event = events.recv(), if is_told => match event {
                Ok(event) => show.event(&mut context.printer, event)?,
                Err(RecvError::Lagged(count)) => {
                    context.printer.warn(&words.missed.replace("{count}", &count.to_string()));
                }
                Err(RecvError::Closed) => is_told = false,
            },
            report = &mut running => break report,
            _ = interrupted.recv() => {
                if asked {
                    return Err(Failure::Said(Exit::Failed));
                }
                asked = true;
                context.printer.say(words.cancelling);
                cancel.cancel();
            }
            _ = terminated.recv() => cancel.cancel(),
        }
    };
    while let Ok(event) = events.try_recv() {
        show.event(&mut context.printer, event)?;
    }
    let report = report.map_err(|error| Failure::from(Diagnostic::new(Code::CiCannotRun).because(error)))?;
    let conclusion = report.conclusion.map_or("", Conclusion::as_str);
    let summary = words
        .summary
        .replace("{workflow}", &workflow)
        .replace("{conclusion}", conclusion)
        .replace("{ms}", &report.took_ms.to_string());
    // What was shown stands before its summary, also where both go to one file.
    context.printer.flush()?;
    context.printer.say(&summary);
    let logs = runner.logs().join(&id).display().to_string();
    context.printer.say(&words.logs.replace("{folder}", &logs));
    Ok(report)
}

fn milliseconds() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| time.as_millis())
}

fn wrong(file: &str, problems: &[Problem], lang: Lang) -> Failure {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| match &problem.hint {
            Some(hint) => format!("{problem}\n  {}", hint.text(lang)),
            None => problem.to_string(),
        })
        .collect();
    Diagnostic::new(Code::CiWorkflowInvalid)
        .with("path", file.to_owned())
        .because(lines.join("\n"))
        .into()
}

fn cannot_run(error: &JobsError) -> Failure {
    Diagnostic::new(Code::CiCannotRun).because(error.told()).into()
}
