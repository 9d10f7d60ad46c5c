//! `deploy image`: images of this machine.

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_build::{Debian, DebianError, debian};
use deploy_model::image::Reference;
use deploy_model::{Code, Diagnostic, Exit, Lang};

use super::{build, described};
use crate::{Context, Failure, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.build_words;
    let debian = described(Command::new("debian"), &texts.image_base)
        .arg(
            Arg::new("suite")
                .long("suite")
                .value_name("NAME")
                .default_value("bookworm")
                .help(words.suite),
        )
        .arg(
            Arg::new("include")
                .long("include")
                .value_name("PACKAGES")
                .action(ArgAction::Append)
                .help(words.include),
        )
        .arg(
            Arg::new("name")
                .long("name")
                .value_name("REFERENCE")
                .help(words.name),
        );
    let base = described(Command::new("base"), &texts.image_base)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(debian);
    described(Command::new("image"), &texts.image)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(base)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("base", arguments)) => match arguments.subcommand() {
            Some(("debian", arguments)) => base(context, arguments),
            _ => Ok(Exit::Usage),
        },
        _ => Ok(Exit::Usage),
    }
}

fn base(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let words = &texts::of(context.lang).build_words;
    let suite = arguments.get_one::<String>("suite").cloned().unwrap_or_default();
    let name = match arguments.get_one::<String>("name") {
        Some(name) => name.clone(),
        None => format!("debian:{suite}"),
    };
    let reference: Reference = name.parse().map_err(|error| {
        let cause = format!("{}: {error}", words.no_reference.replace("{name}", &name));
        Diagnostic::new(Code::UsageInvalid)
            .with("command", "deploy image base debian")
            .because(cause)
    })?;
    let include = arguments.get_many::<String>("include").into_iter().flatten();
    let asked = Debian {
        suite,
        include: include
            .flat_map(|list| list.split(','))
            .map(str::to_owned)
            .collect(),
        name: reference,
    };
    context.printer.say(&words.making.replace("{name}", &name));
    let made = debian(&asked, &build::store(context)?, &build::folder(context));
    let image = made.map_err(|error| failed(&error))?;
    context.printer.data(format!(
        "{}\n",
        image
            .tags
            .first()
            .map_or_else(|| image.id.to_string(), ToString::to_string)
    ))?;
    Ok(Exit::Done)
}

fn failed(error: &DebianError) -> Failure {
    match error {
        DebianError::Missing => Diagnostic::new(Code::BaseToolMissing).into(),
        DebianError::Failed { last } => Diagnostic::new(Code::BaseNotMade).because(last.join("\n")).into(),
        DebianError::Name(_) => Diagnostic::new(Code::UsageInvalid)
            .with("command", "deploy image base debian")
            .because(error.to_string())
            .into(),
        DebianError::Build(error) => Diagnostic::new(Code::BaseNotMade)
            .because(deploy_model::with_causes(error))
            .into(),
    }
}
