//! The forms of arguments: one text, words, pairs, arrays in JSON. Each instruction has one (parser.go, dispatch).

use serde_json::Value;

use super::Statement;
use super::flags::{self, is_blank};

/// All instructions, as they are mostly written.
pub(crate) const NAMES: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// One instruction from its joined lines. An unknown one has no arguments.
pub fn statement(line: &str, escape: char) -> Result<Statement, String> {
    let (written, flags, rest) = flags::split(line);
    let mut statement = Statement {
        name: written.to_ascii_lowercase(),
        written: written.to_owned(),
        flags,
        original: line.to_owned(),
        ..Statement::default()
    };
    match &*statement.name {
        "cmd" | "entrypoint" | "run" | "shell" => text_or_array(&mut statement, &rest)?,
        "add" | "copy" | "volume" => words_or_array(&mut statement, &rest)?,
        "arg" => statement.arguments = words(&rest, escape),
        "env" | "label" => statement.arguments = pairs(&rest, &statement.name, escape)?,
        "expose" | "from" => statement.arguments = blanks(&rest),
        "maintainer" | "stopsignal" | "user" | "workdir" => statement.arguments = text(&rest),
        "healthcheck" => health(&mut statement, &rest)?,
        "onbuild" if !rest.is_empty() => statement.inner = Some(Box::new(self::statement(&rest, escape)?)),
        _ => {}
    }
    Ok(statement)
}

fn text(rest: &str) -> Vec<String> {
    (!rest.is_empty()).then(|| rest.to_owned()).into_iter().collect()
}

fn blanks(rest: &str) -> Vec<String> {
    rest.split(is_blank)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The strings of an array, none if the text is no array; an error if it holds anything else.
fn array(rest: &str) -> Result<Option<Vec<String>>, String> {
    let rest = rest.trim_start();
    if !rest.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<Value>>(rest) else {
        return Ok(None);
    };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Ok(text),
            _ => Err("when using JSON array syntax, arrays must be comprised of strings only".to_owned()),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

fn text_or_array(statement: &mut Statement, rest: &str) -> Result<(), String> {
    match array(rest)? {
        Some(values) => {
            statement.json = true;
            statement.arguments.extend(values);
        }
        None => statement.arguments.extend(text(rest)),
    }
    Ok(())
}

fn words_or_array(statement: &mut Statement, rest: &str) -> Result<(), String> {
    match array(rest)? {
        Some(values) => {
            statement.json = true;
            statement.arguments = values;
        }
        None => statement.arguments = blanks(rest),
    }
    Ok(())
}

/// `HEALTHCHECK [flags] CMD command` or `NONE`.
fn health(statement: &mut Statement, rest: &str) -> Result<(), String> {
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if kind.is_empty() {
        return Ok(());
    }
    statement.arguments.push(kind.to_owned());
    text_or_array(statement, command.trim_start())
}

/// `name=value ...`, or of old `name value` with all of the rest as the value.
fn pairs(rest: &str, name: &str, escape: char) -> Result<Vec<String>, String> {
    let words = words(rest, escape);
    let Some(first) = words.first() else {
        return Ok(Vec::new());
    };
    if !first.contains('=') {
        let (name, value) = rest
            .split_once(is_blank)
            .ok_or_else(|| format!("{} must have two arguments", name.to_ascii_uppercase()))?;
        let value = value.trim_start_matches(is_blank);
        return Ok(vec![name.to_owned(), value.to_owned(), String::new()]);
    }
    let mut found = Vec::new();
    for word in &words {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value")
        })?;
        found.extend([name.to_owned(), value.to_owned(), "=".to_owned()]);
    }
    Ok(found)
}

/// Words with their quotes and escapes, which are for later.
fn words(rest: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.push(c);
            }
            // Single quotes know no escape; an escape character at the very end is nothing.
            _ if c == escape && quote != Some('\'') => {
                if let Some(next) = chars.next() {
                    word.push(c);
                    word.push(next);
                }
            }
            Some(open) if c == open => {
                quote = None;
                word.push(c);
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
