use std::fmt;

use crate::{Code, Lang};

/// Where in a source something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user knows it.
    pub file: String,
    /// Line from 1, or 0 if unknown.
    pub line: u32,
    /// Column from 1, or 0 if unknown.
    pub column: u32,
}

impl Place {
    /// A file as a whole.
    pub fn file(file: impl Into<String>) -> Place {
        Place {
            file: file.into(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// What a user is told when something is wrong: a code, where, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which message of the catalogue.
    pub code: Code,
    /// Where, if it is in a file.
    pub place: Option<Place>,
    /// The cause in the words of whoever reported it (an operating system, helm's own error text).
    pub cause: String,
    /// What fills `{name}` in text and hint.
    pub args: Vec<(&'static str, String)>,
}

impl Diagnostic {
    /// A message without place, cause or arguments.
    pub fn new(code: Code) -> Diagnostic {
        Diagnostic {
            code,
            place: None,
            cause: String::new(),
            args: Vec::new(),
        }
    }

    /// Adds the place.
    pub fn at(mut self, place: Place) -> Diagnostic {
        self.place = Some(place);
        self
    }

    /// Adds the cause.
    pub fn because(mut self, cause: impl Into<String>) -> Diagnostic {
        self.cause = cause.into();
        self
    }

    /// Fills `{name}` of the message.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Diagnostic {
        self.args.push((name, value.into()));
        self
    }

    /// What happened, in one sentence.
    pub fn text(&self, lang: Lang) -> String {
        self.fill(self.code.message().text(lang))
    }

    /// What to do next.
    pub fn hint(&self, lang: Lang) -> String {
        self.fill(self.code.message().hint(lang))
    }

    fn fill(&self, template: &str) -> String {
        self.args.iter().fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}
