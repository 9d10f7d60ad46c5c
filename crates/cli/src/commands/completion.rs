//! `deploy completion`

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use deploy_model::{Exit, Lang};

use super::described;
use crate::{Context, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    described(Command::new("completion"), &texts.completion).arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(["bash", "zsh", "fish"])
            .help(texts.completion_shell),
    )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let shell = match arguments.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    // In memory first: clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::tree(context.lang), "deploy", &mut script);
    context.printer.data(script)?;
    Ok(Exit::Done)
}
