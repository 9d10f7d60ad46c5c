//! `deploy kustomize`: the flags and words of kustomize.

use std::collections::BTreeSet;
use std::fs;

use clap::{Arg, ArgAction, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang, Place};
use deploy_render::kustomize::schema::{Schema, Scope};
use deploy_render::kustomize::{self, Build, BuildOptions, BuiltResource, ErrorKind};

use super::described;
use crate::disk::system_words;
use crate::{Context, Failure, Outcome, texts};

/// Options of `kustomize build` that let a build run programs or read the network, and whether they take a value. They
/// are known and refused by name: without them the output would lack a part.
const REFUSED: &[(&str, Option<char>, bool)] = &[
    ("enable-alpha-plugins", None, false),
    ("enable-exec", None, false),
    ("enable-helm", None, false),
    ("enable-star", None, false),
    ("helm-debug", None, false),
    ("network", None, false),
    ("env", Some('e'), true),
    ("helm-api-versions", None, true),
    ("helm-command", None, true),
    ("helm-kube-version", None, true),
    ("mount", None, true),
    ("network-name", None, true),
];

pub fn command(lang: Lang) -> Command {
    let texts = texts::of(lang);
    let words = &texts.kustomize_flags;
    let mut build = described(Command::new("build"), &texts.kustomize_build)
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .default_value(".")
                .help(words.dir),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .help(words.output),
        )
        .arg(
            Arg::new("load-restrictor")
                .long("load-restrictor")
                .value_name("RULE")
                .value_parser(["LoadRestrictionsRootOnly", "LoadRestrictionsNone"])
                .default_value("LoadRestrictionsRootOnly")
                .help(words.load_restrictor),
        )
        // It chooses who runs a container; no container is run.
        .arg(
            Arg::new("as-current-user")
                .long("as-current-user")
                .action(ArgAction::SetTrue)
                .hide(true),
        );
    for (name, short, takes_value) in REFUSED {
        let action = if *takes_value {
            ArgAction::Append
        } else {
            ArgAction::SetTrue
        };
        let mut arg = Arg::new(*name).long(*name).action(action).hide(true);
        if let Some(short) = short {
            arg = arg.short(*short);
        }
        build = build.arg(arg);
    }
    described(Command::new("kustomize"), &texts.kustomize)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(build)
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some((_, arguments)) => build(context, arguments),
        None => Ok(Exit::Usage),
    }
}

fn build(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let given = |name: &str| arguments.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    if let Some((name, ..)) = REFUSED.iter().find(|(name, ..)| given(name)) {
        let diagnostic = Diagnostic::new(Code::KustomizeFlagUnsupported).with("flag", format!("--{name}"));
        return Err(Failure::Explained(Box::new(diagnostic), Exit::Usage));
    }
    let text = |name: &str| arguments.get_one::<String>(name).map(String::as_str);
    let options = BuildOptions {
        load_restrictions_none: text("load-restrictor") == Some("LoadRestrictionsNone"),
        ..BuildOptions::default()
    };
    let built = built(context, text("dir").unwrap_or("."), &options)?;
    match text("output").filter(|path| !path.is_empty()) {
        None => context.printer.data(&built.output)?,
        Some(path) => write(context, &built, path)?,
    }
    Ok(Exit::Done)
}

/// Builds the folder that was given and says what is deprecated in it.
pub fn built(context: &mut Context, given: &str, options: &BuildOptions) -> Result<Build, Failure> {
    let path = context.absolute(given);
    let built = kustomize::build(&context.source(), &path, options)
        .map_err(|error| explain(context, given, &error))?;
    for warning in &built.warnings {
        context.printer.say(warning);
    }
    Ok(built)
}

/// Ends as kustomize does, with its own line, and adds what we know beyond it.
fn explain(context: &mut Context, given: &str, error: &kustomize::Error) -> Failure {
    context.printer.say(&format!("Error: {error}"));
    let mut diagnostic = match error.kind() {
        ErrorKind::Unsupported { field } => {
            Diagnostic::new(Code::KustomizeUnsupported).with("field", field.clone())
        }
        _ => Diagnostic::new(Code::KustomizeBuildFailed).with("path", given),
    };
    if let Some(file) = error.file() {
        diagnostic = diagnostic.at(Place::file(context.shown(file)));
    }
    let exit = match error.kind() {
        // What was named, not something that it names.
        ErrorKind::Missing { path } if *path == context.absolute(given) => Exit::NotFound,
        _ => Exit::Failed,
    };
    Failure::Explained(Box::new(diagnostic), exit)
}

/// Into a file, or into a folder that exists: one file for each resource, named as kustomize names them.
fn write(context: &mut Context, built: &Build, given: &str) -> Result<(), Failure> {
    let path = context.cwd.join(given);
    let failed = |name: &str, error: std::io::Error| -> Failure {
        Diagnostic::new(Code::OutputFailed)
            .at(Place::file(name))
            .because(system_words(&error))
            .into()
    };
    if !path.is_dir() {
        return fs::write(&path, &built.output).map_err(|error| failed(given, error));
    }
    for (name, resource) in file_names(&built.resources).into_iter().zip(&built.resources) {
        if name.contains('/') {
            // A name must not choose the folder that is written to.
            return Err(failed(&name, std::io::ErrorKind::InvalidFilename.into()));
        }
        let text = deploy_yaml::emit_sigs(&resource.object);
        fs::write(path.join(&name), text).map_err(|error| failed(&name, error))?;
    }
    Ok(())
}

/// `apps_v1_deployment_orders.yaml`, behind the namespace where there are several of them.
fn file_names(resources: &[BuiltResource]) -> Vec<String> {
    let schema = Schema::built_in();
    let namespaces: Vec<Option<&str>> = resources
        .iter()
        .map(
            |resource| match schema.scope(&resource.api_version, &resource.kind) {
                Some(Scope::Cluster) => None,
                _ if resource.namespace.is_empty() => Some("default"),
                _ => Some(resource.namespace.as_str()),
            },
        )
        .collect();
    let distinct: BTreeSet<&str> = namespaces.iter().flatten().copied().collect();
    let several = distinct.len() > 1;
    resources
        .iter()
        .zip(&namespaces)
        .map(|(resource, namespace)| {
            let prefix = namespace
                .filter(|_| several)
                .map(|namespace| format!("{namespace}_"))
                .unwrap_or_default();
            let version = resource.api_version.replace('/', "_");
            format!("{prefix}{version}_{}_{}.yaml", resource.kind, resource.name).to_lowercase()
        })
        .collect()
}
