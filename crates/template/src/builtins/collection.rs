//! `index`, `slice` and `len`.

use std::rc::Rc;

use crate::exec::Slot;
use crate::func::FuncError;
use crate::value::{List, UintType, Value, underlying};

/// `index x 1 2` is `x[1][2]`.
pub(super) fn index(args: &[Slot]) -> Result<Slot, FuncError> {
    let mut item = args[0].clone();
    if let Value::Nil = item.value {
        return Err(FuncError::new("index of untyped nil"));
    }
    for key in &args[1..] {
        item = element(&item.value, &key.value)?;
    }
    Ok(item)
}

fn element(item: &Value, key: &Value) -> Result<Slot, FuncError> {
    match item {
        Value::Nil => Err(FuncError::new("index of nil pointer")),
        Value::Str(s) => byte(s.as_bytes(), key),
        Value::Bytes(bytes) => byte(bytes, key),
        Value::List(list) => {
            let items = list.items();
            let at = position(key, items.len())?;
            match items.get(at) {
                Some(item) => Ok(Slot::element(item.clone(), list.elem())),
                None => Err(FuncError::new("reflect: slice index out of range")),
            }
        }
        Value::Map(map) => match key {
            Value::Str(name) => {
                let value = map.entries().get(name).cloned();
                let value = value.unwrap_or_else(|| map.elem().zero());
                Ok(Slot::element(value, map.elem()))
            }
            Value::Nil => Err(FuncError::new("value is nil; should be of type string")),
            other => Err(FuncError::new(format!(
                "value has type {}; should be string",
                other.type_name()
            ))),
        },
        Value::Object(object) => match underlying(object) {
            Some(inner) => element(&inner, key),
            None => cannot("index", item),
        },
        other => cannot("index", other),
    }
}

fn cannot<T>(what: &str, item: &Value) -> Result<T, FuncError> {
    Err(FuncError::new(format!(
        "can't {what} item of type {}",
        item.type_name()
    )))
}

fn byte(bytes: &[u8], key: &Value) -> Result<Slot, FuncError> {
    let at = position(key, bytes.len())?;
    match bytes.get(at) {
        Some(byte) => Ok(Slot::plain(Value::Uint(u64::from(*byte), UintType::Uint8))),
        None => Err(FuncError::new("reflect: string index out of range")),
    }
}

/// An index of something of that length; the length itself passes, as it does where something is sliced.
fn position(key: &Value, length: usize) -> Result<usize, FuncError> {
    let number = match key {
        Value::Int(n, _) => *n,
        // Wraps around for huge numbers, which are out of range whichever way.
        Value::Uint(n, _) => *n as i64,
        Value::Nil => return Err(FuncError::new("cannot index slice/array with nil")),
        other => {
            return Err(FuncError::new(format!(
                "cannot index slice/array with type {}",
                other.type_name()
            )));
        }
    };
    match usize::try_from(number) {
        Ok(at) if at <= length => Ok(at),
        _ => Err(FuncError::new(format!("index out of range: {number}"))),
    }
}

/// `slice x 1 2` is `x[1:2]`.
pub(super) fn slice(args: &[Slot]) -> Result<Value, FuncError> {
    let (item, indexes) = (&args[0].value, &args[1..]);
    if let Value::Nil = item {
        return Err(FuncError::new("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(FuncError::new(format!(
            "too many slice indexes: {}",
            indexes.len()
        )));
    }
    match item {
        Value::Str(_) if indexes.len() == 3 => Err(FuncError::new("cannot 3-index slice a string")),
        Value::Str(s) => {
            let (start, end) = bounds(indexes, s.as_bytes().len())?;
            Ok(Value::str(&s.as_bytes()[start..end]))
        }
        Value::Bytes(bytes) => {
            let (start, end) = bounds(indexes, bytes.len())?;
            Ok(Value::Bytes(Rc::from(&bytes[start..end])))
        }
        Value::List(list) => {
            let items = list.items();
            let (start, end) = bounds(indexes, items.len())?;
            Ok(Value::List(List::typed(list.elem(), items[start..end].to_vec())))
        }
        Value::Object(object) => match underlying(object) {
            Some(inner) => {
                let mut args = args.to_vec();
                args[0] = Slot::plain(inner);
                slice(&args)
            }
            None => cannot("slice", item),
        },
        other => cannot("slice", other),
    }
}

/// Start and end of a slice of something of that length (and capacity; the third index only checks).
fn bounds(indexes: &[Slot], length: usize) -> Result<(usize, usize), FuncError> {
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        // Go's `slice` does not look into an interface here, as `index` does.
        if index.boxed {
            return Err(FuncError::new("cannot index slice/array with type interface {}"));
        }
        *bound = position(&index.value, length)?;
    }
    let ordered = |a: usize, b: usize| {
        if a <= b {
            return Ok(());
        }
        Err(FuncError::new(format!("invalid slice index: {a} > {b}")))
    };
    ordered(bounds[0], bounds[1])?;
    ordered(bounds[1], bounds[2])?;
    Ok((bounds[0], bounds[1]))
}

pub(super) fn len(item: &Slot) -> Result<Value, FuncError> {
    if item.is_nil_interface() {
        return Err(FuncError::new("len of nil pointer"));
    }
    match item.value.len() {
        Some(length) => Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX))),
        // The text of the panic in Go's reflection.
        None if item.is_none() => Err(FuncError::new(
            "reflect: call of reflect.Value.Type on zero Value",
        )),
        None => Err(FuncError::new(format!("len of type {}", item.value.type_name()))),
    }
}
