//! Which resources a patch or a replacement means: regular expressions for the parts of an id, Kubernetes' selectors for
//! labels and annotations.

use regex::{Regex, RegexBuilder};

use super::error::{Error, Result};
use super::kustomization::Selector;
use super::limits::MAX_REGEX_BYTES;
use super::resid::{Gvk, ResId};
use super::resource::Resource;
use super::tree;

/// A selector, compiled.
#[derive(Debug)]
pub(super) struct Compiled {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl Compiled {
    pub(super) fn new(selector: &Selector) -> Result<Compiled> {
        Ok(Compiled {
            group: Pattern::new(&selector.group)?,
            version: Pattern::new(&selector.version)?,
            kind: Pattern::new(&selector.kind)?,
            name: Pattern::new(&selector.name)?,
            namespace: Pattern::new(&selector.namespace)?,
            labels: LabelSelector::parse(&selector.label_selector)?,
            annotations: LabelSelector::parse(&selector.annotation_selector)?,
        })
    }

    /// Whether a patch's target selects the resource: by its original or present name and namespace.
    pub(super) fn selects(&self, resource: &Resource) -> bool {
        let id = resource.id();
        (self.namespace.matches(resource.original_namespace())
            || self.namespace.matches(id.effective_namespace()))
            && (self.name.matches(resource.original_name()) || self.name.matches(&id.name))
            && self.matches_gvk(&id.gvk)
            && self.matches_metadata(resource)
    }

    /// The one name that it selects, where it is no expression.
    pub(super) fn exact_name(&self) -> Option<&str> {
        match &self.name {
            Pattern::Word(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the parts match one id, the namespace as it is written.
    pub(super) fn matches_id(&self, id: &ResId) -> bool {
        self.matches_gvk(&id.gvk) && self.name.matches(&id.name) && self.namespace.matches(&id.namespace)
    }

    pub(super) fn matches_metadata(&self, resource: &Resource) -> bool {
        self.labels.matches(resource, "labels") && self.annotations.matches(resource, "annotations")
    }

    /// Whether no part of an id is given.
    pub(super) fn has_no_id(&self) -> bool {
        [
            &self.group,
            &self.version,
            &self.kind,
            &self.name,
            &self.namespace,
        ]
        .iter()
        .all(|pattern| matches!(pattern, Pattern::Any))
    }

    /// Whether neither labels nor annotations are asked for.
    pub(super) fn has_no_metadata(&self) -> bool {
        self.labels.0.is_empty() && self.annotations.0.is_empty()
    }

    fn matches_gvk(&self, gvk: &Gvk) -> bool {
        self.group.matches(&gvk.group) && self.version.matches(&gvk.version) && self.kind.matches(&gvk.kind)
    }
}

/// A part of an id: anything, a plain word, or a regular expression for the whole.
#[derive(Debug)]
enum Pattern {
    Any,
    Word(String),
    Expression(Box<Regex>),
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern> {
        if text.is_empty() {
            return Ok(Pattern::Any);
        }
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
        if text.chars().all(plain) {
            return Ok(Pattern::Word(text.to_owned()));
        }
        RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(MAX_REGEX_BYTES)
            .build()
            .map(|regex| Pattern::Expression(Box::new(regex)))
            .map_err(|error| Error::invalid(format!("error parsing regexp: `^(?:{text})$`: {error}")))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Word(word) => word == text,
            Pattern::Expression(regex) => regex.is_match(text),
        }
    }
}

/// Requirements that all must hold.
#[derive(Debug, Default)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In,
    NotIn,
    Greater,
    Less,
}

impl LabelSelector {
    /// Reads `a=b, c!=d, e in (f, g), h, !i, j>1`.
    fn parse(text: &str) -> Result<LabelSelector> {
        let mut parser = Parser { rest: text };
        let mut requirements = Vec::new();
        loop {
            match parser.next(false)? {
                Token::End if requirements.is_empty() => break,
                first @ (Token::Word(_) | Token::Symbol("!")) => {
                    let requirement = parser
                        .requirement(first)
                        .map_err(|error| error.context("unable to parse requirement"))?;
                    requirements.push(requirement);
                }
                other => return Err(other.unexpected("!, identifier, or 'end of string'")),
            }
            match parser.next(false)? {
                Token::End => break,
                Token::Symbol(",") => {
                    let mut ahead = Parser { rest: parser.rest };
                    match ahead.next(false)? {
                        Token::Word(_) | Token::Symbol("!") => {}
                        other => return Err(other.unexpected("identifier after ','")),
                    }
                }
                other => return Err(other.unexpected("',' or 'end of string'")),
            }
        }
        Ok(LabelSelector(requirements))
    }

