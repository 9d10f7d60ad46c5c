//! `--help`, in the reader's language: clap's own has English headings that cannot be changed.

use std::fmt::Write as _;

use clap::{Arg, Command};
use deploy_model::Lang;

use crate::table::{columns, is_wide};
use crate::texts;

/// Columns of the text behind a name.
const INDENT: usize = 2;
const MAX_NAME_COLUMNS: usize = 34;
const LINE_COLUMNS: usize = 110;

/// The help of a command that is reached by `path`.
pub fn render(command: &Command, path: &[String], lang: Lang) -> String {
    let words = texts::of(lang);
    let mut text = String::new();
    let about = command
        .get_long_about()
        .or(command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default();
    push(&mut text, &[about.trim_end(), "\n\n"]);
    push(
        &mut text,
        &[words.usage, "\n  ", &usage(command, path, lang), "\n"],
    );

    let commands: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| {
            (
                c.get_name().to_owned(),
                c.get_about().map(ToString::to_string).unwrap_or_default(),
            )
        })
        .collect();
    section(&mut text, words.commands, &commands);

    let visible: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let rows = |wanted: &dyn Fn(&Arg) -> bool| -> Vec<(String, String)> {
        visible
            .iter()
            .filter(|arg| wanted(arg))
            .map(|arg| (name(arg), explanation(arg, lang)))
            .collect()
    };
    section(&mut text, words.arguments, &rows(&|arg| arg.is_positional()));
    section(
        &mut text,
        words.options,
        &rows(&|arg| !arg.is_positional() && !arg.is_global_set()),
    );
    section(
        &mut text,
        words.global_options,
        &rows(&|arg| !arg.is_positional() && arg.is_global_set()),
    );

    if let Some(examples) = command.get_after_long_help().or(command.get_after_help()) {
        push(&mut text, &["\n", words.examples, "\n"]);
        for line in examples.to_string().lines() {
            push(&mut text, &[if line.is_empty() { "" } else { "  " }, line, "\n"]);
        }
    }
    text
}

fn push(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
}

fn usage(command: &Command, path: &[String], lang: Lang) -> String {
    let words = texts::of(lang);
    let mut line = path.join(" ");
    if command.has_subcommands() {
        push(&mut line, &[" ", words.command_placeholder]);
    }
    for arg in command.get_positionals().filter(|arg| !arg.is_hide_set()) {
        push(&mut line, &[" ", &name(arg)]);
    }
    push(&mut line, &[" ", words.options_placeholder]);
    line
}

fn section(text: &mut String, heading: &str, rows: &[(String, String)]) {
    if rows.is_empty() {
        return;
    }
    push(text, &["\n", heading, "\n"]);
    let widest = rows
        .iter()
        .map(|(name, _)| columns(name))
        .filter(|w| *w <= MAX_NAME_COLUMNS)
        .max()
        .unwrap_or(0);
    for (name, explanation) in rows {
        let width = columns(name);
        write!(text, "{:INDENT$}{name}", "").expect("writing to a string cannot fail");
        let at = INDENT + widest + 2;
        let mut lines = wrap(explanation, LINE_COLUMNS.saturating_sub(at)).into_iter();
        if width <= widest {
            write!(text, "{:1$}", "", widest - width + 2).expect("writing to a string cannot fail");
            push(text, &[lines.next().as_deref().unwrap_or(""), "\n"]);
        } else {
            text.push('\n');
        }
        for line in lines {
            writeln!(text, "{:at$}{line}", "").expect("writing to a string cannot fail");
        }
    }
}

/// `-o, --output <FILE>`, `[DIR]`, `<CHART>...`
fn name(arg: &Arg) -> String {
    let values: Vec<String> = arg
        .get_value_names()
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    if arg.is_positional() {
        let value = values
            .first()
            .cloned()
            .unwrap_or_else(|| arg.get_id().to_string().to_uppercase());
        let many = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
            "..."
        } else {
            ""
        };
        return if arg.is_required_set() {
            format!("<{value}>{many}")
        } else {
            format!("[{value}]{many}")
        };
    }
    let mut name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("    --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    if arg.get_action().takes_values() {
        for value in values {
            push(&mut name, &[" <", &value, ">"]);
        }
    }
    name
}

fn explanation(arg: &Arg, lang: Lang) -> String {
    let words = texts::of(lang);
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|v| !v.is_hide_set())
        .map(|v| v.get_name().to_owned())
        .collect();
    if arg.get_action().takes_values() && !choices.is_empty() && !arg.is_hide_possible_values_set() {
        push(
            &mut text,
            &[
                words.choices_open,
                &choices.join(words.choice_separator),
                words.close,
            ],
        );
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|v| v.to_string_lossy().into_owned())
        .collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        push(&mut text, &[words.default_open, &defaults.join(","), words.close]);
    }
    text
}

/// Breaks at spaces, and between Han characters, where a line may break anywhere but before punctuation.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut word = String::new();
        let mut chars = paragraph.chars().peekable();
        while let Some(c) = chars.next() {
            word.push(c);
            let next_may_begin = chars.peek().is_none_or(|next| !is_closing(*next));
            if c == ' ' || (is_wide(c) && next_may_begin) {
                append(&mut lines, &mut line, &mut word, width);
            }
        }
        append(&mut lines, &mut line, &mut word, width);
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Puts a word behind a line, or on a line of its own.
fn append(lines: &mut Vec<String>, line: &mut String, word: &mut String, width: usize) {
    if columns(line) + columns(word.trim_end()) > width && !line.is_empty() {
        lines.push(line.trim_end().to_owned());
        line.clear();
    }
    line.push_str(word);
    word.clear();
}

fn is_closing(c: char) -> bool {
    matches!(
        c,
        '，' | '。' | '；' | '：' | '、' | '！' | '？' | '）' | '》' | '”' | '’' | '」'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_a_reader_expects_it() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("渲染目录，然后比较", 8), ["渲染目", "录，然后", "比较"]);
        assert_eq!(wrap("a-very-long-word", 4), ["a-very-long-word"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
    }
}
