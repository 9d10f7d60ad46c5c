//! `deploy run registry`: serves until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_model::{Code, Diagnostic, Exit, Lang, with_causes};
use deploy_registry::access::{Accounts, Gate, Rights};
use deploy_registry::http::{Address, Server, Service};
use deploy_registry::{OpenError, Options, Registry, TagPolicy};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::described;
use crate::{Context, Failure, Outcome, texts};

/// One for what comes, one for what goes; the disk has threads of its own.
const WORKERS: usize = 2;

/// Idle threads of the disk end after a moment, so that a quiet registry is small.
const THREAD_LIFE: std::time::Duration = std::time::Duration::from_secs(5);

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.registry_words;
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    described(Command::new("registry"), &texts.run_registry)
        .arg(
            value("listen", "ADDRESS", words.listen)
                .value_parser(value_parser!(SocketAddr))
                .default_value("127.0.0.1:7050"),
        )
        .arg(value("users", "FILE", words.users))
        .arg(value("anonymous", "RIGHTS", words.anonymous).value_parser(["none", "pull", "all"]))
        .arg(value("external-url", "URL", words.external_url))
        .arg(
            Arg::new("mutable-tags")
                .long("mutable-tags")
                .action(ArgAction::SetTrue)
                .help(words.mutable_tags),
        )
        .arg(value("refuse-latest", "REPOSITORY", words.refuse_latest).action(ArgAction::Append))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let folder = PathBuf::from(context.absolute(context.settings.data_dir())).join("registry");
    let listen = *arguments
        .get_one::<SocketAddr>("listen")
        .expect("it has a default");
    let accounts = accounts(context, arguments, listen)?;
    let latest_refused = arguments
        .get_many::<String>("refuse-latest")
        .into_iter()
        .flatten()
        .cloned();
    let stays = !arguments.get_flag("mutable-tags");
    let options = Options {
        tags: TagPolicy {
            commits_stay: stays,
            versions_stay: stays,
            latest_refused: latest_refused.collect(),
        },
        ..Options::default()
    };
    let address = match arguments.get_one::<String>("external-url") {
        Some(url) => Address::External(url.clone()),
        None => Address::AsAsked,
    };
    let failed = |error: &dyn std::error::Error| start_failed(&folder, error);
    let registry = Registry::open(&folder, options.clone()).map_err(|error| not_opened(&folder, &error))?;
    let gate = Gate::new(Arc::new(accounts), options.clock).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(
            deploy_registry::limits::DISK_THREADS + deploy_registry::limits::PASSWORD_CHECKS,
        )
        .thread_keep_alive(THREAD_LIFE)
        .thread_name("registry")
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    runtime.block_on(async {
        // Before anything is started: a signal that comes early must find its listener.
        let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| failed(&error))?;
        let mut terminated = signal(SignalKind::terminate()).map_err(|error| failed(&error))?;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let taken = Diagnostic::new(Code::RegistryAddressTaken)
                .with("address", listen.to_string())
                .because(error.to_string());
            Failure::Explained(Box::new(taken), Exit::Conflict)
        })?;
        let address_of = listener.local_addr().unwrap_or(listen);
        let server = Server::start(Service::new(registry, Arc::new(gate), address));
        server.listen(listener);
        let words = &texts::of(context.lang).registry_words;
        context
            .printer
            .say(&words.ready.replace("{address}", &address_of.to_string()));
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        context.printer.say(words.stopping);
        server.shutdown().await;
        context.printer.say(words.stopped);
        Ok(Exit::Done)
    })
}

/// Who may do what. Without accounts everybody on this machine may do everything, and nobody else may come.
fn accounts(context: &Context, arguments: &ArgMatches, listen: SocketAddr) -> Result<Accounts, Failure> {
    let anonymous = arguments.get_one::<String>("anonymous").map(String::as_str);
    let rights = |default: &'static str| match anonymous.unwrap_or(default) {
        "all" => (Rights::all(), Rights::none()),
        "pull" => (Rights::read(), Rights::read()),
        _ => (Rights::none(), Rights::none()),
    };
    let Some(file) = arguments.get_one::<String>("users") else {
        if !listen.ip().is_loopback() {
            let open = Diagnostic::new(Code::RegistryWithoutUsers).with("address", listen.to_string());
            return Err(Failure::Explained(Box::new(open), Exit::Usage));
        }
        let (local, foreign) = rights("all");
        return Ok(Accounts::of_strangers(local, foreign));
    };
    let (local, foreign) = rights("none");
    let path = PathBuf::from(context.absolute(file));
    Accounts::read(&path, local, foreign).map_err(|error| {
        let wrong = Diagnostic::new(Code::RegistryUsersInvalid)
            .with("path", path.display().to_string())
            .because(with_causes(&error));
        Failure::Explained(Box::new(wrong), Exit::Failed)
    })
}

fn not_opened(folder: &Path, error: &OpenError) -> Failure {
    let (code, exit) = match error {
        OpenError::Locked => (Code::RegistryInUse, Exit::Conflict),
        OpenError::Newer { .. } => (Code::RegistryDataNewer, Exit::Failed),
        OpenError::Damaged { .. } => (Code::RegistryDataDamaged, Exit::Failed),
        OpenError::Disk(_) => (Code::RegistryStartFailed, Exit::Failed),
    };
    let diagnostic = Diagnostic::new(code)
        .with("path", folder.display().to_string())
        .because(with_causes(error));
    Failure::Explained(Box::new(diagnostic), exit)
}

fn start_failed(folder: &Path, error: &dyn std::error::Error) -> Failure {
    let diagnostic = Diagnostic::new(Code::RegistryStartFailed)
        .with("path", folder.display().to_string())
        .because(with_causes(error));
    Failure::Explained(Box::new(diagnostic), Exit::Failed)
}
