//! Label selectors as text: `a in (b,c),!d` (`apimachinery/pkg/labels/selector.go`).

use super::{Operator, Parsed, Requirement, SelectorError};
use crate::field::go_quote;
use crate::names;

/// The requirements of a text, in the order in which they are written.
pub(super) fn requirements(text: &str) -> Parsed<Vec<Requirement>> {
    Parser {
        tokens: scan(text),
        position: 0,
    }
    .selector()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Error,
    End,
    Close,
    Comma,
    Not,
    Operator(Operator),
    Identifier,
    Open,
}

/// The tokens of a text with the texts they stand for. An odd sign is a token too: the parser names it.
fn scan(text: &str) -> Vec<(Token, String)> {
    let mut tokens = Vec::new();
    let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    // Upstream takes a NUL for the end.
    let mut rest = text.split('\0').next().unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(blank);
        let Some(first) = rest.chars().next() else { break };
        let len = if special(first) {
            match rest.as_bytes() {
                [b'=', b'=', ..] | [b'!', b'=', ..] => 2,
                _ => 1,
            }
        } else {
            rest.find(|c| special(c) || blank(c)).unwrap_or(rest.len())
        };
        let (literal, tail) = rest.split_at(len);
        rest = tail;
        let token = match literal {
            ")" => Token::Close,
            "," => Token::Comma,
            "!" => Token::Not,
            "==" => Token::Operator(Operator::DoubleEquals),
            "=" => Token::Operator(Operator::Equals),
            ">" => Token::Operator(Operator::GreaterThan),
            "in" => Token::Operator(Operator::In),
            "<" => Token::Operator(Operator::LessThan),
            "!=" => Token::Operator(Operator::NotEquals),
            "notin" => Token::Operator(Operator::NotIn),
            "(" => Token::Open,
            _ => Token::Identifier,
        };
        tokens.push((token, literal.to_owned()));
    }
    tokens.push((Token::End, String::new()));
    tokens
}

struct Parser {
    tokens: Vec<(Token, String)>,
    position: usize,
}

impl Parser {
    /// The next token; `in` and `notin` are operators only right after a key.
    fn peek(&self, after_key: bool) -> (Token, &str) {
        let Some((token, literal)) = self.tokens.get(self.position).or(self.tokens.last()) else {
            return (Token::Error, "");
        };
        let token = match token {
            Token::Operator(Operator::In | Operator::NotIn) if !after_key => Token::Identifier,
            token => *token,
        };
        (token, literal)
    }

    fn next(&mut self, after_key: bool) -> (Token, String) {
        let (token, literal) = self.peek(after_key);
        let next = (token, literal.to_owned());
        self.position += 1;
        next
    }

    fn selector(&mut self) -> Parsed<Vec<Requirement>> {
        let mut requirements = Vec::new();
        loop {
            match self.peek(false) {
                (Token::Identifier | Token::Not, _) => {
                    let requirement = self.requirement().map_err(|SelectorError(text)| {
                        SelectorError(format!("unable to parse requirement: {text}"))
                    })?;
                    requirements.push(requirement);
                    match self.next(false) {
                        (Token::End, _) => return Ok(requirements),
                        (Token::Comma, _) => match self.peek(false) {
                            (Token::Identifier | Token::Not, _) => {}
                            (_, found) => return expected(found, ", expected: identifier after ','"),
                        },
                        (_, found) => return expected(&found, ", expected: ',' or 'end of string'"),
                    }
                }
                (Token::End, _) => return Ok(requirements),
                (_, found) => return expected(found, ", expected: !, identifier, or 'end of string'"),
            }
        }
    }

    fn requirement(&mut self) -> Parsed<Requirement> {
        let (mut token, mut key) = self.next(false);
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next(false);
        }
        if token != Token::Identifier {
            return expected(&key, ", expected: identifier");
        }
        let texts = names::qualified_name(&key);
        if !texts.is_empty() {
            let text = format!("<nil>: Invalid value: {}: {}", go_quote(&key), texts.join("; "));
            return Err(SelectorError(text));
        }
        if negated {
            return Requirement::new(&key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(false).0, Token::End | Token::Comma) {
            return Requirement::new(&key, Operator::Exists, Vec::new());
        }
        let operator = match self.next(true) {
            (Token::Operator(operator), _) => operator,
            (_, found) => return expected(&found, ", expected: in, notin, =, ==, !=, gt, lt"),
        };
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.value()?],
        };
        values.sort_unstable();
        values.dedup();
        Requirement::new(&key, operator, values)
    }

    fn value(&mut self) -> Parsed<String> {
        if matches!(self.peek(false).0, Token::End | Token::Comma) {
            return Ok(String::new());
        }
        match self.next(false) {
            (Token::Identifier, value) => Ok(value),
            (_, found) => expected(&found, ", expected: identifier"),
        }
    }

    fn values(&mut self) -> Parsed<Vec<String>> {
        match self.next(false) {
            (Token::Open, _) => {}
            (_, found) => return expected(&found, " expected: '('"),
        }
        let (token, first) = self.peek(false);
        let first = first.to_owned();
        match token {
            Token::Identifier | Token::Comma => {
                let values = self.list()?;
                match self.next(false) {
                    (Token::Close, _) => Ok(values),
                    _ => expected(&first, ", expected: ')'"),
                }
            }
            Token::Close => {
                self.next(false);
                Ok(vec![String::new()])
            }
            _ => expected(&first, ", expected: ',', ')' or identifier"),
        }
    }

    /// Values between commas; nothing between two commas is an empty value.
    fn list(&mut self) -> Parsed<Vec<String>> {
        let mut values = Vec::new();
        loop {
            match self.next(false) {
                (Token::Identifier, value) => {
                    values.push(value);
                    match self.peek(false) {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, found) => return expected(found, ", expected: ',' or ')'"),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.push(String::new());
                    }
                    match self.peek(false).0 {
                        Token::Close => {
                            values.push(String::new());
                            return Ok(values);
                        }
                        Token::Comma => {
                            self.next(false);
                            values.push(String::new());
                        }
                        _ => {}
                    }
                }
                (_, found) => return expected(&found, ", expected: ',', or identifier"),
            }
        }
    }
}

fn expected<T>(found: &str, rest: &str) -> Parsed<T> {
    Err(SelectorError(format!("found '{found}'{rest}")))
}
