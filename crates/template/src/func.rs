//! How a function is declared: its name, its Go parameter types, and its body.
//!
//! The executor checks and converts arguments against the declared types before the body runs, with Go's error texts,
//! so a body can take its arguments as it declared them.

use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use crate::budget::{Budget, steps_of, walks};
use crate::builtins::Builtin;
use crate::exec::{Ctx, ExecError};
use crate::value::Value;

/// What a template may ask of the world outside. Engines have no clock, no randomness and no environment of their own.
pub trait Host {
    /// Now, in nanoseconds since 1970-01-01 UTC.
    fn now_unix_nanos(&self) -> i128;
    /// The IANA name of the local time zone, for example `Asia/Shanghai`.
    fn time_zone(&self) -> &str;
    /// Fills the buffer with random bytes, good enough for keys.
    fn fill_random(&mut self, buffer: &mut [u8]);
    /// An environment variable (sprig's `env`; Helm removes that function).
    fn env(&self, name: &str) -> Option<String>;
}

/// The Go type of one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Param {
    /// `interface {}`: anything, nil too.
    Any,
    /// `reflect.Value`: anything; only built-in functions of text/template have it.
    Reflect,
    String,
    Bool,
    Int,
    Int64,
    Uint32,
    Float64,
    /// `[]byte`
    Bytes,
    /// `[]string`
    Strings,
    /// `[]interface {}`
    List,
    /// `map[string]interface {}`
    Map,
    /// `map[string]string`
    StringMap,
    /// A type that only [`crate::value::Object`] implements, by the name that `%T` prints.
    Object(&'static str),
}

/// The parameters of a function or method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The fixed parameters, in order.
    pub params: &'static [Param],
    /// The type of further arguments, if it takes them (`...T`).
    pub variadic: Option<Param>,
}

impl Param {
    /// The type as Go's error messages name it.
    pub fn type_name(self) -> &'static str {
        match self {
            Param::Any => "interface {}",
            Param::Reflect => "reflect.Value",
            Param::String => "string",
            Param::Bool => "bool",
            Param::Int => "int",
            Param::Int64 => "int64",
            Param::Uint32 => "uint32",
            Param::Float64 => "float64",
            Param::Bytes => "[]uint8",
            Param::Strings => "[]string",
            Param::List => "[]interface {}",
            Param::Map => "map[string]interface {}",
            Param::StringMap => "map[string]string",
            Param::Object(name) => name,
        }
    }
}

/// The error that a body returns. The executor wraps it: `error calling NAME: MESSAGE`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct FuncError {
    /// The text that Go's function returns as its error.
    pub message: String,
}

impl FuncError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> FuncError {
        FuncError {
            message: message.into(),
        }
    }
}

impl From<ExecError> for FuncError {
    fn from(error: ExecError) -> FuncError {
        FuncError::new(error.to_string())
    }
}

/// The result of a body.
pub type FuncResult = Result<Value, FuncError>;

/// A function whose body needs nothing but its arguments and the host.
#[derive(Clone, Copy)]
pub struct FuncDef {
    /// The name in templates.
    pub name: &'static str,
    /// The fixed parameters, in order.
    pub params: &'static [Param],
    /// The type of further arguments, if the function takes them (`...T`).
    pub variadic: Option<Param>,
    /// The body. It gets at least `params.len()` arguments, each of its declared type.
    pub body: fn(&mut dyn Host, &[Value]) -> FuncResult,
}

/// The body of a function that renders templates itself, such as Helm's `include`: it can run templates through the
/// context that it gets.
pub type DynamicBody = dyn for<'a, 'b> Fn(&'a mut Ctx<'b>, &[Value]) -> FuncResult;

/// The functions that templates may call: the built-in ones of text/template, and what is added.
///
/// A table is for one render: all runs with it together take at most [`RENDER_STEPS`](crate::limits::RENDER_STEPS) and
/// [`RENDER_BYTES`](crate::limits::RENDER_BYTES).
#[derive(Clone)]
pub struct Funcs {
    /// Functions by the order in which they came. A parser notes that number, so a call needs no look-up by name.
    entries: Vec<Function>,
    slots: HashMap<&'static str, usize>,
    /// What the runs with this table may still use.
    pub(crate) budget: Budget,
}

#[derive(Clone)]
pub(crate) struct Function {
    pub name: &'static str,
    pub signature: Signature,
    pub body: Body,
    /// What a call takes of the budget.
    pub steps: u64,
    /// Whether it follows its arguments down to the last value.
    pub walks: bool,
}

#[derive(Clone)]
pub(crate) enum Body {
    Builtin(Builtin),
    Plain(fn(&mut dyn Host, &[Value]) -> FuncResult),
    Dynamic(Rc<DynamicBody>),
    Removed,
}

impl Default for Funcs {
    fn default() -> Funcs {
        Funcs::new()
    }
}

impl Funcs {
    /// The built-in functions.
    pub fn new() -> Funcs {
        let mut funcs = Funcs {
            entries: Vec::new(),
            slots: HashMap::new(),
            budget: Budget::default(),
        };
        for (name, signature, builtin) in crate::builtins::all() {
            funcs.insert(Function {
                name,
                signature: *signature,
                body: Body::Builtin(*builtin),
                steps: 1,
                walks: false,
            });
        }
        funcs
    }

    /// Adds a function, in the place of one of the same name.
    pub fn add(&mut self, def: &FuncDef) {
        self.insert(Function {
            name: def.name,
            signature: Signature {
                params: def.params,
                variadic: def.variadic,
            },
            body: Body::Plain(def.body),
            steps: steps_of(def.name),
            walks: walks(def.name),
        });
    }

    /// Adds functions, each in the place of one of the same name.
    pub fn extend<'a>(&mut self, defs: impl IntoIterator<Item = &'a FuncDef>) {
        defs.into_iter().for_each(|def| self.add(def));
    }

    /// Adds a function that can run templates.
    pub fn add_dynamic(
        &mut self,
        name: &'static str,
        signature: Signature,
        body: impl for<'a, 'b> Fn(&'a mut Ctx<'b>, &[Value]) -> FuncResult + 'static,
    ) {
        self.insert(Function {
            name,
            signature,
            body: Body::Dynamic(Rc::new(body)),
            steps: 1,
            walks: false,
        });
    }

    /// Takes a function away; templates that name it do not parse any more.
    pub fn remove(&mut self, name: &str) {
        if let Some(slot) = self.slots.remove(name) {
            self.entries[slot].body = Body::Removed;
        }
    }

    /// Whether there is a function of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    /// The names of all functions, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.slots.keys().copied()
    }

    /// The slot of a function, and its name.
    pub(crate) fn declared(&self, name: &str) -> Option<(usize, &'static str)> {
        self.slots.get_key_value(name).map(|(name, slot)| (*slot, *name))
    }

    /// The function of a name, which a parser saw in that slot, perhaps of another table.
    #[inline]
    pub(crate) fn get(&self, name: &str, slot: usize) -> Option<&Function> {
        match self.entries.get(slot) {
            // A parser takes names from here, so that the same text is mostly the same place, too.
            Some(function)
                if (std::ptr::eq(function.name, name) || function.name == name)
                    && !matches!(function.body, Body::Removed) =>
            {
                Some(function)
            }
            _ => self.entries.get(self.declared(name)?.0),
        }
    }

    fn insert(&mut self, function: Function) {
        match self.slots.get(function.name) {
            Some(&slot) => self.entries[slot] = function,
            None => {
                self.slots.insert(function.name, self.entries.len());
                self.entries.push(function);
            }
        }
    }
}
