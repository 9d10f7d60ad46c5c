//! Tokens to values: the contexts that expressions see at one moment of a run.

use super::types::Conclusion;
use crate::expression::{EvaluationError, Expression, Host, Object, Status, Value, evaluate};
use crate::reader::{Kind, Token};
use std::collections::BTreeMap;

/// The hashes of files that are known, by patterns.
pub(super) type Hashes = BTreeMap<Vec<String>, String>;

/// What expressions see.
pub(super) struct Contexts<'h> {
    values: Vec<(&'static str, Value)>,
    /// How what went before ended, for `success()` and its kin.
    pub status: StatusOf,
    hashes: Option<&'h Hashes>,
}

/// How what went before ended.
#[derive(Clone, Debug)]
pub(super) enum StatusOf {
    /// One status, of a job or of a composite action.
    Job(Conclusion),
    /// The jobs that a job needs, directly or not, and whether the run is cancelled.
    Needs {
        results: Vec<(String, Conclusion)>,
        cancelled: bool,
    },
}

impl<'h> Contexts<'h> {
    pub fn new(status: StatusOf) -> Contexts<'h> {
        Contexts {
            values: Vec::new(),
            status,
            hashes: None,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Contexts<'h> {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// `hashFiles` answers from these; an unknown one is [`EvaluationError::NeedsHash`].
    pub fn hashing(mut self, hashes: &'h Hashes) -> Contexts<'h> {
        self.hashes = Some(hashes);
        self
    }

    pub fn tree(&self, tree: &Expression) -> Result<Value, EvaluationError> {
        evaluate(tree, self)
    }

    /// The value of a token, all expressions within resolved.
    pub fn value(&self, token: &Token) -> Result<Value, EvaluationError> {
        Ok(match &token.kind {
            Kind::Null | Kind::Insert => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Number(n) => Value::Number(*n),
            Kind::String(text) => Value::String(text.clone()),
            Kind::Expression(template) => self.tree(&template.tree)?,
            Kind::Sequence(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.value(item)).collect();
                Value::array(items?)
            }
            Kind::Mapping(entries) => self.object(entries)?.into(),
        })
    }

    fn object(&self, entries: &[(Token, Token)]) -> Result<Object, EvaluationError> {
        let mut object = Object::new();
        for (key, value) in entries {
            let value = self.value(value)?;
            match (&key.kind, value) {
                (Kind::Insert, Value::Object(inner)) => {
                    inner
                        .iter()
                        .for_each(|(key, value)| object.set(key, value.clone()));
                }
                (Kind::Insert, _) => {}
                (_, value) => object.set(&*self.value(key)?.to_text(), value),
            }
        }
        Ok(object)
    }

    /// The text of a token.
    pub fn text(&self, token: &Token) -> Result<String, EvaluationError> {
        Ok(self.value(token)?.to_text().to_string())
    }

    /// Names and texts of a mapping, or of an expression that gives one.
    pub fn texts(&self, token: &Token) -> Result<Vec<(String, String)>, EvaluationError> {
        let Value::Object(object) = self.value(token)? else {
            return Ok(Vec::new());
        };
        let texts = object
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_text().to_string()));
        Ok(texts.collect())
    }

    /// A boolean; text counts by its words, as `continue-on-error: ${{ 'false' }}` means it.
    pub fn flag(&self, token: Option<&Token>, default: bool) -> Result<bool, EvaluationError> {
        let Some(token) = token else { return Ok(default) };
        Ok(match self.value(token)? {
            Value::Null => default,
            Value::String(text) => text.eq_ignore_ascii_case("true"),
            value => value.is_true(),
        })
    }

    /// A number that counts something: minutes, jobs. None where there is none, or it is none.
    pub fn number(&self, token: Option<&Token>) -> Result<Option<f64>, EvaluationError> {
        let Some(token) = token else { return Ok(None) };
        let number = self.value(token)?;
        let number = if number.is_null() {
            f64::NAN
        } else {
            number.to_number()
        };
        Ok((number > 0.0).then_some(number))
    }
}

impl Host for Contexts<'_> {
    fn context(&self, name: &str) -> Value {
        let found = self
            .values
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn status(&self, status: Status, jobs: &[String]) -> bool {
        match &self.status {
            StatusOf::Job(conclusion) => match status {
                Status::Always => true,
                Status::Success => *conclusion == Conclusion::Success,
                Status::Failure => *conclusion == Conclusion::Failure,
                Status::Cancelled => *conclusion == Conclusion::Cancelled,
            },
            StatusOf::Needs { results, cancelled } => {
                let asked =
                    |name: &str| jobs.is_empty() || jobs.iter().any(|job| job.eq_ignore_ascii_case(name));
                let mut results = results.iter().filter(|(name, _)| asked(name));
                match status {
                    Status::Always => true,
                    Status::Cancelled => *cancelled,
                    Status::Failure => !cancelled && results.any(|(_, c)| *c == Conclusion::Failure),
                    Status::Success => !cancelled && results.all(|(_, c)| *c == Conclusion::Success),
                }
            }
        }
    }

    fn hash_files(&self, patterns: &[String]) -> Option<String> {
        self.hashes?.get(patterns).cloned()
    }
}
