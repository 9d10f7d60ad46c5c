//! `deploy ci lint`: what is wrong with workflow files, before anything runs.

use clap::{Arg, ArgMatches, Command};
use deploy_model::{Code, Diagnostic, Exit, Lang, Place};
use deploy_workflow::plan::{Plan, plan};
use deploy_workflow::reader::Problem;
use deploy_workflow::workflow::{Options, read};
use serde_json::{Value, json};

use super::workflows::WorkingCopy;
use crate::commands::described;
use crate::{Context, Failure, Outcome, texts};

pub fn command(lang: Lang) -> Command {
    let words = texts::workflows::of(lang);
    described(Command::new("lint"), &words.lint)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .num_args(0..)
                .help(words.files),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(["text", "json"])
                .default_value("text")
                .help(words.lint_output),
        )
}

pub fn run(context: &mut Context, arguments: &ArgMatches) -> Outcome {
    let files = read_all(context, arguments)?;
    let count = files.len();
    let problems: Vec<Problem> = files
        .into_iter()
        .filter_map(|file| file.plan.err())
        .flatten()
        .collect();
    if arguments
        .get_one::<String>("output")
        .is_some_and(|format| format == "json")
    {
        let list: Vec<Value> = problems
            .iter()
            .map(|problem| as_json(problem, context.lang))
            .collect();
        context.printer.data(format!("{:#}\n", Value::from(list)))?;
    } else {
        for problem in &problems {
            let diagnostic = diagnostic(problem, context.lang);
            context.printer.explain(&diagnostic);
        }
    }
    if !problems.is_empty() {
        return Ok(Exit::Failed);
    }
    let sound = texts::workflows::of(context.lang).sound;
    context.printer.say(&sound.replace("{count}", &count.to_string()));
    Ok(Exit::Done)
}

/// A workflow file, and what can be carried out of it.
pub struct Found {
    /// Its path, as it is shown.
    pub file: String,
    /// Its plan, or what is wrong.
    pub plan: Result<Plan, Vec<Problem>>,
}

/// The files that are named, or else those of the working copy.
pub fn read_all(context: &Context, arguments: &ArgMatches) -> Result<Vec<Found>, Failure> {
    let copy = WorkingCopy::of(context.cwd);
    let named: Vec<&String> = arguments
        .get_many::<String>("file")
        .into_iter()
        .flatten()
        .collect();
    let files: Vec<(String, String)> = match named.is_empty() {
        false => named
            .iter()
            .map(|file| ((*file).clone(), context.absolute(file)))
            .collect(),
        true => {
            let files = copy.workflows().into_iter();
            files
                .map(|file| (file.clone(), copy.root.join(&file).display().to_string()))
                .collect()
        }
    };
    if files.is_empty() {
        let none = Diagnostic::new(Code::CiNoWorkflow).with("path", copy.root.display().to_string());
        return Err(Failure::Explained(Box::new(none), Exit::NotFound));
    }
    files
        .into_iter()
        .map(|(shown, path)| read_one(shown, &path, &copy))
        .collect()
}

/// The text of a workflow file.
pub(super) fn text(shown: &str, path: &str) -> Result<String, Failure> {
    let bytes = crate::disk::read_bounded(std::path::Path::new(path), crate::limits::MAX_FILE_BYTES);
    let bytes = bytes.map_err(|error| {
        let diagnostic = Diagnostic::new(Code::FileUnreadable)
            .with("path", shown)
            .because(crate::disk::system_words(&error));
        Failure::Explained(Box::new(diagnostic), Exit::NotFound)
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_one(shown: String, path: &str, copy: &WorkingCopy) -> Result<Found, Failure> {
    let text = text(&shown, path)?;
    let plan = read(&shown, &text, copy, &Options::default()).and_then(|workflow| plan(workflow, copy));
    Ok(Found { file: shown, plan })
}

/// A problem with its place, its cause in GitHub's words, and the next step.
fn diagnostic(problem: &Problem, lang: Lang) -> Diagnostic {
    let next = match &problem.hint {
        Some(hint) => hint.text(lang),
        None => texts::workflows::of(lang).next_step.to_owned(),
    };
    Diagnostic::new(Code::CiProblem)
        .at(Place {
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
        })
        .because(problem.message.clone())
        .with("path", problem.file.clone())
        .with("next", next)
}

fn as_json(problem: &Problem, lang: Lang) -> Value {
    json!({
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint.as_ref().map(|hint| hint.text(lang)),
    })
}
