//! Emptiness and what to take instead.

use crate::func::{FuncResult, Host};
use crate::sprig::args::any;
use crate::value::Value;

/// Whether the value is nil, zero, false, or has no items. Structs never are, nor are pointers that are not nil.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Bool(b) => !b,
        Value::Int(n, _) => *n == 0,
        Value::Uint(n, _) => *n == 0,
        Value::Float(f) => *f == 0.0,
        Value::Complex(re, im) => *re == 0.0 && *im == 0.0,
        Value::Str(s) => s.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.items().is_empty(),
        Value::Map(map) => map.entries().is_empty(),
        Value::Object(object) => !object.truth(),
    }
}

pub(super) fn default(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let given = any(args, 1);
    Ok(if is_empty(given) {
        any(args, 0).clone()
    } else {
        given.clone()
    })
}

pub(super) fn empty(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(is_empty(any(args, 0))))
}

pub(super) fn coalesce(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let first = args.iter().find(|v| !is_empty(v));
    Ok(first.cloned().unwrap_or(Value::Nil))
}

pub(super) fn all(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(!args.iter().any(is_empty)))
}

pub(super) fn any_of(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(!args.iter().all(is_empty)))
}

/// `ternary YES NO CONDITION`
pub(super) fn ternary(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let yes = matches!(args.get(2), Some(Value::Bool(true)));
    Ok(any(args, if yes { 0 } else { 1 }).clone())
}
