//! `deploy render`

mod chart;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang};
use deploy_render::kustomize::BuildOptions;
use deploy_render::plain::{self, PlainOptions};
use deploy_render::source::{EntryKind, Source};

use super::{described, kustomize};
use crate::{Context, Failure, Outcome, failure, objects, texts};

/// The names of a kustomization's file, as kustomize looks for them.
const KUSTOMIZATION_FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const CHART_FLAGS: &[&str] = &["values", "set", "release", "namespace"];
const PLAIN_FLAGS: &[&str] = &["recursive"];

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chart,
    Kustomization,
    Plain,
}

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.render_flags;
    described(Command::new("render"), &texts.render)
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .default_value(".")
                .help(words.path),
        )
        .arg(
            of_charts("values", words.values)
                .short('f')
                .value_name("FILE")
                .action(ArgAction::Append),
        )
        .arg(
            of_charts("set", words.set)
                .value_name("NAME=VALUE")
                .action(ArgAction::Append),
        )
        .arg(of_charts("release", words.release).value_name("NAME"))
        .arg(
            of_charts("namespace", words.namespace)
                .short('n')
                .value_name("NAME"),
        )
        .arg(
            Arg::new("recursive")
                .short('R')
                .long("recursive")
                .action(ArgAction::SetTrue)
                .help(words.recursive),
        )
        .arg(
            Arg::new("inputs")
                .long("inputs")
                .action(ArgAction::SetTrue)
                .help(words.inputs),
        )
        .arg(objects::output_flag(lang))
}

fn of_charts(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let path = context.absolute(arguments.get_one::<String>("path").map_or(".", String::as_str));
    let kind = detect(context, &path)?;
    check_flags(context, arguments, kind, &path)?;
    match kind {
        Kind::Plain => plain_folder(context, arguments, &path),
        Kind::Kustomization => kustomization(context, arguments, &path),
        Kind::Chart => chart(context, arguments, &path),
    }
}

fn detect(context: &Context, path: &str) -> Result<Kind, Failure> {
    let source = context.source();
    let kind_of = |path: &str| {
        source
            .kind(path)
            .map_err(|error| failure::unreadable(context, &error))
    };
    if kind_of(path)? != Some(EntryKind::Folder) {
        return Ok(if path.ends_with(".tgz") {
            Kind::Chart
        } else {
            Kind::Plain
        });
    }
    let has = |name: &str| kind_of(&format!("{path}/{name}")).map(|kind| kind == Some(EntryKind::File));
    if has("Chart.yaml")? {
        return Ok(Kind::Chart);
    }
    for name in KUSTOMIZATION_FILES {
        if has(name)? {
            return Ok(Kind::Kustomization);
        }
    }
    Ok(Kind::Plain)
}

/// A flag that has no meaning for what stands there is a mistake, not something to pass over in silence.
fn check_flags(context: &Context, arguments: &ArgMatches, kind: Kind, path: &str) -> Result<(), Failure> {
    let words = &texts::of(context.lang).render_flags;
    let misplaced = |names: &[&'static str]| names.iter().copied().find(|name| was_given(arguments, name));
    let found = match kind {
        Kind::Chart => misplaced(PLAIN_FLAGS).map(|name| (name, words.only_for_plain)),
        Kind::Plain => misplaced(CHART_FLAGS).map(|name| (name, words.only_for_charts)),
        Kind::Kustomization => misplaced(CHART_FLAGS)
            .map(|name| (name, words.only_for_charts))
            .or_else(|| misplaced(PLAIN_FLAGS).map(|name| (name, words.only_for_plain))),
    };
    let Some((name, text)) = found else { return Ok(()) };
    let cause = text
        .replace("{flag}", &format!("--{name}"))
        .replace("{path}", &context.shown(path));
    Err(Diagnostic::new(Code::UsageInvalid)
        .because(cause)
        .with("command", "deploy render")
        .into())
}

fn chart(context: &mut Context, arguments: &ArgMatches, path: &str) -> Outcome {
    let rendered = chart::render(context, arguments, path)?;
    match wanted(arguments) {
        Wanted::Inputs(format) => objects::print_inputs(context, &rendered.inputs, format)?,
        Wanted::Objects(format) => objects::print(context, rendered.output, path, format)?,
    }
    Ok(Exit::Done)
}

fn plain_folder(context: &mut Context, arguments: &ArgMatches, path: &str) -> Outcome {
    let options = PlainOptions {
        recursive: arguments.get_flag("recursive"),
    };
    let plain =
        plain::render(&context.source(), path, options).map_err(|error| objects::explain(context, error))?;
    if plain.objects.is_empty() {
        return Err(Diagnostic::new(Code::RenderEmpty)
            .with("path", context.shown(path))
            .into());
    }
    match wanted(arguments) {
        Wanted::Inputs(format) => objects::print_inputs(context, &plain.inputs, format)?,
        Wanted::Objects("yaml") => context.printer.data(plain.output())?,
        Wanted::Objects(format) => objects::print_objects(context, &plain.objects, format)?,
    }
    Ok(Exit::Done)
}

fn kustomization(context: &mut Context, arguments: &ArgMatches, path: &str) -> Outcome {
    let given = context.shown(path);
    let built = kustomize::built(context, &given, &BuildOptions::default())?;
    match wanted(arguments) {
        Wanted::Inputs(format) => objects::print_inputs(context, &built.inputs, format)?,
        Wanted::Objects(format) => objects::print(context, built.output, path, format)?,
    }
    Ok(Exit::Done)
}

/// What to print, in which format.
enum Wanted<'a> {
    Objects(&'a str),
    Inputs(&'a str),
}

fn wanted(arguments: &ArgMatches) -> Wanted<'_> {
    let format = arguments
        .get_one::<String>("output")
        .map_or("yaml", String::as_str);
    if !arguments.get_flag("inputs") {
        Wanted::Objects(format)
    } else if was_given(arguments, "output") {
        Wanted::Inputs(format)
    } else {
        // The default of objects is no default for a list of hashes.
        Wanted::Inputs("table")
    }
}

fn was_given(arguments: &ArgMatches, name: &str) -> bool {
    arguments.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
}
