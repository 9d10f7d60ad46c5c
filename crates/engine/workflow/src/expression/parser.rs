//! Tokens to a tree. Errors have GitHub's words.

use super::lexer::{Kind, Symbol, Token, tokens};
use super::value::Value;
use crate::limits::{MAX_EXPRESSION_CHARS, MAX_EXPRESSION_DEPTH, MAX_GROUP_DEPTH};

/// A tree that can be evaluated.
#[derive(Clone, Debug)]
pub enum Expression {
    /// A value that is written.
    Literal(Value),
    /// A context by its name.
    Context(String),
    /// `a.b`, `a['b']`
    Index(Box<Expression>, Box<Expression>),
    /// `a.*`, `a[*]`
    Star(Box<Expression>),
    /// `!a`
    Not(Box<Expression>),
    /// `a == b` and the others that compare.
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// `a && b && ...`
    And(Vec<Expression>),
    /// `a || b || ...`
    Or(Vec<Expression>),
    /// `name(...)`
    Call(Function, Vec<Expression>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

/// A function that an expression calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `contains(search, item)`
    Contains,
    /// `endsWith(text, end)`
    EndsWith,
    /// `format(text, ...)`
    Format,
    /// `join(array, separator)`
    Join,
    /// `startsWith(text, beginning)`
    StartsWith,
    /// `toJSON(value)`
    ToJson,
    /// `fromJSON(text)`
    FromJson,
    /// `case(condition, value, ..., otherwise)`
    Case,
    /// `hashFiles(pattern, ...)`, where there are files
    HashFiles,
    /// `always()` and its kin, in conditions
    Status(Status),
}

/// What a condition can ask of what went before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `always()`
    Always,
    /// `success()`
    Success,
    /// `failure()`
    Failure,
    /// `cancelled()`
    Cancelled,
}

/// Which contexts and special functions may be named where an expression stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// Names of contexts, ignoring case.
    pub contexts: &'a [&'a str],
    /// Whether `hashFiles` may be called.
    pub hash_files: bool,
    /// Whether `always()` and its kin may be called.
    pub status: bool,
    /// Whether `success` and `failure` may name jobs.
    pub status_of_jobs: bool,
}

/// Why an expression was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// GitHub's text.
    pub message: String,
    /// Where in the expression, in characters from 0; none where it is about all of it.
    pub at: Option<usize>,
}

/// Parses an expression, without `${{` and `}}`. None where there is nothing but blanks.
pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Option<Expression>, ParseError> {
    if text.chars().count() > MAX_EXPRESSION_CHARS {
        return Err(whole(format!(
            "Exceeded max expression length {MAX_EXPRESSION_CHARS}"
        )));
    }
    let mut parser = Parser {
        text,
        tokens: tokens(text),
        at: 0,
        scope,
        groups: 0,
    };
    if parser.tokens.is_empty() {
        return Ok(None);
    }
    let (tree, _) = parser.or()?;
    match parser.tokens.get(parser.at) {
        Some(token) => Err(parser.unexpected(token)),
        None => Ok(Some(tree)),
    }
}

impl Expression {
    /// Whether any part of it satisfies a question.
    pub fn any(&self, ask: &mut dyn FnMut(&Expression) -> bool) -> bool {
        if ask(self) {
            return true;
        }
        match self {
            Expression::Literal(_) | Expression::Context(_) => false,
            Expression::Index(a, b) | Expression::Compare(_, a, b) => a.any(ask) || b.any(ask),
            Expression::Star(a) | Expression::Not(a) => a.any(ask),
            Expression::And(list) | Expression::Or(list) | Expression::Call(_, list) => {
                list.iter().any(|part| part.any(ask))
            }
        }
    }

    /// Whether it asks how what went before ended; if not, a condition means `success() && (...)`.
    pub fn asks_status(&self) -> bool {
        self.any(&mut |part| matches!(part, Expression::Call(Function::Status(_), _)))
    }
}

struct Parser<'t, 's> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    at: usize,
    scope: &'s Scope<'s>,
    groups: usize,
}

/// A tree and its depth.
type Parsed = Result<(Expression, usize), ParseError>;

