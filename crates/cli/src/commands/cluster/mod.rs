//! `deploy cluster`: looks at the embedded Kubernetes, brings objects into it, and stops it.

mod apply;
mod connection;
mod down;
pub mod image;
mod node;
mod owner;
mod process;
mod range;
pub mod serve;

use std::io;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use serde_json::{Value, json};

use self::connection::{Ask, Connection, Credentials};
use self::process::Running;
use super::described;
use crate::{Context, Failure, Outcome, table, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let status = described(Command::new("status"), &texts.cluster_status).arg(
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FORMAT")
            .value_parser(["table", "json"])
            .default_value("table")
            .help(texts.output_flag),
    );
    let kubeconfig = described(Command::new("kubeconfig"), &texts.cluster_kubeconfig).arg(
        Arg::new("path")
            .long("path")
            .action(ArgAction::SetTrue)
            .help(texts.cluster_words.kubeconfig_path),
    );
    described(Command::new("cluster"), &texts.cluster)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(apply::command(lang))
        .subcommand(status)
        .subcommand(kubeconfig)
        .subcommand(image::command(lang))
        .subcommand(down::command(lang))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("apply", arguments)) => {
            let running = find(context)?;
            apply::run(context, &running, arguments)
        }
        Some(("status", arguments)) => status(context, arguments),
        Some(("kubeconfig", arguments)) => kubeconfig(context, arguments),
        Some(("image", arguments)) => image::run(context, arguments),
        Some(("down", arguments)) => down::run(context, arguments),
        _ => Ok(Exit::Usage),
    }
}

fn status(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let running = find(context)?;
    let version = version(&running).map_err(|error| apply::unreachable(&running, &error))?;
    let version = version["gitVersion"].as_str().unwrap_or_default();
    let words = texts::of(context.lang);
    let text = match arguments.get_one::<String>("output").map(String::as_str) {
        Some("json") => format!(
            "{:#}\n",
            json!({
                "status": "running",
                "version": version,
                "address": running.address,
                "pid": running.pid,
                "kubeconfig": running.kubeconfig,
            })
        ),
        _ => table::render(
            words.cluster_words.columns,
            &[[
                words.cluster_words.running.to_owned(),
                version.to_owned(),
                running.address.clone(),
                running.pid.to_string(),
                running.kubeconfig.display().to_string(),
            ]],
        ),
    };
    context.printer.data(text)?;
    Ok(Exit::Done)
}

fn kubeconfig(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let running = find(context)?;
    if arguments.get_flag("path") {
        context
            .printer
            .data(format!("{}\n", running.kubeconfig.display()))?;
        return Ok(Exit::Done);
    }
    let text = std::fs::read(&running.kubeconfig).map_err(|error| {
        Diagnostic::new(Code::FileUnreadable)
            .with("path", running.kubeconfig.display().to_string())
            .because(error.to_string())
    })?;
    context.printer.data(text)?;
    Ok(Exit::Done)
}

/// The cluster that runs in the data folder.
fn find(context: &Context) -> Result<Running, Failure> {
    let folder = folder_of(context);
    match process::find(&folder) {
        Ok(Some(running)) => Ok(running),
        Ok(None) => {
            let diagnostic =
                Diagnostic::new(Code::ClusterNotRunning).with("path", folder.display().to_string());
            Err(Failure::Explained(Box::new(diagnostic), Exit::NotFound))
        }
        Err(error) => Err(Diagnostic::new(Code::FileUnreadable)
            .with("path", folder.display().to_string())
            .because(error.to_string())
            .into()),
    }
}

fn folder_of(context: &Context) -> PathBuf {
    PathBuf::from(context.absolute(context.settings.data_dir())).join("cluster")
}

/// What `/version` says, once `/readyz` is content.
fn version(running: &Running) -> io::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let credentials = Credentials::of_kubeconfig(&running.kubeconfig)?;
        let mut connection = Connection::open(&running.address, &credentials).await?;
        let mut version = Value::Null;
        for path in ["/readyz", "/version"] {
            let answer = connection.ask(Ask::get(path)).await?;
            if !answer.status.is_success() {
                let text = String::from_utf8_lossy(&answer.body);
                return Err(io::Error::other(format!("{}: {text}", answer.status)));
            }
            version = serde_json::from_slice(&answer.body).unwrap_or_default();
        }
        Ok(version)
    })
}
