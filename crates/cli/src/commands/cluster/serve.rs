//! `deploy run cluster`: serves until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::server::{Options, Server, StartError};
use deploy_cluster_controllers::controllers;
use deploy_cluster_controllers::shell::Controllers;
use deploy_cluster_net::firewall::{Hinders, Obstacle};
use deploy_cluster_storage::OpenError;
use deploy_model::{Code, Diagnostic, Exit, Lang, with_causes};
use tokio::signal::unix::{SignalKind, signal};

use super::{node, owner, process, range};
use crate::commands::described;
use crate::{Context, Failure, Outcome, texts};

/// Requests are short and the writer has a thread of its own: two threads serve 64 connections.
const WORKERS: usize = 2;

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.cluster_words;
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    described(Command::new("cluster"), &texts.run_cluster)
        .arg(flag("api-only", words.api_only))
        .arg(flag("no-controllers", words.no_controllers))
        .arg(
            Arg::new("node-name")
                .long("node-name")
                .value_name("NAME")
                .help(words.node_name),
        )
        .arg(
            Arg::new("port-offset")
                .long("port-offset")
                .value_name("NUMBER")
                .value_parser(value_parser!(u16))
                .default_value("0")
                .help(words.port_offset),
        )
        .arg(
            Arg::new("service-cidr")
                .long("service-cidr")
                .value_name("RANGE")
                .value_parser(move |text: &str| Range::parse(text).ok_or(words.no_range))
                .help(words.service_cidr),
        )
        .arg(door("ingress-http", "127.0.0.1:8080", words.ingress_http))
        .arg(door("ingress-https", "127.0.0.1:8443", words.ingress_https))
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .value_parser(value_parser!(SocketAddr))
                .default_value("127.0.0.1:6443")
                .help(words.listen),
        )
        .arg(
            Arg::new("kubeconfig-out")
                .long("kubeconfig-out")
                .value_name("FILE")
                .help(words.kubeconfig_out),
        )
}

fn door(name: &'static str, address: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("ADDRESS")
        .value_parser(value_parser!(SocketAddr))
        .default_value(address)
        .help(help)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let started = Instant::now();
    let data_dir = PathBuf::from(context.absolute(context.settings.data_dir()));
    let failed = |error: io::Error| {
        Diagnostic::new(Code::ClusterStartFailed)
            .with("path", data_dir.display().to_string())
            .because(error.to_string())
    };
    let folder = process::folder(&data_dir).map_err(failed)?;
    let mut held = match process::hold(&folder).map_err(failed)? {
        Ok(held) => held,
        Err(owner) => return Err(in_use(context, &folder, owner.map(|owner| owner.pid))),
    };
    let kubeconfig = folder.join("admin.kubeconfig");
    held.publish("", &kubeconfig).map_err(failed)?;
    let asked = arguments.get_one::<Range>("service-cidr").copied();
    let options = Options {
        data_dir: folder.clone(),
        listen: address(arguments, "listen"),
        controllers: !arguments.get_flag("no-controllers"),
        service_range: range::choose(&folder, asked)?,
    };
    let service_range = options.service_range;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("cluster")
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        // Before anything is started: a signal that comes early must find its listener.
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        let runs_pods = !arguments.get_flag("api-only") && !arguments.get_flag("no-controllers");
        let ground = match runs_pods {
            true => {
                let name = arguments.get_one::<String>("node-name").map(String::as_str);
                let ground = node::Ground::prepare(&folder, name, service_range).await;
                Some(ground.map_err(|error| Failure::Explained(Box::new(error), Exit::Failed))?)
            }
            false => None,
        };
        let server = match Server::start(options).await {
            Ok(server) => server,
            Err(error) => return Err(not_started(&folder, context.lang, error)),
        };
        let controllers = if arguments.get_flag("no-controllers") {
            None
        } else {
            Some(Controllers::start(server.api(), controllers::ALL))
        };
        let machine = match ground {
            Some(ground) => {
                let doors = node::Doors {
                    http: address(arguments, "ingress-http"),
                    https: address(arguments, "ingress-https"),
                };
                let started = ground.start(&server, doors, context.lang).await;
                Some(started.map_err(|error| Failure::Explained(Box::new(error), Exit::Failed))?)
            }
            None => None,
        };
        let address = format!("https://{}", server.address());
        let text = server
            .kubeconfig("deploy")
            .map_err(|error| failed(io::Error::other(error)))?;
        write_private(&kubeconfig, &text).map_err(failed)?;
        if let Some(out) = arguments.get_one::<String>("kubeconfig-out") {
            write_private(Path::new(&context.absolute(out)), &text).map_err(failed)?;
        }
        held.publish(&address, &kubeconfig).map_err(failed)?;
        greet(context, &address, &kubeconfig, started, machine.is_some());
        for obstacle in machine.iter().flat_map(|machine| &machine.obstacles) {
            context.printer.say(&hindered(context.lang, obstacle));
        }
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        let words = &texts::of(context.lang).cluster_words;
        context.printer.say(words.stopping);
        if let Some(machine) = machine {
            machine.shutdown().await;
        }
        if let Some(controllers) = controllers {
            controllers.shutdown().await;
        }
        server.shutdown().await;
        context.printer.say(words.stopped);
        Ok(Exit::Done)
    })
}

