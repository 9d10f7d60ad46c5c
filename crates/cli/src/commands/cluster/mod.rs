//! `deploy cluster`: looks at the embedded Kubernetes, and stops it.

mod probe;
mod process;
pub mod serve;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use serde_json::{Value, json};

use self::process::Running;
use super::described;
use crate::{Context, Failure, Outcome, table, texts};

/// Open requests are answered within this time, watches are ended at once.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

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
        .subcommand(status)
        .subcommand(kubeconfig)
        .subcommand(described(Command::new("down"), &texts.cluster_down))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("status", arguments)) => status(context, arguments),
        Some(("kubeconfig", arguments)) => kubeconfig(context, arguments),
        Some(("down", _)) => down(context),
        _ => Ok(Exit::Usage),
    }
}

fn status(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let running = find(context)?;
    let unreachable = |error: io::Error| {
        let diagnostic = Diagnostic::new(Code::ClusterUnreachable)
            .with("address", &running.address)
            .because(error.to_string());
        Failure::Explained(Box::new(diagnostic), Exit::Unreachable)
    };
    let authority = authority_of(&running).map_err(unreachable)?;
    probe::get(&running.address, &authority, "/readyz").map_err(unreachable)?;
    let version = probe::get(&running.address, &authority, "/version").map_err(unreachable)?;
    let version: Value = serde_json::from_slice(&version).map_err(|error| unreachable(error.into()))?;
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

fn down(context: &mut Context) -> Outcome {
    let running = find(context)?;
    let words = &texts::of(context.lang).cluster_words;
    context.printer.say(words.stopping);
    let stopped = running
        .stop(STOP_PATIENCE)
        .map_err(|error| Diagnostic::new(Code::ClusterStillStopping).because(error.to_string()))?;
    if !stopped {
        let diagnostic = Diagnostic::new(Code::ClusterStillStopping)
            .because(words.owner.replace("{pid}", &running.pid.to_string()));
        return Err(Failure::Explained(Box::new(diagnostic), Exit::StillRunning));
    }
    context.printer.say(words.stopped);
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

/// The certificate authority that the kubeconfig names.
fn authority_of(running: &Running) -> io::Result<Vec<u8>> {
    let text = std::fs::read(&running.kubeconfig)?;
    let config = deploy_yaml::to_json(&text, deploy_yaml::Dialect::Core12).map_err(io::Error::other)?;
    let data = config["clusters"][0]["cluster"]["certificate-authority-data"]
        .as_str()
        .ok_or_else(|| io::Error::other("the kubeconfig names no certificate-authority-data"))?;
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(data)
        .map_err(io::Error::other)
}
