//! `deploy helm`: the verbs, flags, words and exit codes of helm.

pub(super) mod charts;
mod flags;
mod lint;
mod show;
mod template;
mod words;

use clap::{Arg, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang, Place};
use deploy_render::helm::compat::Compat;

use super::described;
use crate::settings::HelmCompat;
use crate::{Context, Failure, Outcome, help};
use flags::{Line, Tables};

/// A verb: what it is called, what it knows, what it does.
struct Verb {
    name: &'static str,
    /// The arguments as helm's own usage line shows them.
    usage: &'static str,
    flags: Tables,
    /// The fewest and the most arguments.
    arguments: (usize, Option<usize>),
    run: fn(&mut Context, &Line, Compat) -> Outcome,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "template",
        usage: "[NAME] [CHART]",
        flags: template::FLAGS,
        arguments: (1, None),
        run: template::run,
    },
    Verb {
        name: "lint",
        usage: "PATH",
        flags: lint::FLAGS,
        arguments: (1, None),
        run: lint::run,
    },
];

const SHOW: &[Verb] = &[
    Verb {
        name: "all",
        usage: "[CHART]",
        flags: show::FLAGS,
        arguments: (1, Some(1)),
        run: show::all,
    },
    Verb {
        name: "chart",
        usage: "[CHART]",
        flags: show::FLAGS,
        arguments: (1, Some(1)),
        run: show::chart,
    },
    Verb {
        name: "crds",
        usage: "[CHART]",
        flags: show::FLAGS,
        arguments: (1, Some(1)),
        run: show::crds,
    },
    Verb {
        name: "readme",
        usage: "[CHART]",
        flags: show::FLAGS,
        arguments: (1, Some(1)),
        run: show::readme,
    },
    Verb {
        name: "values",
        usage: "[CHART]",
        flags: show::VALUES_FLAGS,
        arguments: (1, Some(1)),
        run: show::values,
    },
];

/// The part of the command tree below `deploy helm`. Flags are read by [`flags`], as helm reads them.
pub fn command(lang: Lang) -> Command {
    let verb = |verb: &Verb, path: &str| {
        described(Command::new(verb.name), words::of(path, lang)).arg(
            Arg::new("arguments")
                .value_name(verb.usage)
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        )
    };
    let show = described(Command::new("show"), words::of("show", lang))
        .alias("inspect")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(SHOW.iter().map(|v| verb(v, &format!("show {}", v.name))));
    described(Command::new("helm"), words::of("", lang))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(VERBS.iter().map(|v| verb(v, v.name)))
        .subcommand(show)
}

/// Runs the verb that was named.
pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("show", arguments)) => match arguments.subcommand() {
            Some((name, arguments)) => run_verb(context, SHOW, &["show", name], arguments),
            None => Ok(Exit::Usage),
        },
        Some((name, arguments)) => run_verb(context, VERBS, &[name], arguments),
        None => Ok(Exit::Usage),
    }
}

fn run_verb(context: &mut Context, verbs: &[Verb], path: &[&str], arguments: &ArgMatches) -> Outcome {
    let name = path.last().copied().unwrap_or_default();
    let Some(verb) = verbs.iter().find(|verb| verb.name == name) else {
        return Ok(Exit::Usage);
    };
    let args: Vec<String> = arguments
        .get_many::<String>("arguments")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let path = path.join(" ");
    let usage_error = |context: &mut Context, text: String| {
        let diagnostic = Diagnostic::new(Code::UsageInvalid).with("command", format!("deploy helm {path}"));
        failed(context, &text, diagnostic)
    };
    let line = match Line::parse(&args, verb.flags) {
        Ok(line) => line,
        Err(error) => return usage_error(context, error),
    };
    if line.is_on("help") {
        return show_help(context, &path);
    }
    if let Some(text) = wrong_count(verb, &path, line.arguments.len()) {
        return usage_error(context, text);
    }
    let compat = match line.text("helm-compat") {
        Some("v3") => Compat::V3,
        Some("v4") => Compat::V4,
        Some(other) => {
            return usage_error(
                context,
                format!("invalid helm-compat value ({other:?}). Must be \"v3\" or \"v4\""),
            );
        }
        None => match context.settings.helm_compat() {
            HelmCompat::V3 => Compat::V3,
            HelmCompat::V4 => Compat::V4,
        },
    };
    (verb.run)(context, &line, compat)
}

/// Helm's words for too few or too many arguments.
fn wrong_count(verb: &Verb, path: &str, count: usize) -> Option<String> {
    let (least, most) = verb.arguments;
    let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let wanted = match most {
        Some(most) if most == least && count != least => format!("requires {least} {}", plural(least)),
        None if count < least => format!("requires at least {least} {}", plural(least)),
        _ => return None,
    };
    Some(format!(
        "\"helm {path}\" {wanted}\n\nUsage:  helm {path} {} [flags]",
        verb.usage
    ))
}

fn show_help(context: &mut Context, path: &str) -> Outcome {
    let mut tree = super::tree(context.lang);
    tree.build();
    let words: Vec<String> = ["deploy", "helm"]
        .into_iter()
        .chain(path.split(' '))
        .map(str::to_owned)
        .collect();
    let command = words[1..]
        .iter()
        .try_fold(&tree, |command, word| command.find_subcommand(word))
        .unwrap_or(&tree);
    let text = help::render(command, &words, context.lang);
    context.printer.data(text)?;
    Ok(Exit::Done)
}

/// Ends a verb as helm does, with its own line, and adds what we know beyond it.
fn failed(context: &mut Context, text: &str, diagnostic: Diagnostic) -> Outcome {
    context.printer.say(&format!("Error: {text}"));
    context.printer.explain(&diagnostic);
    Err(Failure::Said(Exit::Failed))
}

/// [`failed`], with the place where it is wrong, if that is known.
fn failed_at(context: &mut Context, text: &str, diagnostic: Diagnostic, place: Option<Place>) -> Outcome {
    match place {
        Some(place) => failed(context, text, diagnostic.at(place)),
        None => failed(context, text, diagnostic),
    }
}

/// Something of helm that this renderer leaves out on purpose.
fn refused(context: &mut Context, feature: &str) -> Outcome {
    let diagnostic = Diagnostic::new(Code::HelmUnsupported).with("feature", feature);
    failed(
        context,
        &format!("{feature} is not supported by deploy helm"),
        diagnostic,
    )
}
