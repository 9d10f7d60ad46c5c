//! `deploy run ci`: Git server, runs, builder and registry, until told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_model::{Code, Diagnostic, Exit, Lang, with_causes};
use deploy_registry::TagPolicy;
use deploy_server::{News, Options, Server, ServerError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;

use super::ground;
use crate::commands::{audit, described};
use crate::texts::server;
use crate::{Context, Failure, Outcome};

/// One for what comes, one for what goes; disk, git and builds have threads of their own.
const WORKERS: usize = 2;

pub fn command(lang: Lang) -> Command {
    let words = server::of(lang);
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let address = |name: &'static str, default: &'static str, help: &'static str| {
        value(name, "ADDRESS", help)
            .value_parser(value_parser!(SocketAddr))
            .default_value(default)
    };
    let command = described(Command::new("ci"), &words.run)
        .arg(address("listen", "127.0.0.1:7080", words.listen))
        .arg(address("registry", "127.0.0.1:7050", words.registry))
        .arg(value("registry-name", "HOST:PORT", words.registry_name).action(ArgAction::Append))
        .arg(value("external-url", "URL", words.external_url))
        .arg(
            Arg::new("mutable-tags")
                .long("mutable-tags")
                .action(ArgAction::SetTrue)
                .help(words.mutable_tags),
        );
    ground::flags(command, lang)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let options = options(context, arguments);
    let data = options.data.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("ci")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before anything is started: a signal that comes early must find its listener.
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let server = Server::start(options)
            .await
            .map_err(|error| not_started(&data, &error))?;
        let words = server::of(context.lang);
        let mut news = server.news();
        let ready = words
            .ready
            .replace("{url}", &format!("http://{}", server.address()))
            .replace("{registry}", &server.registry_address().to_string());
        context.printer.say(&ready);
        loop {
            tokio::select! {
                told = news.recv() => match told {
                    Ok(told) => show(context, told),
                    Err(RecvError::Lagged(count)) => {
                        context.printer.warn(&words.missed.replace("{count}", &count.to_string()));
                    }
                    Err(RecvError::Closed) => break,
                },
                _ = interrupted.recv() => break,
                _ = terminated.recv() => break,
            }
        }
        context.printer.say(words.stopping);
        server.close().await.map_err(|error| not_started(&data, &error))?;
        context.printer.say(words.stopped);
        Ok(Exit::Done)
    })
}

fn options(context: &Context, arguments: &ArgMatches) -> Options {
    let env = |name: &str| context.env.get(name).cloned().unwrap_or_default();
    let address = |name: &str| *arguments.get_one::<SocketAddr>(name).expect("it has a default");
    let registry = address("registry");
    let mut registry_names = vec![format!("registry.localhost:{}", registry.port())];
    registry_names.extend(
        arguments
            .get_many::<String>("registry-name")
            .into_iter()
            .flatten()
            .cloned(),
    );
    let stays = !arguments.get_flag("mutable-tags");
    Options {
        data: PathBuf::from(context.absolute(context.settings.data_dir())),
        listen: address("listen"),
        registry,
        registry_names,
        external_url: arguments.get_one::<String>("external-url").cloned(),
        tags: TagPolicy {
            commits_stay: stays,
            versions_stay: stays,
            ..TagPolicy::default()
        },
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        home: env("HOME").into(),
        path: env("PATH"),
        way: ground::way(arguments),
        labels: ground::labels(arguments),
        limits: ground::limits(arguments),
    }
}

fn show(context: &mut Context, news: News) {
    let words = server::of(context.lang);
    match news {
        News::Pushed {
            repository,
            reference,
            by,
            runs,
            others,
        } => {
            let text = words
                .pushed
                .replace("{by}", &by)
                .replace("{reference}", &reference)
                .replace("{repository}", &repository)
                .replace("{count}", &runs.to_string());
            context.printer.say(&text);
            for (file, reason) in others {
                let text = words
                    .pushed_nothing
                    .replace("{file}", &file)
                    .replace("{reason}", &reason);
                context.printer.say(&text);
            }
        }
        News::Started {
            id,
            repository,
            workflow,
        } => {
            let text = words
                .started
                .replace("{id}", &id.to_string())
                .replace("{repository}", &repository)
                .replace("{workflow}", &workflow);
            context.printer.say(&text);
        }
        News::Ended {
            id,
            repository,
            workflow,
            conclusion,
            took_ms,
        } => {
            let text = words
                .ended
                .replace("{id}", &id.to_string())
                .replace("{repository}", &repository)
                .replace("{workflow}", &workflow)
                .replace("{conclusion}", &conclusion)
                .replace("{ms}", &took_ms.to_string());
            context.printer.say(&text);
        }
        News::Failed { what, reason } => {
            let text = words.failed.replace("{what}", &what).replace("{reason}", &reason);
            context.printer.warn(&text);
        }
    }
}

fn not_started(data: &Path, error: &ServerError) -> Failure {
    let (code, exit) = match error {
        ServerError::Ledger(error) => return audit::refused(error, data),
        ServerError::Address { .. } => (Code::ServerAddressTaken, Exit::Conflict),
        ServerError::Jobs(_) => (Code::CiCannotRun, Exit::Failed),
        _ => (Code::ServerStartFailed, Exit::Failed),
    };
    let address = match error {
        ServerError::Address { address, .. } => address.to_string(),
        _ => String::new(),
    };
    let diagnostic = Diagnostic::new(code)
        .with("path", data.display().to_string())
        .with("address", address)
        .because(with_causes(error));
    Failure::Explained(Box::new(diagnostic), exit)
}
