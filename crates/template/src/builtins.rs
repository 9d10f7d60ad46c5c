//! The functions that every template has.

mod collection;
mod compare;

use crate::escape;
use crate::exec::Slot;
use crate::fmt;
use crate::func::{FuncError, Param, Signature};
use crate::value::Value;

/// A built-in function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    And,
    Or,
    Not,
    Call,
    Html,
    Js,
    UrlQuery,
    Index,
    Slice,
    Len,
    Print,
    Printf,
    Println,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Builtin {
    /// Whether it makes text of its arguments with all that is in them.
    pub fn prints(self) -> bool {
        matches!(
            self,
            Builtin::Html
                | Builtin::Js
                | Builtin::UrlQuery
                | Builtin::Print
                | Builtin::Printf
                | Builtin::Println
        )
    }
}

/// Every built-in function with its name and parameters.
pub(crate) fn all() -> &'static [(&'static str, Signature, Builtin)] {
    &TABLE
}

const fn takes(params: &'static [Param], variadic: Option<Param>) -> Signature {
    Signature { params, variadic }
}

const SOME: Signature = takes(&[Param::Reflect], Some(Param::Reflect));
const ANY: Signature = takes(&[], Some(Param::Any));
const ONE: Signature = takes(&[Param::Reflect], None);
const TWO: Signature = takes(&[Param::Reflect, Param::Reflect], None);

static TABLE: [(&str, Signature, Builtin); 19] = [
    ("and", SOME, Builtin::And),
    ("or", SOME, Builtin::Or),
    ("not", ONE, Builtin::Not),
    ("call", SOME, Builtin::Call),
    ("html", ANY, Builtin::Html),
    ("js", ANY, Builtin::Js),
    ("urlquery", ANY, Builtin::UrlQuery),
    ("index", SOME, Builtin::Index),
    ("slice", SOME, Builtin::Slice),
    ("len", ONE, Builtin::Len),
    ("print", ANY, Builtin::Print),
    (
        "printf",
        takes(&[Param::String], Some(Param::Any)),
        Builtin::Printf,
    ),
    ("println", ANY, Builtin::Println),
    ("eq", SOME, Builtin::Eq),
    ("ne", TWO, Builtin::Ne),
    ("lt", TWO, Builtin::Lt),
    ("le", TWO, Builtin::Le),
    ("gt", TWO, Builtin::Gt),
    ("ge", TWO, Builtin::Ge),
];

impl Builtin {
    /// Runs the function on arguments that are counted and of their types. `callee` is the text of the first one.
    pub fn run(self, args: &[Slot], callee: &str) -> Result<Slot, FuncError> {
        let value = match self {
            Builtin::Index => return collection::index(args),
            Builtin::Slice => collection::slice(args)?,
            Builtin::Len => collection::len(&args[0])?,
            Builtin::Call => return Err(not_callable(&args[0], callee)),
            Builtin::Not => Value::Bool(!args[0].value.truth()),
            Builtin::Html => Value::str(escape::html(&text(args))),
            Builtin::Js => Value::str(escape::js(&text(args))),
            Builtin::UrlQuery => Value::str(escape::url_query(&text(args))),
            Builtin::Print => Value::str(fmt::sprint(&values(args))),
            Builtin::Println => Value::str(fmt::sprintln(&values(args))),
            Builtin::Printf => match &args[0].value {
                Value::Str(format) => Value::str(fmt::sprintf(format.as_bytes(), &values(&args[1..]))),
                _ => Value::Nil,
            },
            Builtin::Eq => Value::Bool(compare::eq(&args[0].value, &args[1..])?),
            Builtin::Ne => Value::Bool(!compare::eq(&args[0].value, &args[1..])?),
            Builtin::Lt => Value::Bool(compare::lt(args)?),
            Builtin::Le => Value::Bool(compare::le(args)?),
            Builtin::Gt => Value::Bool(!compare::le(args)?),
            Builtin::Ge => Value::Bool(!compare::lt(args)?),
            // The executor evaluates these itself, as their arguments are evaluated one by one.
            Builtin::And | Builtin::Or => Value::Nil,
        };
        Ok(Slot::plain(value))
    }
}

fn values(args: &[Slot]) -> Vec<Value> {
    args.iter().map(|slot| slot.value.clone()).collect()
}

/// The arguments as text, the way an action prints them.
fn text(args: &[Slot]) -> Vec<u8> {
    if let [
        Slot {
            value: Value::Str(s), ..
        },
    ] = args
    {
        return s.as_bytes().to_vec();
    }
    let printable = |slot: &Slot| match &slot.value {
        Value::Nil => Value::str("<no value>"),
        value => value.clone(),
    };
    fmt::sprint(&args.iter().map(printable).collect::<Vec<_>>())
}

/// There are no functions among our values, so `call` fails, with Go's words.
fn not_callable(callee: &Slot, name: &str) -> FuncError {
    match &callee.value {
        Value::Nil => FuncError::new("call of nil"),
        value => FuncError::new(format!("non-function {name} of type {}", value.type_name())),
    }
}
