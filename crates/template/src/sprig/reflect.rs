//! Types and kinds, as Go's reflection names them.

use crate::func::{FuncResult, Host};
use crate::sprig::args::{any, text};
use crate::value::Value;

/// The name of the value's `reflect.Kind`.
pub(super) fn kind(value: &Value) -> &'static str {
    value.kind()
}

/// What `%T` prints.
fn type_of(value: &Value) -> String {
    value.type_name().to_string()
}

pub(super) fn type_name(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::str(type_of(any(args, 0))))
}

pub(super) fn type_is(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(type_of(any(args, 1)).as_bytes() == text(args, 0)))
}

/// Like `typeIs`, and a pointer to the type will do.
pub(super) fn type_is_like(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let actual = type_of(any(args, 1));
    let wanted = text(args, 0);
    let pointer = actual.strip_prefix('*').map(str::as_bytes);
    // Sprig compares the name it is given with a star in front, too.
    Ok(Value::Bool(
        actual.as_bytes() == wanted || pointer == Some(wanted),
    ))
}

pub(super) fn kind_of(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::str(kind(any(args, 0))))
}

pub(super) fn kind_is(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(kind(any(args, 1)).as_bytes() == text(args, 0)))
}

pub(super) fn deep_equal(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(any(args, 0).deep_equal(any(args, 1))))
}
