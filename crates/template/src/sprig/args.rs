//! How bodies take their arguments and give results. The executor has checked the types, so a wrong one reads as Go's
//! zero value here rather than as a failure.

use crate::func::{FuncError, FuncResult};
use crate::sprig::limits::MAX_TEXT_BYTES;
use crate::value::{List, Map, Value};

/// What Go's runtime says when a function looks into a nil interface.
pub(super) const NIL_DEREFERENCE: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The error with this text.
pub(super) fn fail<T>(message: impl Into<String>) -> Result<T, FuncError> {
    Err(FuncError::new(message))
}

/// The string at a position.
pub(super) fn text(args: &[Value], position: usize) -> &[u8] {
    match args.get(position) {
        Some(Value::Str(s)) => s.as_bytes(),
        _ => b"",
    }
}

/// The `int` or `int64` at a position.
pub(super) fn int(args: &[Value], position: usize) -> i64 {
    match args.get(position) {
        Some(Value::Int(n, _)) => *n,
        Some(Value::Uint(n, _)) => n.cast_signed(),
        _ => 0,
    }
}

/// Anything at a position.
pub(super) fn any(args: &[Value], position: usize) -> &Value {
    args.get(position).unwrap_or(&Value::Nil)
}

/// The map at a position; `None` is a nil map.
pub(super) fn map(args: &[Value], position: usize) -> Option<&Map> {
    as_map(any(args, position))
}

/// The value as a map; `None` is a nil map.
pub(super) fn as_map(value: &Value) -> Option<&Map> {
    match value {
        Value::Map(map) if !map.is_nil() => Some(map),
        _ => None,
    }
}

/// The list at a position; `None` is a nil slice.
pub(super) fn list(args: &[Value], position: usize) -> Option<&List> {
    match args.get(position) {
        Some(Value::List(list)) if !list.is_nil() => Some(list),
        _ => None,
    }
}

/// The arguments from a position on: those of the variadic parameter.
pub(super) fn rest(args: &[Value], from: usize) -> &[Value] {
    args.get(from..).unwrap_or(&[])
}

/// A string result.
pub(super) fn string(bytes: impl Into<crate::value::Str>) -> FuncResult {
    Ok(Value::Str(bytes.into()))
}

/// Refuses to make a string of more than [`MAX_TEXT_BYTES`].
pub(super) fn check_text_size(bytes: usize) -> Result<(), FuncError> {
    if bytes > MAX_TEXT_BYTES {
        return fail(format!("the result would be longer than {MAX_TEXT_BYTES} bytes"));
    }
    Ok(())
}
