//! `deploy build`: an image from a Dockerfile.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_build::{BuildError, Built, Event, Parts, Problem, Request, Secret, build};
use deploy_cluster_node::images::keyring::Keyring;
use deploy_image::Store;
use deploy_model::image::Reference;
use deploy_model::image::manifest::Platform;
use deploy_model::{Code, Diagnostic, Exit, Lang, Place, shown_bytes, with_causes};
use deploy_registry_client::{Client, Options};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::described;
use crate::texts::build::BuildWords;
use crate::{Context, Failure, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.build_words;
    let value = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(placeholder).help(help)
    };
    let values = |arg: Arg| arg.action(ArgAction::Append);
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    described(Command::new("build"), &texts.build)
        .arg(
            Arg::new("context")
                .value_name("CONTEXT")
                .required(true)
                .help(words.context),
        )
        .arg(value("file", "PATH", words.file).short('f'))
        .arg(values(value("tag", "NAME", words.tag).short('t')))
        .arg(value("target", "STAGE", words.target))
        .arg(values(value("build-arg", "NAME=VALUE", words.build_arg)))
        .arg(values(value("secret", "SECRET", words.secret)))
        .arg(switch("push", words.push))
        .arg(value("output", "FILE", words.output).short('o'))
        .arg(switch("no-cache", words.no_cache))
        .arg(switch("pull", words.pull))
        .arg(value("platform", "OS/ARCH", words.platform))
        .arg(value("source-date-epoch", "SECONDS", words.epoch))
        .arg(switch("quiet", words.quiet).short('q'))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let request = request(context, arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| unusable("tokio", &error))?;
    let cancel = CancellationToken::new();
    let watching = runtime.spawn(until_told(cancel.clone()));
    let parts = parts(context, runtime.handle().clone(), cancel)?;
    let quiet = arguments.get_flag("quiet");
    let start = Instant::now();
    let words = &texts::of(context.lang).build_words;
    let printer = &mut context.printer;
    let mut progress = |event: Event| {
        if let Some(line) = told(words, event).filter(|_| !quiet) {
            printer.say(&line);
        }
    };
    let outcome = build(&request, &parts, &mut progress);
    watching.abort();
    drop(parts);
    runtime.shutdown_background();
    let built = outcome.map_err(|error| failed(&error))?;
    if !built.unused_arguments.is_empty() {
        let names = built.unused_arguments.join(", ");
        context.printer.warn(&words.unused.replace("{names}", &names));
    }
    if !quiet {
        let seconds = format!("{:.2}", start.elapsed().as_secs_f64());
        context.printer.say(&summary(words, &built, &seconds));
    }
    let mut text = String::new();
    for tag in &request.tags {
        text.push_str(&format!("{tag}@{}\n", built.digest));
    }
    if text.is_empty() {
        text = format!("{}\n", built.id);
    }
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn summary(words: &BuildWords, built: &Built, seconds: &str) -> String {
    words
        .summary
        .replace("{seconds}", seconds)
        .replace("{layers}", &built.layers.to_string())
        .replace("{size}", &shown_bytes(built.size))
        .replace("{cached}", &built.cached.to_string())
        .replace("{steps}", &built.steps.to_string())
}

fn told(words: &BuildWords, event: Event) -> Option<String> {
    Some(match event {
        Event::Step {
            number,
            of,
            stage,
            text,
            cached,
        } => {
            let cached = if cached {
                format!(" ({})", words.cached)
            } else {
                String::new()
            };
            format!("[{stage} {number}/{of}] {text}{cached}")
        }
        Event::Output { line, .. } => format!("  {line}"),
        Event::Done { .. } => return None,
        Event::Pulling { name } => words.pulling.replace("{name}", &name),
        Event::Pushing { name } => words.pushing.replace("{name}", &name),
    })
}

/// Ends the build when the process is told to end.
async fn until_told(cancel: CancellationToken) {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    cancel.cancel();
}

