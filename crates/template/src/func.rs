//! How a function is declared: its name, its Go parameter types, and its body.
//!
//! The executor checks and converts arguments against the declared types before the body runs, with Go's error texts,
//! so a body can take its arguments as it declared them.

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
