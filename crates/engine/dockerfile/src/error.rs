//! What is wrong with a Dockerfile, where, and what helps.

use std::fmt;

/// A place in a Dockerfile; lines and columns count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a Dockerfile, or with what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Where; none if it is not in the file.
    pub place: Option<Place>,
    /// What is wrong, in BuildKit's words where it has some.
    pub message: String,
    /// What helps; empty if the message says it.
    pub hint: String,
}

impl Problem {
    /// Place, message and hint in one line, for people.
    pub fn told(&self) -> String {
        let place = self.place.map(|place| format!("{place}: ")).unwrap_or_default();
        let hint = match &*self.hint {
            "" => String::new(),
            hint => format!(" ({hint})"),
        };
        format!("{place}{}{hint}", self.message)
    }

    /// A problem at a line, whose column is found later by [`Problem::pointing`].
    pub(crate) fn at(line: usize, message: impl Into<String>) -> Self {
        Self {
            place: Some(Place { line, column: 1 }),
            message: message.into(),
            hint: String::new(),
        }
    }

    /// A problem with what was asked.
    pub(crate) fn asked(message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// With what helps.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// With the column of a piece of text, where the lines from the first on have it.
    pub(crate) fn pointing(mut self, text: &str, lines: (usize, usize), piece: &str) -> Self {
        let found = text
            .lines()
            .enumerate()
            .skip(lines.0.saturating_sub(1))
            .take(lines.1.saturating_sub(lines.0) + 1)
            .find_map(|(number, line)| {
                let at = line.find(piece)?;
                Some(Place {
                    line: number + 1,
                    column: line[..at].chars().count() + 1,
                })
            });
        if let Some(place) = found.filter(|_| !piece.is_empty()) {
            self.place = Some(place);
        }
        self
    }
}