fn request(context: &Context, arguments: &ArgMatches) -> Result<Request, Failure> {
    let words = &texts::of(context.lang).build_words;
    let text = |name: &str| arguments.get_one::<String>(name).cloned();
    let all = |name: &str| arguments.get_many::<String>(name).into_iter().flatten();
    let given = text("context").unwrap_or_else(|| ".".to_owned());
    let mut request = Request::new(context.absolute(&given));
    if let Some(file) = text("file") {
        request.dockerfile = context.absolute(&file).into();
    }
    for tag in all("tag") {
        let tag: Reference = tag
            .parse()
            .map_err(|error| misused(format!("{}: {error}", words.no_reference.replace("{name}", tag))))?;
        request.tags.push(tag);
    }
    for argument in all("build-arg") {
        let pair = match argument.split_once('=') {
            Some((name, value)) => Some((name, value.to_owned())),
            None => context
                .env
                .get(argument)
                .map(|value| (&**argument, value.clone())),
        };
        let (name, value) = pair.ok_or_else(|| misused(words.no_pair.replace("{argument}", argument)))?;
        request.arguments.insert(name.to_owned(), value);
    }
    request.secrets = secrets(context, words, all("secret"))?;
    request.target = text("target");
    request.push = arguments.get_flag("push");
    request.output = text("output").map(|path| context.absolute(&path).into());
    request.no_cache = arguments.get_flag("no-cache");
    request.pull = arguments.get_flag("pull");
    let epoch = text("source-date-epoch").or_else(|| context.env.get("SOURCE_DATE_EPOCH").cloned());
    if let Some(epoch) = epoch.filter(|epoch| !epoch.is_empty()) {
        let parsed = epoch.parse().ok();
        request.source_date_epoch_s =
            Some(parsed.ok_or_else(|| misused(words.no_epoch.replace("{value}", &epoch)))?);
    }
    if let Some(asked) = text("platform")
        && asked != Platform::own().to_string()
    {
        let own = Platform::own().to_string();
        let cause = words
            .other_platform
            .replace("{own}", &own)
            .replace("{asked}", &asked);
        return Err(misused(cause));
    }
    if request.push && request.tags.is_empty() {
        return Err(misused(words.push_without_tag.to_owned()));
    }
    Ok(request)
}

fn secrets<'a>(
    context: &Context,
    words: &BuildWords,
    given: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut secrets = BTreeMap::new();
    for text in given {
        let fields: BTreeMap<&str, &str> = text
            .split(',')
            .filter_map(|field| field.split_once('='))
            .collect();
        let source = fields.get("src").or_else(|| fields.get("source"));
        let bytes = match (fields.get("id"), source, fields.get("env")) {
            (Some(id), Some(path), _) => {
                fs::read(context.absolute(path)).map_err(|error| (id, error.to_string()))
            }
            (Some(id), None, variable) => {
                let variable = variable.unwrap_or(id);
                let value = context.env.get(*variable).map(|value| value.clone().into_bytes());
                value.ok_or_else(|| (id, (*variable).to_owned()))
            }
            (None, ..) => return Err(misused(words.no_secret.replace("{secret}", text))),
        };
        let bytes = bytes.map_err(|(id, reason)| {
            misused(
                words
                    .secret_unreadable
                    .replace("{id}", id)
                    .replace("{reason}", &reason),
            )
        })?;
        secrets.insert(fields["id"].to_owned(), Secret::new(bytes));
    }
    Ok(secrets)
}

fn misused(cause: String) -> Failure {
    Diagnostic::new(Code::UsageInvalid)
        .with("command", "deploy build")
        .because(cause)
        .into()
}

/// The image store of this machine's cluster.
pub fn store(context: &Context) -> Result<Store, Failure> {
    let path = PathBuf::from(context.absolute(context.settings.data_dir())).join("cluster/images");
    Store::open(&path).map_err(|error| {
        Diagnostic::new(Code::ImageStoreUnusable)
            .with("path", path.display().to_string())
            .because(with_causes(&error))
            .into()
    })
}

