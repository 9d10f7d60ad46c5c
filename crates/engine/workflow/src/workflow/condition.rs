//! `if`: an expression with or without `${{ }}`, which means `success() && (...)` unless it asks for a status itself.

use crate::expression::{Expression, Function, Status, Value, parse};
use crate::reader::{Kind, Problems, Token, contexts_of, with_scope};

/// A condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As it is evaluated.
    pub text: String,
    /// Parsed.
    pub tree: Expression,
}

impl Condition {
    /// `success()`
    pub fn success() -> Condition {
        Condition {
            text: "success()".to_owned(),
            tree: Expression::Call(Function::Status(Status::Success), Vec::new()),
        }
    }

    /// Reads the value of `if`; `of` is its definition in the schema. None where it does not parse, which is told.
    pub(crate) fn read(token: &Token, of: &str, problems: &mut Problems) -> Option<Condition> {
        let text = match &token.kind {
            Kind::Expression(template) => template.text.clone(),
            Kind::Null => String::new(),
            _ => token.shown().trim().to_owned(),
        };
        let parsed = with_scope(contexts_of(of), |scope| parse(&text, scope));
        match parsed {
            Ok(None) => Some(Condition::success()),
            Ok(Some(tree)) if tree.asks_status() => Some(Condition { text, tree }),
            Ok(Some(tree)) => Some(Condition {
                text: format!("success() && ({text})"),
                tree: Expression::And(vec![Condition::success().tree, tree]),
            }),
            Err(error) => {
                problems.at(token.place, error.message);
                None
            }
        }
    }

    /// Whether it is true whatever happens.
    pub fn is_always(&self) -> bool {
        match &self.tree {
            Expression::Call(Function::Status(Status::Always), _) => true,
            Expression::Literal(value) => !matches!(value, Value::Null) && value.is_true(),
            _ => false,
        }
    }
}
