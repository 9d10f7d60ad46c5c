//! `deploy run`: one part of Deploy alone, in the foreground.

use clap::{ArgMatches, Command};
use deploy_model::{Exit, Lang};

use super::{ci, cluster, described, registry};
use crate::{Context, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    described(Command::new("run"), &texts::of(lang).run)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(cluster::serve::command(lang))
        .subcommand(ci::serve::command(lang))
        .subcommand(registry::command(lang))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("cluster", arguments)) => cluster::serve::run(context, arguments),
        Some(("ci", arguments)) => ci::serve::run(context, arguments),
        Some(("registry", arguments)) => registry::run(context, arguments),
        _ => Ok(Exit::Usage),
    }
}
