//! `deploy help`

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};

use super::described;
use crate::{Context, Outcome, help, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    described(Command::new("help"), &texts.help).arg(
        Arg::new("command")
            .value_name("COMMAND")
            .num_args(0..)
            .action(ArgAction::Append)
            .help(texts.help_command),
    )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let mut tree = super::tree(context.lang);
    tree.build();
    let mut command = &tree;
    let mut path = vec!["deploy".to_owned()];
    for word in arguments.get_many::<String>("command").into_iter().flatten() {
        let Some(next) = command.find_subcommand(word) else {
            let cause = texts::of(context.lang)
                .usage_errors
                .command_unknown
                .replace("{command}", word);
            return Err(Diagnostic::new(Code::UsageInvalid)
                .because(cause)
                .with("command", path.join(" "))
                .into());
        };
        path.push(next.get_name().to_owned());
        command = next;
    }
    context.printer.data(help::render(command, &path, context.lang))?;
    Ok(Exit::Done)
}