    fn matches(&self, resource: &Resource, field: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let entries = resource.metadata_map(field);
        self.0.iter().all(|requirement| {
            let value = entries
                .iter()
                .find(|(key, _)| tree::text(key) == Some(&requirement.key))
                .map(|(_, value)| tree::text(value).unwrap_or_default());
            requirement.holds(value)
        })
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|known| known == value);
        let compare = |wanted: std::cmp::Ordering| {
            let own = value.and_then(|value| value.parse::<i64>().ok());
            let limit = self.values.first().and_then(|limit| limit.parse::<i64>().ok());
            own.zip(limit)
                .is_some_and(|(own, limit)| own.cmp(&limit) == wanted)
        };
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Greater => compare(std::cmp::Ordering::Greater),
            Operator::Less => compare(std::cmp::Ordering::Less),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Symbol(&'static str),
    In,
    NotIn,
    End,
}

impl Token<'_> {
    fn unexpected(&self, expected: &str) -> Error {
        Error::invalid(format!("found '{}', expected: {expected}", self.text()))
    }

    fn text(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Symbol(symbol) => symbol,
            Token::In => "in",
            Token::NotIn => "notin",
            Token::End => "",
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", "<", ">"];

impl<'t> Parser<'t> {
    /// The next token; `in` and `notin` are words except where an operator may stand.
    fn next(&mut self, operator: bool) -> Result<Token<'t>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if self.rest.is_empty() {
            return Ok(Token::End);
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol)) {
            self.rest = &self.rest[symbol.len()..];
            return Ok(Token::Symbol(symbol));
        }
        let ends = |c: char| {
            matches!(
                c,
                '=' | '!' | '(' | ')' | ',' | '<' | '>' | ' ' | '\t' | '\r' | '\n'
            )
        };
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(match word {
            "in" if operator => Token::In,
            "notin" if operator => Token::NotIn,
            word => Token::Word(word),
        })
    }

    fn peek_ends(&self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        rest.is_empty() || rest.starts_with(',')
    }

    fn requirement(&mut self, first: Token<'t>) -> Result<Requirement> {
        let (negated, key) = match first {
            Token::Symbol("!") => (true, self.next(false)?),
            word => (false, word),
        };
        let Token::Word(key) = key else {
            return Err(key.unexpected("identifier"));
        };
        let made = |operator: Operator, values: Vec<String>| Requirement {
            key: key.to_owned(),
            operator,
            values,
        };
        if negated {
            return Ok(made(Operator::Absent, Vec::new()));
        }
        if self.peek_ends() {
            return Ok(made(Operator::Exists, Vec::new()));
        }
        let operator = match self.next(true)? {
            Token::In => return Ok(made(Operator::In, self.values()?)),
            Token::NotIn => return Ok(made(Operator::NotIn, self.values()?)),
            Token::Symbol("=" | "==") => Operator::In,
            Token::Symbol("!=") => Operator::NotIn,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol("<") => Operator::Less,
            other => return Err(other.unexpected("'=', '!=', '==', 'in', notin'")),
        };
        if self.peek_ends() {
            return Ok(made(operator, vec![String::new()]));
        }
        match self.next(false)? {
            Token::Word(value) => Ok(made(operator, vec![value.to_owned()])),
            other => Err(other.unexpected("identifier")),
        }
    }

    /// `(a, b)`; a comma without a word beside it stands for the empty value.
    fn values(&mut self) -> Result<Vec<String>> {
        match self.next(false)? {
            Token::Symbol("(") => {}
            other => return Err(Error::invalid(format!("found '{}' expected: '('", other.text()))),
        }
        let mut values = Vec::new();
        let mut wants_value = true;
        loop {
            match self.next(false)? {
                Token::Word(word) if wants_value => {
                    values.push(word.to_owned());
                    wants_value = false;
                }
                Token::Symbol(",") => {
                    if wants_value {
                        values.push(String::new());
                    }
                    wants_value = true;
                }
                Token::Symbol(")") => {
                    if wants_value {
                        values.push(String::new());
                    }
                    return Ok(values);
                }
                other => return Err(other.unexpected("',' or ')'")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_as_in_kubernetes() {
        let cases = [
            ("a=b", Some("b"), true),
            ("a==b", Some("c"), false),
            ("a!=b", None, true),
            ("a in (b, c)", Some("c"), true),
            ("a notin (b,c)", Some("c"), false),
            ("a", None, false),
            ("!a", None, true),
            ("a>1", Some("2"), true),
            ("a<1", Some("2"), false),
            ("a=", Some(""), true),
            ("a in ()", Some(""), true),
        ];
        for (text, value, holds) in cases {
            let selector = LabelSelector::parse(text).expect("the selector is well-formed");
            assert_eq!(selector.0[0].holds(value), holds, "{text}");
        }
        for text in ["=b", "a,", "a in b", "a b", "a in (b"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
