//! What is wrong with a file, in GitHub's words, at its place.

use super::hint::Hint;
use super::token::Place;
use crate::limits::{MAX_MESSAGE_CHARS, MAX_PROBLEMS};
use std::fmt;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; empty where it is about all of them.
    pub file: String,
    /// From 1; 0 where no place can be named.
    pub line: u32,
    /// From 1; 0 where no place can be named.
    pub column: u32,
    /// GitHub's text.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<Hint>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, 0) => write!(f, "{file}: {}", self.message),
            (file, line) => write!(f, "{file} (Line: {line}, Col: {}): {}", self.column, self.message),
        }
    }
}

/// Gathers problems, and knows the names of the files.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    pub files: Vec<String>,
    pub list: Vec<Problem>,
}

impl Problems {
    /// The number of a file.
    pub fn file(&mut self, name: &str) -> usize {
        match self.files.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                self.files.push(name.to_owned());
                self.files.len() - 1
            }
        }
    }

    pub fn at(&mut self, place: Place, message: impl Into<String>) {
        let file = self.files.get(place.file).cloned().unwrap_or_default();
        self.push(Problem {
            file,
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: None,
        });
    }

    pub fn hinted(&mut self, place: Place, message: impl Into<String>, hint: Hint) {
        self.at(place, message);
        if let Some(last) = self.list.last_mut() {
            last.hint = Some(hint);
        }
    }

    /// About a file as a whole.
    pub fn of_file(&mut self, file: usize, message: impl Into<String>) {
        self.at(
            Place {
                file,
                line: 0,
                column: 0,
            },
            message,
        );
    }

    /// About all files.
    pub fn whole(&mut self, message: impl Into<String>) {
        self.push(Problem {
            file: String::new(),
            line: 0,
            column: 0,
            message: message.into(),
            hint: None,
        });
    }

    pub fn any(&self) -> bool {
        !self.list.is_empty()
    }

    fn push(&mut self, mut problem: Problem) {
        if self.list.len() >= MAX_PROBLEMS {
            return;
        }
        let whole = problem.to_string();
        let excess = whole.chars().count().saturating_sub(MAX_MESSAGE_CHARS);
        if excess > 0 {
            let kept = problem.message.chars().count().saturating_sub(excess);
            problem.message = problem.message.chars().take(kept).collect::<String>() + "[...]";
        }
        self.list.push(problem);
    }
}
