//! Text to tokens. What a character begins depends on the token before it: `.5` is a number, `a.b` is a step down.

use super::number::literal;
use super::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    GroupBegin,
    GroupEnd,
    IndexBegin,
    IndexEnd,
    Comma,
    Dot,
    Star,
    Not,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
    And,
    Or,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Symbol(Symbol),
    Literal(Value),
    /// A name behind a dot.
    Property,
    /// A name before `(`.
    Function,
    /// The name of a context.
    Name,
    /// Nothing that there is.
    Unexpected,
}

#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub raw: &'t str,
    /// In characters, from 0.
    pub at: usize,
}

/// All tokens; one that is not legal where it stands is `Unexpected`, and the last.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
        open: Vec::new(),
    };
    while let Some(mut token) = lexer.next() {
        if !lexer.is_legal(&token.kind) {
            token.kind = Kind::Unexpected;
        }
        let stop = matches!(token.kind, Kind::Unexpected);
        lexer.track(&token.kind);
        lexer.tokens.push(token);
        if stop {
            break;
        }
    }
    lexer.tokens
}

/// What a bracket was opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Group,
    Call,
    Index,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    open: Vec<Open>,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Option<Token<'t>> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '(' => (Kind::Symbol(Symbol::GroupBegin), 1),
            ')' => (Kind::Symbol(Symbol::GroupEnd), 1),
            '[' => (Kind::Symbol(Symbol::IndexBegin), 1),
            ']' => (Kind::Symbol(Symbol::IndexEnd), 1),
            ',' => (Kind::Symbol(Symbol::Comma), 1),
            '*' => (Kind::Symbol(Symbol::Star), 1),
            '\'' => quoted(rest),
            '!' | '>' | '<' | '=' | '&' | '|' => operator(rest),
            '.' if self.after_value() => (Kind::Symbol(Symbol::Dot), 1),
            '.' | '-' | '+' | '0'..='9' => number(rest),
            _ => self.word(rest),
        };
        let token = Token {
            kind,
            raw: &rest[..length],
            at: self.text[..self.at].chars().count(),
        };
        self.at += length;
        Some(token)
    }

    fn word(&self, rest: &str) -> (Kind, usize) {
        let length = rest
            .find(|c: char| c == '.' || ends_word(c))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let after_dot = matches!(self.last(), Some(Kind::Symbol(Symbol::Dot)));
        let kind = match word {
            _ if !is_name(word) => Kind::Unexpected,
            _ if after_dot => Kind::Property,
            "null" => Kind::Literal(Value::Null),
            "true" => Kind::Literal(Value::Bool(true)),
            "false" => Kind::Literal(Value::Bool(false)),
            "NaN" => Kind::Literal(Value::Number(f64::NAN)),
            "Infinity" => Kind::Literal(Value::Number(f64::INFINITY)),
            _ if rest[length..].trim_start().starts_with('(') => Kind::Function,
            _ => Kind::Name,
        };
        (kind, length)
    }

    fn last(&self) -> Option<&Kind> {
        self.tokens.last().map(|token| &token.kind)
    }

    /// Whether the last token ends a value.
    fn after_value(&self) -> bool {
        match self.last() {
            None => false,
            Some(Kind::Symbol(symbol)) => {
                matches!(symbol, Symbol::GroupEnd | Symbol::IndexEnd | Symbol::Star)
            }
            Some(_) => true,
        }
    }

    fn is_legal(&self, kind: &Kind) -> bool {
        let last = self.last();
        let after_value = self.after_value();
        match kind {
            Kind::Symbol(Symbol::GroupBegin) => !after_value || matches!(last, Some(Kind::Function)),
            Kind::Symbol(Symbol::GroupEnd) => match self.open.last() {
                Some(Open::Call) => after_value || matches!(last, Some(Kind::Symbol(Symbol::GroupBegin))),
                Some(Open::Group) => after_value,
                _ => false,
            },
            Kind::Symbol(Symbol::IndexBegin | Symbol::Dot) => match last {
                Some(Kind::Literal(_) | Kind::Function) => false,
                _ => after_value,
            },
            Kind::Symbol(Symbol::IndexEnd) => after_value && self.open.last() == Some(&Open::Index),
            Kind::Symbol(Symbol::Comma) => after_value && self.open.last() == Some(&Open::Call),
            Kind::Symbol(Symbol::Star) => {
                matches!(last, Some(Kind::Symbol(Symbol::IndexBegin | Symbol::Dot)))
            }
            Kind::Symbol(Symbol::Not) => !after_value && !self.after_dot(),
            Kind::Symbol(_) => after_value && !matches!(last, Some(Kind::Function)),
            Kind::Property => self.after_dot(),
            Kind::Literal(_) | Kind::Function | Kind::Name => !after_value && !self.after_dot(),
            Kind::Unexpected => false,
        }
    }

    fn after_dot(&self) -> bool {
        matches!(self.last(), Some(Kind::Symbol(Symbol::Dot)))
    }

    fn track(&mut self, kind: &Kind) {
        match kind {
            Kind::Symbol(Symbol::GroupBegin) => {
                let call = matches!(self.last(), Some(Kind::Function));
                self.open.push(if call { Open::Call } else { Open::Group });
            }
            Kind::Symbol(Symbol::IndexBegin) => self.open.push(Open::Index),
            Kind::Symbol(Symbol::GroupEnd | Symbol::IndexEnd) => {
                self.open.pop();
            }
            _ => {}
        }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | '!' | '>' | '<' | '=' | '&' | '|')
}

fn is_name(word: &str) -> bool {
    let mut chars = word.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    begins && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn number(rest: &str) -> (Kind, usize) {
    let length = rest.find(ends_word).unwrap_or(rest.len());
    let kind = literal(&rest[..length]).map(|n| Kind::Literal(Value::Number(n)));
    (kind.unwrap_or(Kind::Unexpected), length)
}

fn quoted(rest: &str) -> (Kind, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return (Kind::Literal(Value::from(text)), at + 1);
        }
    }
    (Kind::Unexpected, rest.len())
}

fn operator(rest: &str) -> (Kind, usize) {
    let two = [
        ("!=", Symbol::NotEqual),
        (">=", Symbol::GreaterEqual),
        ("<=", Symbol::LessEqual),
        ("==", Symbol::Equal),
        ("&&", Symbol::And),
        ("||", Symbol::Or),
    ];
    if let Some((_, symbol)) = two.iter().find(|(text, _)| rest.starts_with(text)) {
        return (Kind::Symbol(*symbol), 2);
    }
    let kind = match rest.as_bytes()[0] {
        b'!' => Kind::Symbol(Symbol::Not),
        b'>' => Kind::Symbol(Symbol::Greater),
        b'<' => Kind::Symbol(Symbol::Less),
        _ => Kind::Unexpected,
    };
    (kind, 1)
}
