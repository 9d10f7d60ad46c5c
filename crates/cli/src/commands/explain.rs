//! `deploy explain`

use clap::{Arg, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};

use super::described;
use crate::{Context, Failure, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    described(Command::new("explain"), &texts.explain)
        .arg(Arg::new("code").value_name("CODE").help(texts.explain_code))
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let texts = texts::of(context.lang);
    let Some(asked) = arguments.get_one::<String>("code") else {
        for code in Code::ALL {
            let message = code.message();
            context
                .printer
                .data(format!("{}  {}\n", message.id(), message.text(context.lang)))?;
        }
        return Ok(Exit::Done);
    };
    let Some(code) = Code::ALL
        .iter()
        .find(|code| code.message().id().eq_ignore_ascii_case(asked))
    else {
        let cause = texts.explain_unknown.replace("{code}", asked);
        let diagnostic = Diagnostic::new(Code::UsageInvalid)
            .because(cause)
            .with("command", "deploy explain");
        return Err(Failure::Explained(Box::new(diagnostic), Exit::NotFound));
    };
    let message = code.message();
    context.printer.data(format!(
        "{}\n  {}\n  {}{}{}\n",
        message.id(),
        message.text(context.lang),
        texts.hint,
        texts.colon,
        message.hint(context.lang)
    ))?;
    Ok(Exit::Done)
}