fn greet(context: &mut Context, address: &str, kubeconfig: &Path, started: Instant, runs_pods: bool) {
    let words = &texts::of(context.lang).cluster_words;
    let milliseconds = started.elapsed().as_millis().to_string();
    let ready = words
        .ready
        .replace("{address}", address)
        .replace("{milliseconds}", &milliseconds);
    context.printer.say(&ready);
    if !runs_pods {
        context.printer.say(words.pods_wait);
    }
    let next = words.next.replace("{path}", &kubeconfig.display().to_string());
    context.printer.say(&next);
}

fn in_use(context: &Context, folder: &Path, owner: Option<i32>) -> Failure {
    let words = &texts::of(context.lang).cluster_words;
    let owner = owner.map(|pid| words.owner.replace("{pid}", &pid.to_string()));
    let diagnostic = Diagnostic::new(Code::ClusterInUse)
        .with("path", folder.display().to_string())
        .because(owner.unwrap_or_default());
    Failure::Explained(Box::new(diagnostic), Exit::Conflict)
}

/// A kubeconfig is a key: only its owner reads it, and nobody ever sees half of it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

/// An address of a flag. `--port-offset` moves those that nobody has given, but for ports that are free to choose.
fn address(arguments: &ArgMatches, flag: &str) -> SocketAddr {
    let mut address = *arguments.get_one::<SocketAddr>(flag).expect("it has a default");
    if arguments.value_source(flag) == Some(ValueSource::DefaultValue) {
        let offset = *arguments.get_one::<u16>("port-offset").expect("it has a default");
        address.set_port(address.port().saturating_add(offset));
    }
    address
}

/// A firewall that is in the pods' way, and how to allow them.
fn hindered(lang: Lang, obstacle: &Obstacle) -> String {
    let words = &texts::of(lang).cluster_words;
    let text = match obstacle.hinders {
        Hinders::Forwarding => words.hinders_forwarding,
        Hinders::Input => words.hinders_input,
    };
    text.replace("{family}", obstacle.family)
        .replace("{table}", &obstacle.table)
        .replace("{chain}", &obstacle.chain)
        .replace("{remedy}", &obstacle.remedy)
}

/// An address cannot be had; the cause names who has it.
pub(super) fn taken(address: SocketAddr, lang: Lang, error: &dyn std::error::Error) -> Diagnostic {
    let words = &texts::of(lang).cluster_words;
    let mut because = with_causes(error);
    if let Some(owner) = owner::of(address) {
        let listener = words.listener.replace("{program}", &owner.program);
        because = format!("{because}: {}", listener.replace("{pid}", &owner.pid.to_string()));
    }
    Diagnostic::new(Code::ClusterAddressTaken)
        .with("address", address.to_string())
        .because(because)
}

/// What to do about a server that does not start.
fn not_started(folder: &Path, lang: Lang, error: StartError) -> Failure {
    if let StartError::Listen { address, .. } = &error {
        return Failure::Explained(Box::new(taken(*address, lang, &error)), Exit::Conflict);
    }
    let path = folder.display().to_string();
    let (diagnostic, exit) = match &error {
        StartError::Open(OpenError::Locked { .. }) => (
            Diagnostic::new(Code::ClusterInUse).with("path", path),
            Exit::Conflict,
        ),
        StartError::Open(OpenError::Newer { .. }) => (
            Diagnostic::new(Code::ClusterDataNewer).with("path", path),
            Exit::Failed,
        ),
        StartError::Open(OpenError::Corrupt { .. }) => (
            Diagnostic::new(Code::ClusterDataDamaged).with("path", path),
            Exit::Failed,
        ),
        StartError::Listen { .. }
        | StartError::Open(_)
        | StartError::Identity(_)
        | StartError::Bootstrap(_) => (
            Diagnostic::new(Code::ClusterStartFailed).with("path", path),
            Exit::Failed,
        ),
    };
    Failure::Explained(Box::new(diagnostic.because(with_causes(&error))), exit)
}
