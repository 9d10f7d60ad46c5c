//! A command line that is not valid, in the reader's language.

use std::ffi::OsString;
use std::io;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};
use deploy_model::{Code, Diagnostic, Lang};

use crate::texts;

/// The command that the arguments reach, with its path from the program's name on.
pub fn reached<'t>(tree: &'t Command, args: &[OsString]) -> (Vec<String>, &'t Command) {
    let mut path = vec![tree.get_name().to_owned()];
    let mut command = tree;
    for arg in args {
        let Some(word) = arg.to_str().filter(|word| *word != "--") else {
            break;
        };
        if let Some(next) = command.find_subcommand(word) {
            path.push(next.get_name().to_owned());
            command = next;
        }
    }
    (path, command)
}

/// What is wrong with the command line.
pub fn explain(error: &Error, command: &str, lang: Lang) -> Diagnostic {
    Diagnostic::new(Code::UsageInvalid)
        .because(cause(error, lang))
        .with("command", command)
}

/// An output that cannot be written.
pub fn output_failed(error: &io::Error) -> Diagnostic {
    Diagnostic::new(Code::OutputFailed).because(crate::disk::system_words(error))
}

fn cause(error: &Error, lang: Lang) -> String {
    let words = &texts::of(lang).usage_errors;
    let separator = texts::of(lang).choice_separator;
    let get = |kind| {
        error
            .get(kind)
            .map(|value| text(value, separator))
            .unwrap_or_default()
    };
    let template = match error.kind() {
        ErrorKind::InvalidValue if get(ContextKind::InvalidValue).is_empty() => words.value_missing,
        ErrorKind::InvalidValue => words.value_unknown,
        ErrorKind::UnknownArgument => words.argument_unknown,
        ErrorKind::InvalidSubcommand => words.command_unknown,
        ErrorKind::NoEquals => words.equals_missing,
        ErrorKind::ValueValidation => words.value_invalid,
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            words.value_count
        }
        ErrorKind::ArgumentConflict => words.conflict,
        ErrorKind::MissingRequiredArgument => words.argument_missing,
        ErrorKind::InvalidUtf8 => words.not_unicode,
        _ => words.other,
    };
    let mut cause = template
        .replace("{argument}", without_value_name(&get(ContextKind::InvalidArg)))
        .replace("{value}", &get(ContextKind::InvalidValue))
        .replace("{command}", &get(ContextKind::InvalidSubcommand))
        .replace("{other}", without_value_name(&get(ContextKind::PriorArg)))
        .replace("{choices}", &get(ContextKind::ValidValue));
    let suggestion = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .map(get)
    .find(|suggestion| !suggestion.is_empty());
    if let Some(suggestion) = suggestion {
        cause.push('\n');
        cause.push_str(&words.suggestion.replace("{word}", &suggestion));
    }
    cause
}

/// `--output <FORMAT>` is known to the user as `--output`.
fn without_value_name(argument: &str) -> &str {
    match argument.split_once(" <") {
        Some((name, rest)) if name.starts_with('-') && !rest.contains(' ') => name,
        _ => argument,
    }
}

fn text(value: &ContextValue, separator: &str) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(separator),
        other => other.to_string(),
    }
}
