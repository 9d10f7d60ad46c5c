//! `deploy ci`: workflows in the form of GitHub Actions.

mod lint;
mod list;
mod network;
mod run;
mod show;
mod workflows;

use clap::{ArgMatches, Command};
use deploy_model::{Exit, Lang};

use super::described;
use crate::{Context, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    described(Command::new("ci"), &texts::of(lang).ci)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(run::command(lang))
        .subcommand(lint::command(lang))
        .subcommand(list::command(lang))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("run", arguments)) => run::run(context, arguments),
        Some(("lint", arguments)) => lint::run(context, arguments),
        Some(("list", arguments)) => list::run(context, arguments),
        _ => Ok(Exit::Usage),
    }
}
