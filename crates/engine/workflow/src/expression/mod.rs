//! Expressions: `${{ github.ref == 'refs/heads/main' && success() }}`, with GitHub's typing.
//!
//! [`parse`] makes a tree, given which contexts and functions may be named where the text stands; [`evaluate`] walks it
//! with a [`Host`] that knows the contexts.

mod evaluate;
mod functions;
mod json;
mod lexer;
mod number;
mod parser;
mod value;

pub use evaluate::{EvaluationError, Host, evaluate};
pub use json::{JsonError, from_json, to_json};
pub use number::{parse_number, print_number};
pub use parser::{Expression, Function, ParseError, Scope, Status, parse};
pub use value::{Object, Value};
