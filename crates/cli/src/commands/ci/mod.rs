//! `deploy ci`: workflows in the form of GitHub Actions.

mod ground;
mod lint;
mod list;
mod run;
mod runs;
pub mod serve;
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
        .subcommands(runs::commands(lang))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("run", arguments)) => run::run(context, arguments),
        Some(("lint", arguments)) => lint::run(context, arguments),
        Some(("list", arguments)) => list::run(context, arguments),
        Some(("runs", arguments)) => runs::list(context, arguments),
        Some(("show", arguments)) => runs::show(context, arguments),
        Some(("cancel", arguments)) => runs::cancel(context, arguments),
        Some(("rerun", arguments)) => runs::rerun(context, arguments),
        Some(("start", arguments)) => runs::start(context, arguments),
        _ => Ok(Exit::Usage),
    }
}