/// The builder's own folder.
pub fn folder(context: &Context) -> PathBuf {
    PathBuf::from(context.absolute(context.settings.data_dir())).join("build")
}

fn parts(
    context: &Context,
    runtime: tokio::runtime::Handle,
    cancel: CancellationToken,
) -> Result<Parts, Failure> {
    let client = Client::new(Options::default());
    let keyring = keyring(context);
    let program = std::env::current_exe().map_err(|error| unusable("/proc/self/exe", &error))?;
    let keys: deploy_build::Keyring = Arc::new(move |reference: &Reference| {
        let repository = format!("{}/{}", reference.domain(), reference.path());
        keyring.lookup(&repository).into_iter().next()
    });
    Ok(Parts {
        store: Arc::new(store(context)?),
        folder: folder(context),
        program,
        client,
        keyring: keys,
        runtime,
        cancel,
    })
}

/// Who we are at registries: what `docker login` has written.
fn keyring(context: &Context) -> Keyring {
    let folder = context.env.get("DOCKER_CONFIG").cloned().or_else(|| {
        let home = context.env.get("HOME")?;
        Some(format!("{home}/.docker"))
    });
    let config = folder.and_then(|folder| fs::read(Path::new(&folder).join("config.json")).ok());
    let secret = config.map(|config| {
        json!({
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": STANDARD.encode(config)},
        })
    });
    Keyring::of(secret.iter())
}

fn unusable(path: &str, error: &io::Error) -> Failure {
    Diagnostic::new(Code::BuildDataUnusable)
        .with("path", path)
        .because(error.to_string())
        .into()
}

fn failed(error: &BuildError) -> Failure {
    let diagnostic = match error {
        BuildError::Unreadable { path, source } => {
            let diagnostic = Diagnostic::new(Code::FileUnreadable)
                .with("path", path.display().to_string())
                .because(source.to_string());
            if source.kind() == io::ErrorKind::NotFound {
                return Failure::Explained(Box::new(diagnostic), Exit::NotFound);
            }
            diagnostic
        }
        BuildError::Problems { file, problems } => {
            let lines: Vec<String> = problems.iter().map(Problem::told).collect();
            Diagnostic::new(Code::BuildFileInvalid)
                .with("path", file.display().to_string())
                .because(lines.join("\n"))
        }
        BuildError::Base { place, name, reason } => Diagnostic::new(Code::BuildBaseMissing)
            .with("name", name)
            .at(Place::file(place))
            .because(reason.clone()),
        BuildError::Failed {
            place,
            step,
            code,
            last,
        } => Diagnostic::new(Code::BuildStepFailed)
            .with("step", step)
            .with("code", code.to_string())
            .at(Place::file(place))
            .because(last.join("\n")),
        BuildError::Step {
            place,
            step,
            reason,
            hint,
        } => Diagnostic::new(Code::BuildStepImpossible)
            .with("step", step)
            .at(Place::file(place))
            .because(format!("{reason}\n{hint}").trim_end().to_owned()),
        BuildError::Machine { reason } => Diagnostic::new(Code::BuildMachineUnfit).because(reason.clone()),
        BuildError::Push { name, reason } => Diagnostic::new(Code::BuildNotPushed)
            .with("name", name)
            .because(reason.clone()),
        BuildError::Cancelled => Diagnostic::new(Code::BuildEnded),
        BuildError::Disk { path, .. } => Diagnostic::new(Code::BuildDataUnusable)
            .with("path", path.display().to_string())
            .because(with_causes(error)),
        BuildError::Store(_) => Diagnostic::new(Code::BuildDataUnusable)
            .with("path", "cluster/images")
            .because(with_causes(error)),
    };
    diagnostic.into()
}
