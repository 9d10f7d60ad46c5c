//! What a workflow file holds once it has been read: values with their places, expressions parsed.

use crate::expression::{Expression, print_number};
use std::sync::Arc;

/// Where something stands: a file of the set, line and column from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as an index of the set's names.
    pub file: usize,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Token {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a token is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A double.
    Number(f64),
    /// Text without expressions.
    String(Arc<str>),
    /// A list.
    Sequence(Vec<Token>),
    /// Keys and values in their order.
    Mapping(Vec<(Token, Token)>),
    /// `${{ ... }}`, or text with some of them within, which is a call of `format`.
    Expression(Box<Template>),
    /// `${{ insert }}` as a key: the entries of the value belong here.
    Insert,
}

/// An expression as it was written, and as it is evaluated.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text, without `${{` and `}}`.
    pub text: String,
    /// Parsed.
    pub tree: Expression,
}

impl Token {
    /// The text of a string that holds no expression.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The items of a sequence; nothing for all else.
    pub fn items(&self) -> &[Token] {
        match &self.kind {
            Kind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping; nothing for all else.
    pub fn entries(&self) -> &[(Token, Token)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key, ignoring its case.
    pub fn get(&self, key: &str) -> Option<&Token> {
        let mut entries = self.entries().iter();
        let found = entries.find(|(k, _)| k.as_str().is_some_and(|k| k.eq_ignore_ascii_case(key)));
        found.map(|(_, value)| value)
    }

    /// Whether it is an expression.
    pub fn is_expression(&self) -> bool {
        matches!(self.kind, Kind::Expression(_))
    }

    /// Whether any part of it is an expression.
    pub fn has_expression(&self) -> bool {
        match &self.kind {
            Kind::Expression(_) | Kind::Insert => true,
            Kind::Sequence(items) => items.iter().any(Token::has_expression),
            Kind::Mapping(entries) => entries
                .iter()
                .any(|(k, v)| k.has_expression() || v.has_expression()),
            _ => false,
        }
    }

    /// As messages name it.
    pub fn shown(&self) -> String {
        match &self.kind {
            Kind::Null => String::new(),
            Kind::Bool(b) => b.to_string(),
            Kind::Number(number) => print_number(*number),
            Kind::String(text) => text.to_string(),
            Kind::Expression(template) => format!("${{{{ {} }}}}", template.text),
            Kind::Insert => "${{ insert }}".to_owned(),
            Kind::Sequence(_) => "[...]".to_owned(),
            Kind::Mapping(_) => "{...}".to_owned(),
        }
    }
}
