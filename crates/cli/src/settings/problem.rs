use deploy_model::{Code, Diagnostic, Exit, Lang, Place};

use super::Key;
use crate::{Failure, texts};

/// Something that is wrong with the configuration. Which language it is told in is known only after all of it was read.
#[derive(Debug)]
pub struct Problem {
    /// The file or the variable.
    pub file: String,
    /// The line, or 0 if it is about the whole.
    pub line: u32,
    /// What is wrong.
    pub what: What,
}

/// The kinds of problems.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum What {
    Unreadable {
        words: String,
        absent: bool,
    },
    Syntax(String),
    UnknownKey {
        name: String,
        meant: Option<&'static str>,
    },
    NotAChoice {
        key: &'static str,
        value: String,
        choices: &'static [&'static str],
    },
    NoString {
        key: &'static str,
        found: &'static str,
    },
}

impl What {
    /// A value that its key does not take.
    pub fn value(key: &Key, value: &str) -> What {
        What::NotAChoice {
            key: key.name,
            value: value.to_owned(),
            choices: key.choices,
        }
    }
}

impl Problem {
    /// The problem as a reader of this language is told.
    pub fn told(self, lang: Lang) -> Failure {
        let words = &texts::of(lang).config_errors;
        let cause = match self.what {
            What::Unreadable { words, absent } => {
                let diagnostic = Diagnostic::new(Code::FileUnreadable)
                    .because(words)
                    .with("path", self.file);
                let exit = if absent { Exit::NotFound } else { Exit::Failed };
                return Failure::Explained(Box::new(diagnostic), exit);
            }
            What::Syntax(words) => words,
            What::UnknownKey { name, meant } => {
                let mut cause = words.unknown_key.replace("{key}", &name);
                if let Some(meant) = meant {
                    cause.push('\n');
                    cause.push_str(&texts::of(lang).usage_errors.suggestion.replace("{word}", meant));
                }
                cause
            }
            What::NotAChoice { key, choices: [], .. } => words.empty.replace("{key}", key),
            What::NotAChoice { key, value, choices } => words
                .not_a_choice
                .replace("{key}", key)
                .replace("{value}", &format!("{value:?}"))
                .replace("{choices}", &choices.join(texts::of(lang).choice_separator)),
            What::NoString { key, found } => words.no_string.replace("{key}", key).replace("{type}", found),
        };
        let place = Place {
            file: self.file.clone(),
            line: self.line,
            column: 0,
        };
        Diagnostic::new(Code::ConfigInvalid)
            .at(place)
            .because(cause)
            .with("path", self.file)
            .into()
    }
}
