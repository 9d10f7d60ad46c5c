//! The syntax of Dockerfiles: directives, continued lines, comments, heredocs, flags, and the forms of arguments.

mod directive;
mod dump;
mod flags;
mod forms;
mod heredoc;
mod lines;

pub use heredoc::Heredoc;
pub use lines::parse;

pub(crate) use forms::NAMES;

/// A Dockerfile as its statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// In their order; at least one.
    pub statements: Vec<Statement>,
    /// What escapes characters and continues lines.
    pub escape: char,
    /// What the directive `syntax` names.
    pub syntax: Option<String>,
    /// What the directive `check` says.
    pub check: Option<String>,
}

/// One instruction, its variables still as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its name in lower case.
    pub name: String,
    /// Its name as it is written.
    pub written: String,
    /// `--name`, `--name=value`.
    pub flags: Vec<String>,
    /// What follows. Of ENV and LABEL three for each pair: name, value, and `=` or nothing.
    pub arguments: Vec<String>,
    /// The arguments were an array in JSON.
    pub json: bool,
    /// What ONBUILD holds.
    pub inner: Option<Box<Statement>>,
    /// Documents that stand below it.
    pub heredocs: Vec<Heredoc>,
    /// The whole line, continued lines joined.
    pub original: String,
    /// First and last line, from 1.
    pub lines: (usize, usize),
}

impl Tree {
    /// The tree as an S-expression, one line for each statement, as BuildKit's `Dump` writes it.
    pub fn dump(&self) -> String {
        self.statements
            .iter()
            .map(|statement| format!("({})\n", dump::statement(statement)))
            .collect()
    }

    /// First and last line of all statements.
    pub fn lines(&self) -> (usize, usize) {
        let first = self.statements.first().map_or(0, |statement| statement.lines.0);
        let last = self.statements.last().map_or(0, |statement| statement.lines.1);
        (first, last)
    }
}
