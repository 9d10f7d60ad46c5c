//! The commands. One module each; a row in [`ALL`] adds it to the tree.

mod audit;
mod backup;
mod build;
mod ci;
mod cluster;
mod completion;
mod config;
mod explain;
mod helm;
mod help;
mod image;
mod kustomize;
mod registry;
mod render;
mod run;
mod server;
mod token;
mod version;

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Exit, Lang};

use crate::texts::{self, CommandText};
use crate::{Context, Outcome};

/// A command of the first level. Its own subcommands are its own business.
struct Entry {
    name: &'static str,
    /// Its arguments and texts. The shell adds the global flags and `--help`.
    command: fn(Lang) -> Command,
    run: fn(&mut Context, &ArgMatches) -> Outcome,
    settings: Need,
}

/// What a broken configuration does to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It does not run.
    Before,
    /// It shows what it can and fails at the end: what is to be repaired must be seen.
    After,
    /// It runs: what explains must always run.
    Never,
}

const ALL: &[Entry] = &[
    Entry {
        name: "helm",
        command: helm::command,
        run: helm::run,
        settings: Need::Before,
    },
    Entry {
        name: "render",
        command: render::command,
        run: render::run,
        settings: Need::Before,
    },
    Entry {
        name: "kustomize",
        command: kustomize::command,
        run: kustomize::run,
        settings: Need::Before,
    },
    Entry {
        name: "build",
        command: build::command,
        run: build::run,
        settings: Need::Before,
    },
    Entry {
        name: "image",
        command: image::command,
        run: image::run,
        settings: Need::Before,
    },
    Entry {
        name: "run",
        command: run::command,
        run: run::run,
        settings: Need::Before,
    },
    Entry {
        name: "token",
        command: token::command,
        run: token::run,
        settings: Need::Before,
    },
    Entry {
        name: "ci",
        command: ci::command,
        run: ci::run,
        settings: Need::Before,
    },
    Entry {
        name: "cluster",
        command: cluster::command,
        run: cluster::run,
        settings: Need::Before,
    },
    Entry {
        name: "audit",
        command: audit::command,
        run: audit::run,
        settings: Need::Before,
    },
    Entry {
        name: "backup",
        command: backup::command,
        run: backup::run,
        settings: Need::Before,
    },
    Entry {
        name: "config",
        command: config::command,
        run: config::run,
        settings: Need::After,
    },
    Entry {
        name: "explain",
        command: explain::command,
        run: explain::run,
        settings: Need::Never,
    },
    Entry {
        name: "completion",
        command: completion::command,
        run: completion::run,
        settings: Need::Never,
    },
    Entry {
        name: "version",
        command: version::command,
        run: version::run,
        settings: Need::Never,
    },
    Entry {
        name: "help",
        command: help::command,
        run: help::run,
        settings: Need::Never,
    },
];

/// The whole command line, with texts in this language.
pub fn tree(lang: Lang) -> Command {
    tree_of(ALL, lang)
}

/// The command line without the commands that these arguments do not name: all that is needed where they are in order.
/// What is wrong with them, [`tree`] must say, which knows every command.
pub fn tree_for(args: &[OsString], lang: Lang) -> Command {
    let entry_of = |arg: &OsString| ALL.iter().find(|entry| arg == entry.name);
    match args.iter().find_map(entry_of) {
        Some(entry) => tree_of(std::slice::from_ref(entry), lang),
        None => tree(lang),
    }
}

fn tree_of(entries: &[Entry], lang: Lang) -> Command {
    let texts = texts::of(lang);
    let root = described(Command::new("deploy"), &texts.deploy)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(entries.iter().map(|entry| (entry.command)(lang)))
        .arg(global("lang", "LANG", texts.lang_flag).value_parser(["en", "zh"]))
        .arg(global("color", "WHEN", texts.color_flag).value_parser(["auto", "always", "never"]))
        .arg(global("config", "FILE", texts.config_flag))
        .arg(global("data-dir", "DIR", texts.data_dir_flag))
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .global(true)
                .action(ArgAction::Help)
                .help(texts.help_flag),
        );
    without_clap_help(root)
}

/// Runs the command that was named.
pub fn run(context: &mut Context, matches: &ArgMatches) -> Outcome {
    match named(matches) {
        Some((entry, arguments)) => (entry.run)(context, arguments),
        None => Ok(Exit::Usage),
    }
}

/// What a broken configuration does to the command that was named.
pub fn needs_settings(matches: &ArgMatches) -> Need {
    named(matches).map_or(Need::Before, |(entry, _)| entry.settings)
}

/// Gives a command its texts.
pub fn described(command: Command, text: &CommandText) -> Command {
    let command = command.about(text.about);
    let command = if text.long.is_empty() {
        command
    } else {
        command.long_about(text.long)
    };
    if text.examples.is_empty() {
        command
    } else {
        command.after_help(text.examples)
    }
}

fn named(matches: &ArgMatches) -> Option<(&'static Entry, &ArgMatches)> {
    let (name, arguments) = matches.subcommand()?;
    Some((ALL.iter().find(|entry| entry.name == name)?, arguments))
}

fn global(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .global(true)
        .value_name(value)
        .help(help)
        .overrides_with(name)
}

/// Our `--help` is a global argument of the root.
fn without_clap_help(command: Command) -> Command {
    command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .mut_subcommands(without_clap_help)
}
