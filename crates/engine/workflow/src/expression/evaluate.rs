//! Trees to values.

use super::functions;
use super::parser::{Comparison, Expression, Function, Status};
use super::value::Value;
use crate::limits::MAX_EVALUATION_BYTES;
use std::cmp::Ordering;

/// Knows the contexts, how what went before ended, and the files.
pub trait Host {
    /// A context; null where it is not there.
    fn context(&self, name: &str) -> Value;

    /// The answer to `always()` and its kin. `jobs` are the arguments.
    fn status(&self, status: Status, jobs: &[String]) -> bool;

    /// The hash of the files that match; none where it is not known yet.
    fn hash_files(&self, patterns: &[String]) -> Option<String>;
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A function cannot do what it is asked.
    #[error("{0}")]
    Function(String),
    /// Values became too large.
    #[error("The maximum allowed memory size was exceeded")]
    Memory,
    /// The hash of these files has to be known first.
    #[error("the files {0:?} have to be hashed first")]
    NeedsHash(Vec<String>),
}

/// The value of a tree.
pub fn evaluate(tree: &Expression, host: &dyn Host) -> Result<Value, EvaluationError> {
    let mut evaluation = Evaluation { host, bytes: 0 };
    Ok(evaluation.value(tree)?.0)
}

pub(super) struct Evaluation<'h> {
    pub(super) host: &'h dyn Host,
    bytes: usize,
}

/// A value, and whether it is an array that `*` made: an index is then taken of each item.
type Evaluated = Result<(Value, bool), EvaluationError>;

impl Evaluation<'_> {
    fn value(&mut self, tree: &Expression) -> Evaluated {
        let value = match tree {
            Expression::Literal(value) => value.clone(),
            Expression::Context(name) => self.host.context(name),
            Expression::Index(object, by) => return self.index(object, by),
            Expression::Star(object) => return self.star(object),
            Expression::Not(inner) => Value::Bool(!self.value(inner)?.0.is_true()),
            Expression::Compare(comparison, a, b) => {
                let (a, b) = (self.value(a)?.0, self.value(b)?.0);
                Value::Bool(compare(*comparison, &a, &b))
            }
            Expression::And(parts) => return self.first(parts, false),
            Expression::Or(parts) => return self.first(parts, true),
            Expression::Call(Function::Case, arguments) => return self.case(arguments),
            Expression::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument)?.0);
                }
                functions::call(self, *function, &values)?
            }
        };
        Ok((value, false))
    }

    /// The first value whose truth is `stop`, else the last one.
    fn first(&mut self, parts: &[Expression], stop: bool) -> Evaluated {
        let mut last = (Value::Null, false);
        for part in parts {
            last = self.value(part)?;
            if last.0.is_true() == stop {
                break;
            }
        }
        Ok(last)
    }

    fn case(&mut self, arguments: &[Expression]) -> Evaluated {
        for pair in arguments.chunks(2) {
            let [condition, value] = pair else {
                return self.value(&pair[0]);
            };
            match self.value(condition)?.0 {
                Value::Bool(true) => return self.value(value),
                Value::Bool(false) => {}
                _ => {
                    let message =
                        "Conditions of 'case' must be boolean: compare, or call a function that tells";
                    return Err(EvaluationError::Function(message.to_owned()));
                }
            }
        }
        Ok((Value::Null, false))
    }

    fn index(&mut self, object: &Expression, by: &Expression) -> Evaluated {
        let (object, filtered) = self.value(object)?;
        let by = self.value(by)?.0;
        if let (true, Value::Array(items)) = (filtered, &object) {
            let found: Vec<Value> = items.iter().filter_map(|item| item_of(item, &by)).collect();
            self.account(found.len() * 16)?;
            return Ok((Value::array(found), true));
        }
        Ok((item_of(&object, &by).unwrap_or_default(), false))
    }

    fn star(&mut self, object: &Expression) -> Evaluated {
        let (object, filtered) = self.value(object)?;
        let found: Vec<Value> = match (&object, filtered) {
            (Value::Array(items), true) => items.iter().flat_map(children).collect(),
            (other, _) => children(other),
        };
        self.account(found.len() * 16)?;
        Ok((Value::array(found), true))
    }

    /// Counts what a value takes.
    pub(super) fn account(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > MAX_EVALUATION_BYTES {
            true => Err(EvaluationError::Memory),
            false => Ok(()),
        }
    }
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.to_vec(),
        Value::Object(object) => object.iter().map(|(_, value)| value.clone()).collect(),
        _ => Vec::new(),
    }
}

fn item_of(value: &Value, by: &Value) -> Option<Value> {
    if !by.is_primitive() {
        return None;
    }
    match value {
        Value::Object(object) => object.get(&by.to_text()).cloned(),
        Value::Array(items) => {
            let number = by.to_number().floor();
            // A double that is not below the length of a list is no index of it, whatever it rounds to.
            (number >= 0.0 && number < items.len() as f64).then(|| items[number as usize].clone())
        }
        _ => None,
    }
}

fn compare(comparison: Comparison, a: &Value, b: &Value) -> bool {
    match comparison {
        Comparison::Equal => a.equals(b),
        Comparison::NotEqual => !a.equals(b),
        Comparison::Greater => a.order(b) == Some(Ordering::Greater),
        Comparison::GreaterEqual => a.equals(b) || a.order(b) == Some(Ordering::Greater),
        Comparison::Less => a.order(b) == Some(Ordering::Less),
        Comparison::LessEqual => a.equals(b) || a.order(b) == Some(Ordering::Less),
    }
}