impl<'t> Parser<'t, '_> {
    fn or(&mut self) -> Parsed {
        self.chain(Symbol::Or, Parser::and, Expression::Or)
    }

    fn and(&mut self) -> Parsed {
        self.chain(Symbol::And, Parser::equality, Expression::And)
    }

    fn chain(
        &mut self,
        symbol: Symbol,
        part: fn(&mut Self) -> Parsed,
        make: fn(Vec<Expression>) -> Expression,
    ) -> Parsed {
        let (first, mut depth) = part(self)?;
        if !self.peek(symbol) {
            return Ok((first, depth));
        }
        let mut parts = vec![first];
        while self.take(symbol) {
            let (next, next_depth) = part(self)?;
            parts.push(next);
            depth = depth.max(next_depth);
        }
        Ok((make(parts), deeper(depth)?))
    }

    fn equality(&mut self) -> Parsed {
        let table = [
            (Symbol::Equal, Comparison::Equal),
            (Symbol::NotEqual, Comparison::NotEqual),
        ];
        self.compare(&table, Parser::relation)
    }

    fn relation(&mut self) -> Parsed {
        let table = [
            (Symbol::Greater, Comparison::Greater),
            (Symbol::GreaterEqual, Comparison::GreaterEqual),
            (Symbol::Less, Comparison::Less),
            (Symbol::LessEqual, Comparison::LessEqual),
        ];
        self.compare(&table, Parser::unary)
    }

    fn compare(&mut self, table: &[(Symbol, Comparison)], part: fn(&mut Self) -> Parsed) -> Parsed {
        let (mut left, mut depth) = part(self)?;
        while let Some((_, comparison)) = table.iter().find(|(symbol, _)| self.peek(*symbol)) {
            self.at += 1;
            let (right, right_depth) = part(self)?;
            left = Expression::Compare(*comparison, Box::new(left), Box::new(right));
            depth = deeper(depth.max(right_depth))?;
        }
        Ok((left, depth))
    }

    fn unary(&mut self) -> Parsed {
        let mut nots = 0;
        while self.take(Symbol::Not) {
            nots += 1;
        }
        let (mut tree, mut depth) = self.postfix()?;
        for _ in 0..nots {
            tree = Expression::Not(Box::new(tree));
            depth = deeper(depth)?;
        }
        Ok((tree, depth))
    }

    fn postfix(&mut self) -> Parsed {
        let (mut tree, mut depth) = self.primary()?;
        loop {
            if self.take(Symbol::Dot) {
                let token = self.next()?;
                tree = match token.kind {
                    Kind::Property => index(tree, Expression::Literal(Value::text(token.raw))),
                    Kind::Symbol(Symbol::Star) => Expression::Star(Box::new(tree)),
                    _ => return Err(self.unexpected(&token)),
                };
            } else if self.take(Symbol::IndexBegin) {
                if self.take(Symbol::Star) {
                    tree = Expression::Star(Box::new(tree));
                } else {
                    let (inner, inner_depth) = self.nested()?;
                    tree = index(tree, inner);
                    depth = depth.max(inner_depth);
                }
                self.expect(Symbol::IndexEnd)?;
            } else {
                return Ok((tree, depth));
            }
            depth = deeper(depth)?;
        }
    }

    fn primary(&mut self) -> Parsed {
        let token = self.next()?;
        match &token.kind {
            Kind::Literal(value) => Ok((Expression::Literal(value.clone()), 1)),
            Kind::Name => {
                let known = self
                    .scope
                    .contexts
                    .iter()
                    .any(|c| c.eq_ignore_ascii_case(token.raw));
                match known {
                    true => Ok((Expression::Context(token.raw.to_owned()), 1)),
                    false => Err(self.located("Unrecognized named-value", &token)),
                }
            }
            Kind::Function => self.call(&token),
            Kind::Symbol(Symbol::GroupBegin) => {
                let inner = self.nested()?;
                self.expect(Symbol::GroupEnd)?;
                Ok(inner)
            }
            _ => Err(self.unexpected(&token)),
        }
    }

    fn call(&mut self, name: &Token<'t>) -> Parsed {
        let Some((function, least, most)) = self.function(name.raw) else {
            return Err(self.located("Unrecognized function", name));
        };
        self.expect(Symbol::GroupBegin)?;
        let mut arguments = Vec::new();
        let mut depth = 0;
        if !self.take(Symbol::GroupEnd) {
            loop {
                let (argument, argument_depth) = self.nested()?;
                arguments.push(argument);
                depth = depth.max(argument_depth);
                if self.take(Symbol::GroupEnd) {
                    break;
                }
                self.expect(Symbol::Comma)?;
            }
        }
        if arguments.len() < least {
            return Err(self.located("Too few parameters supplied", name));
        }
        if arguments.len() > most {
            return Err(self.located("Too many parameters supplied", name));
        }
        if function == Function::Case && arguments.len().is_multiple_of(2) {
            let what = "Even number of parameters supplied, requires an odd number of parameters";
            return Err(self.located(what, name));
        }
        Ok((Expression::Call(function, arguments), deeper(depth)?))
    }

    /// A function, and how many arguments it takes at least and at most.
    fn function(&self, name: &str) -> Option<(Function, usize, usize)> {
        let jobs = if self.scope.status_of_jobs { usize::MAX } else { 0 };
        let found = match name.to_ascii_lowercase().as_str() {
            "contains" => (Function::Contains, 2, 2),
            "endswith" => (Function::EndsWith, 2, 2),
            "format" => (Function::Format, 1, 255),
            "join" => (Function::Join, 1, 2),
            "startswith" => (Function::StartsWith, 2, 2),
            "tojson" => (Function::ToJson, 1, 1),
            "fromjson" => (Function::FromJson, 1, 1),
            "case" => (Function::Case, 3, 255),
            "hashfiles" if self.scope.hash_files => (Function::HashFiles, 1, 255),
            "always" if self.scope.status => (Function::Status(Status::Always), 0, 0),
            "cancelled" if self.scope.status => (Function::Status(Status::Cancelled), 0, 0),
            "success" if self.scope.status => (Function::Status(Status::Success), 0, jobs),
            "failure" if self.scope.status => (Function::Status(Status::Failure), 0, jobs),
            _ => return None,
        };
        Some(found)
    }

    /// What stands in brackets: bounded, as this parser calls itself for it.
    fn nested(&mut self) -> Parsed {
        self.groups += 1;
        if self.groups > MAX_GROUP_DEPTH {
            return Err(too_deep());
        }
        let inner = self.or();
        self.groups -= 1;
        inner
    }

    fn next(&mut self) -> Result<Token<'t>, ParseError> {
        match self.tokens.get(self.at) {
            Some(token) => {
                self.at += 1;
                Ok(token.clone())
            }
            None => Err(self.at_end()),
        }
    }

    fn peek(&self, symbol: Symbol) -> bool {
        matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Symbol(s), .. }) if *s == symbol)
    }

    fn take(&mut self, symbol: Symbol) -> bool {
        let found = self.peek(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: Symbol) -> Result<(), ParseError> {
        if self.take(symbol) {
            return Ok(());
        }
        match self.tokens.get(self.at) {
            Some(token) => Err(self.unexpected(token)),
            None => Err(self.at_end()),
        }
    }

    fn at_end(&self) -> ParseError {
        match self.tokens.last() {
            Some(last) => self.located("Unexpected end of expression", last),
            None => whole("Unexpected end of expression".to_owned()),
        }
    }

    fn unexpected(&self, token: &Token<'_>) -> ParseError {
        self.located("Unexpected symbol", token)
    }

    fn located(&self, what: &str, token: &Token<'_>) -> ParseError {
        ParseError {
            message: format!(
                "{what}: '{}'. Located at position {} within expression: {}",
                token.raw,
                token.at + 1,
                self.text
            ),
            at: Some(token.at),
        }
    }
}

fn index(tree: Expression, by: Expression) -> Expression {
    Expression::Index(Box::new(tree), Box::new(by))
}

fn deeper(depth: usize) -> Result<usize, ParseError> {
    match depth < MAX_EXPRESSION_DEPTH {
        true => Ok(depth + 1),
        false => Err(too_deep()),
    }
}

fn too_deep() -> ParseError {
    whole(format!("Exceeded max expression depth {MAX_EXPRESSION_DEPTH}"))
}

fn whole(message: String) -> ParseError {
    ParseError { message, at: None }
}
