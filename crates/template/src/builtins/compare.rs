//! `eq`, `lt` and their kin: basic types only, no conversion but between integers.

use std::rc::Rc;

use crate::exec::Slot;
use crate::fmt;
use crate::func::FuncError;
use crate::value::{Value, underlying};

/// Whether the first equals any of the others.
pub(super) fn eq(first: &Value, others: &[Slot]) -> Result<bool, FuncError> {
    if others.is_empty() {
        return Err(FuncError::new("missing argument for comparison"));
    }
    for other in others {
        if equal(first, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, FuncError> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Complex(a, ai), Value::Complex(b, bi)) => a == b && ai == bi,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Int(a, _), Value::Uint(b, _)) | (Value::Uint(b, _), Value::Int(a, _)) => {
            u64::try_from(*a).is_ok_and(|a| a == *b)
        }
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, other) | (other, Value::Nil) => is_nil(other),
        _ if is_basic(a) || is_basic(b) => return incompatible(a, b),
        _ => return references(a, b),
    })
}

fn incompatible<T>(a: &Value, b: &Value) -> Result<T, FuncError> {
    Err(FuncError::new(format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    )))
}

fn is_basic(value: &Value) -> bool {
    match value {
        Value::Bool(_)
        | Value::Int(..)
        | Value::Uint(..)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Str(_) => true,
        Value::Nil | Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => false,
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        Value::Object(object) => underlying(object).is_some_and(|value| is_nil(&value)),
        _ => false,
    }
}

/// Lists, maps and objects: only pointers compare.
fn references(a: &Value, b: &Value) -> Result<bool, FuncError> {
    let shown = |value: &Value| {
        let text = fmt::sprintf(b"%s", std::slice::from_ref(value));
        String::from_utf8_lossy(&text).into_owned()
    };
    if a.kind() != b.kind() {
        return Err(FuncError::new(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(a),
            a.type_name(),
            b.type_name(),
            fmt_v(b)
        )));
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if underlying(b).is_none() => Ok(Rc::ptr_eq(a, b)),
        _ => Err(FuncError::new(format!(
            "non-comparable type {}: {}",
            shown(b),
            b.type_name()
        ))),
    }
}

fn fmt_v(value: &Value) -> String {
    String::from_utf8_lossy(&fmt::sprint(std::slice::from_ref(value))).into_owned()
}

pub(super) fn lt(args: &[Slot]) -> Result<bool, FuncError> {
    let (a, b) = (&args[0].value, &args[1].value);
    let bad = || FuncError::new("invalid type for comparison");
    if !is_basic(a) || !is_basic(b) {
        return Err(bad());
    }
    Ok(match (a, b) {
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Int(a, _), Value::Int(b, _)) => a < b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a < b,
        (Value::Int(a, _), Value::Uint(b, _)) => u64::try_from(*a).map_or(true, |a| a < *b),
        (Value::Uint(a, _), Value::Int(b, _)) => u64::try_from(*b).is_ok_and(|b| *a < b),
        (Value::Str(a), Value::Str(b)) => a < b,
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(..), Value::Complex(..)) => return Err(bad()),
        _ => return incompatible(a, b),
    })
}

pub(super) fn le(args: &[Slot]) -> Result<bool, FuncError> {
    Ok(lt(args)? || equal(&args[0].value, &args[1].value)?)
}
