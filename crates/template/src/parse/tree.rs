//! The parse tree of a template, and its text: `{}` prints a node as error messages show it, `{:#}` with its text in
//! quotes.

use std::borrow::Cow;
use std::fmt::{self, Display as _};
use std::rc::Rc;

use super::number::Number;
use crate::quote::quote;
use crate::stack::deeper;
use crate::value::Value;

/// One parsed template: a file, a `define` or a `block`.
#[derive(Debug)]
pub struct Tree {
    /// The template's name.
    pub name: Rc<str>,
    /// The name of the file that it stands in, for error messages.
    pub file: Rc<str>,
    /// The whole text of that file.
    pub text: Rc<[u8]>,
    /// What it consists of.
    pub root: Nodes,
}

impl Tree {
    /// The line of a position in the file, from 1, and the byte column in that line, from 0: Go's own counting.
    pub fn line_and_column(&self, pos: usize) -> (usize, usize) {
        let before = &self.text[..pos.min(self.text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        (line, before.len() - start)
    }

    /// Whether there is nothing in it but space and comments; such a tree does not replace another.
    pub fn is_empty(&self) -> bool {
        self.root.items.iter().all(|node| match node {
            Node::Text { text, .. } => text.trim_ascii_go().is_empty(),
            Node::Comment { .. } => true,
            _ => false,
        })
    }
}

trait TrimAscii {
    fn trim_ascii_go(&self) -> &[u8];
}

impl TrimAscii for [u8] {
    /// `bytes.TrimSpace`: the spaces of Unicode.
    fn trim_ascii_go(&self) -> &[u8] {
        match std::str::from_utf8(self) {
            Ok(text) => text.trim().as_bytes(),
            Err(_) => self,
        }
    }
}

/// A list of nodes.
#[derive(Debug, Default)]
pub struct Nodes {
    /// Where the list starts.
    pub pos: usize,
    /// The nodes in order.
    pub items: Vec<Node>,
}

/// One element of a template.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Node {
    Text { pos: usize, text: Box<[u8]> },
    Comment { pos: usize, text: Box<[u8]> },
    Action { pos: usize, pipe: Pipe },
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Invocation>),
    Break { pos: usize },
    Continue { pos: usize },
}

/// `if`, `with` or `range`.
#[derive(Debug)]
pub struct Branch {
    /// Where its pipeline starts.
    pub pos: usize,
    /// The condition, the new dot, or what to iterate over.
    pub pipe: Pipe,
    /// What to do where the pipeline's value is not empty.
    pub then: Nodes,
    /// What to do where it is.
    pub otherwise: Option<Nodes>,
}

/// `{{template "name" pipeline}}`, also what remains of a `block`.
#[derive(Debug)]
pub struct Invocation {
    /// Where the name stands.
    pub pos: usize,
    /// The template to run.
    pub name: Rc<str>,
    /// Its dot.
    pub pipe: Option<Pipe>,
}

/// Commands, each of which gets the value of the one before it as its last argument.
#[derive(Debug)]
pub struct Pipe {
    /// Where it starts.
    pub pos: usize,
    /// Whether the variables exist already (`=`).
    pub assigns: bool,
    /// The variables that get the value.
    pub variables: Vec<Variable>,
    /// The commands in order, at least one.
    pub commands: Vec<Command>,
}

/// A name of a variable in a pipeline's declaration.
#[derive(Debug)]
pub struct Variable {
    /// Where it stands.
    pub pos: usize,
    /// The name with its dollar sign.
    pub name: Rc<str>,
}

/// An operand, or a function or method with its arguments.
#[derive(Debug)]
pub struct Command {
    /// Where it starts.
    pub pos: usize,
    /// The operands, at least one.
    pub args: Vec<Expr>,
}

/// A chain of fields as it is written: `.a.b.c`, or nothing. One text for all of them, because templates are parsed
/// more often than one of their chains is walked.
#[derive(Debug, Default)]
pub struct Fields(Box<str>);

impl Fields {
    /// Takes the text of a chain, each name after a dot.
    pub(super) fn new(text: &[u8]) -> Fields {
        Fields(match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(text).into(),
        })
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in order, without their dots.
    pub fn names(&self) -> Names<'_> {
        Names(&self.0)
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names of a chain of fields that are left.
#[derive(Clone, Copy)]
pub struct Names<'a>(&'a str);

impl Names<'_> {
    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let names = self.0.get(1..)?;
        // A loop over bytes: names are too short for a search to pay.
        let end = names.bytes().position(|b| b == b'.').unwrap_or(names.len());
        let (name, rest) = names.split_at(end);
        self.0 = rest;
        Some(name)
    }
}

