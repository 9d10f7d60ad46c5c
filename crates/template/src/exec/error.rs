//! Why a template did not render, and where.

use std::fmt;

use crate::parse::{Command, Expr, Node, Pipe, Tree};
use crate::quote::quote;

/// Why a template did not render; its text is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// There is no template of that name in the set.
    #[error("template: no template {} associated with template {}", quote(name.as_bytes()), quote(set.as_bytes()))]
    NoTemplate {
        /// The name that was asked for.
        name: String,
        /// The name of the set.
        set: String,
    },
    /// A step failed.
    #[error(
        "template: {file}:{line}:{column}: executing {} at <{context}>: {message}",
        quote(template.as_bytes())
    )]
    Failed {
        /// The name that the text was parsed under.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The byte in the line, from 0.
        column: usize,
        /// The template in which the step stands.
        template: String,
        /// The step, printed back.
        context: String,
        /// What went wrong; the error of a template that a function rendered is part of it.
        message: String,
    },
}

/// A step of a template, for error messages.
#[derive(Clone, Copy)]
pub(super) enum At<'e> {
    Node(&'e Node),
    Pipe(&'e Pipe),
    Command(&'e Command),
    Expr(&'e Expr),
}

impl At<'_> {
    fn pos(self) -> usize {
        match self {
            At::Node(node) => node.pos(),
            At::Pipe(pipe) => pipe.pos,
            At::Command(command) => command.pos,
            At::Expr(expr) => expr.pos(),
        }
    }

    pub fn error(self, tree: &Tree, message: String) -> Box<ExecError> {
        let (line, column) = tree.line_and_column(self.pos());
        Box::new(ExecError::Failed {
            file: tree.file.to_string(),
            line,
            column,
            template: tree.name.to_string(),
            context: self.to_string(),
            message,
        })
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Node(node) => node.fmt(f),
            At::Pipe(pipe) => pipe.fmt(f),
            At::Command(command) => command.fmt(f),
            At::Expr(expr) => expr.fmt(f),
        }
    }
}
