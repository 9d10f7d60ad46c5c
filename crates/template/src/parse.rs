//! From a template's text to trees.

mod number;
mod parser;
mod tree;

pub use number::{Number, parse_float, parse_int, parse_uint};
pub use parser::{FindFunction, ParseError, ParseOptions, parse};
pub use tree::{Branch, Command, Expr, Fields, Invocation, Names, Node, Nodes, Pipe, Tree, Variable};