/// An operand.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Expr {
    /// `.a.b`
    Field {
        pos: usize,
        names: Fields,
    },
    /// `$x.a.b`
    Variable {
        pos: usize,
        name: Rc<str>,
        fields: Fields,
    },
    /// A function.
    Identifier {
        pos: usize,
        name: Cow<'static, str>,
        /// Where the function stood in the table that the parser used.
        slot: usize,
    },
    /// A pipeline in parentheses.
    Pipe(Box<Pipe>),
    /// An operand with fields after it: `(f x).a`.
    Chain {
        pos: usize,
        operand: Box<Expr>,
        fields: Fields,
    },
    Dot {
        pos: usize,
    },
    Nil {
        pos: usize,
    },
    Bool {
        pos: usize,
        value: bool,
    },
    Number {
        pos: usize,
        number: Box<Number>,
    },
    /// A string constant, quoted as in the template, and its value.
    String {
        pos: usize,
        quoted: Box<str>,
        value: Value,
    },
}

impl Expr {
    /// Where it stands; the position of a chain of fields is that of the last field but the first token's.
    pub fn pos(&self) -> usize {
        match self {
            Expr::Field { pos, .. }
            | Expr::Variable { pos, .. }
            | Expr::Identifier { pos, .. }
            | Expr::Chain { pos, .. }
            | Expr::Dot { pos }
            | Expr::Nil { pos }
            | Expr::Bool { pos, .. }
            | Expr::Number { pos, .. }
            | Expr::String { pos, .. } => *pos,
            Expr::Pipe(pipe) => pipe.pos,
        }
    }
}

impl Node {
    /// Where it stands.
    pub fn pos(&self) -> usize {
        match self {
            Node::Text { pos, .. }
            | Node::Comment { pos, .. }
            | Node::Action { pos, .. }
            | Node::Break { pos }
            | Node::Continue { pos } => *pos,
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => branch.pos,
            Node::Template(invocation) => invocation.pos,
        }
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|node| node.fmt(f))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Text { text, .. } if f.alternate() => f.write_str(&quote(text)),
            Node::Text { text, .. } => f.write_str(&String::from_utf8_lossy(text)),
            Node::Comment { text, .. } => write!(f, "{{{{{}}}}}", String::from_utf8_lossy(text)),
            Node::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Node::If(branch) => branch.write("if", f),
            Node::With(branch) => branch.write("with", f),
            Node::Range(branch) => branch.write("range", f),
            Node::Template(invocation) => invocation.fmt(f),
            Node::Break { .. } => f.write_str("{{break}}"),
            Node::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}

impl Branch {
    fn write(&self, keyword: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        deeper(|| {
            write!(f, "{{{{{keyword} {}}}}}", self.pipe)?;
            self.then.fmt(f)?;
            if let Some(otherwise) = &self.otherwise {
                f.write_str("{{else}}")?;
                otherwise.fmt(f)?;
            }
            f.write_str("{{end}}")
        })
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        deeper(|| {
            for (at, variable) in self.variables.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                write!(f, "{comma}{}", variable.name)?;
            }
            if !self.variables.is_empty() {
                f.write_str(if self.assigns { " = " } else { " := " })?;
            }
            for (at, command) in self.commands.iter().enumerate() {
                let bar = if at > 0 { " | " } else { "" };
                write!(f, "{bar}{command}")?;
            }
            Ok(())
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, arg) in self.args.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            arg.write_operand(f)?;
        }
        Ok(())
    }
}

impl Expr {
    /// The operand, in parentheses where it is a pipeline.
    fn write_operand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Pipe(pipe) => write!(f, "({pipe})"),
            other => other.fmt(f),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Field { names, .. } => names.fmt(f),
            Expr::Variable { name, fields, .. } => {
                f.write_str(name)?;
                fields.fmt(f)
            }
            Expr::Identifier { name, .. } => f.write_str(name),
            Expr::Pipe(pipe) => pipe.fmt(f),
            Expr::Chain { operand, fields, .. } => {
                operand.write_operand(f)?;
                fields.fmt(f)
            }
            Expr::Dot { .. } => f.write_str("."),
            Expr::Nil { .. } => f.write_str("nil"),
            Expr::Bool { value, .. } => value.fmt(f),
            Expr::Number { number, .. } => f.write_str(&number.text),
            Expr::String { quoted, .. } => f.write_str(quoted),
        }
    }
}

// The trees of hostile templates nest as deep as the parser lets them; dropping them must not run out of stack.

impl Drop for Branch {
    fn drop(&mut self) {
        deeper(|| {
            self.then.items.clear();
            self.otherwise = None;
        });
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        deeper(|| self.commands.clear());
    }
}
