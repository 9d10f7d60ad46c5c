//! Lists. A function and its `must` twin are one body: where Go's plain one panics, `text/template` reports the panic
//! as the error that the twin returns.

use std::cell::Ref;
use std::ops::Deref;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{NIL_DEREFERENCE, any, fail, int, rest};
use crate::sprig::cast::to_int64;
use crate::sprig::defaults::is_empty;
use crate::sprig::reflect::kind;
use crate::value::{ElemType, List, UintType, Value};

/// The items of whatever Go calls a slice.
pub(super) enum Sequence<'a> {
    Shared(Ref<'a, Vec<Value>>),
    Own(Vec<Value>),
}

impl Deref for Sequence<'_> {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        match self {
            Sequence::Shared(items) => items,
            Sequence::Own(items) => items,
        }
    }
}

/// The items of a slice, `None` for any other kind.
pub(super) fn sequence(value: &Value) -> Option<Sequence<'_>> {
    match value {
        Value::List(list) => Some(Sequence::Shared(list.items())),
        Value::Bytes(bytes) => {
            let byte = |&b: &u8| Value::Uint(u64::from(b), UintType::Uint8);
            Some(Sequence::Own(bytes.iter().map(byte).collect()))
        }
        Value::Object(object) => object.items().map(|list| Sequence::Own(list.items().clone())),
        _ => None,
    }
}

/// The items of a slice, or sprig's error for anything else.
fn items_or<'a>(value: &'a Value, error: &str) -> Result<Sequence<'a>, FuncError> {
    match sequence(value) {
        Some(items) => Ok(items),
        None if matches!(value, Value::Nil) => fail(NIL_DEREFERENCE),
        None => fail(format!("{error} {}", kind(value))),
    }
}

fn nil_list() -> FuncResult {
    Ok(Value::List(List::nil(ElemType::Any)))
}

pub(super) fn list(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::list(args.to_vec()))
}

pub(super) fn append(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot push on type")?;
    let mut longer = Vec::with_capacity(items.len() + 1);
    longer.extend_from_slice(&items);
    longer.push(any(args, 1).clone());
    Ok(Value::list(longer))
}

pub(super) fn prepend(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot prepend on type")?;
    let mut longer = Vec::with_capacity(items.len() + 1);
    longer.push(any(args, 1).clone());
    longer.extend_from_slice(&items);
    Ok(Value::list(longer))
}

pub(super) fn chunk(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 1), "Cannot chunk type")?;
    let size = match usize::try_from(int(args, 0)) {
        Ok(size) if size > 0 => size,
        _ => return chunk_of_no_size(int(args, 0), &items),
    };
    let chunks = items
        .chunks(size)
        .map(|part| Value::list(part.to_vec()))
        .collect();
    Ok(Value::List(List::typed(ElemType::List, chunks)))
}

/// Go computes the number and the length of the chunks with floats, and makes what it can of a negative size.
fn chunk_of_no_size(size: i64, items: &[Value]) -> FuncResult {
    let chunks = match items {
        [only] if size < -1 => vec![Value::list(vec![only.clone()])],
        [_, _, ..] if size < 0 && (items.len() - 1) as u64 <= size.unsigned_abs() => Vec::new(),
        _ => return fail("runtime error: makeslice: len out of range"),
    };
    Ok(Value::List(List::typed(ElemType::List, chunks)))
}

pub(super) fn first(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find first on type")?;
    Ok(items.first().cloned().unwrap_or(Value::Nil))
}

pub(super) fn last(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find last on type")?;
    Ok(items.last().cloned().unwrap_or(Value::Nil))
}

pub(super) fn tail(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find rest on type")?;
    match items.split_first() {
        Some((_, tail)) => Ok(Value::list(tail.to_vec())),
        None => nil_list(),
    }
}

pub(super) fn initial(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find initial on type")?;
    match items.split_last() {
        Some((_, initial)) => Ok(Value::list(initial.to_vec())),
        None => nil_list(),
    }
}

pub(super) fn reverse(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find reverse on type")?;
    Ok(Value::list(items.iter().rev().cloned().collect()))
}

pub(super) fn compact(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot compact on type")?;
    let kept = items.iter().filter(|v| !is_empty(v)).cloned();
    Ok(Value::list(kept.collect()))
}

pub(super) fn uniq(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find uniq on type")?;
    let mut seen_texts = std::collections::HashSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for item in items.iter() {
        // Lists of strings are what charts have; they must not cost a comparison for each pair.
        let new = match item {
            Value::Str(s) => seen_texts.insert(s.clone()),
            other => !holds(&kept, other),
        };
        if new {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

pub(super) fn without(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let items = items_or(any(args, 0), "Cannot find without on type")?;
    let omitted = rest(args, 1);
    let kept = items.iter().filter(|v| !holds(omitted, v)).cloned();
    Ok(Value::list(kept.collect()))
}

/// `has ITEM LIST`; nil has nothing.
pub(super) fn has(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let haystack = any(args, 1);
    if matches!(haystack, Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let items = items_or(haystack, "Cannot find has on type")?;
    Ok(Value::Bool(holds(&items, any(args, 0))))
}

fn holds(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| wanted.deep_equal(item))
}

/// `slice LIST [FROM [TO]]`
pub(super) fn slice(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let value = any(args, 0);
    let items = items_or(value, "list should be type of slice or array but")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from = args.get(1).map_or(0, to_int64);
    let to = args.get(2).map_or(length, to_int64);
    if from < 0 || to < from || to > length {
        return fail("reflect.Value.Slice: slice index out of bounds");
    }
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    let part = &items[at(from)..at(to)];
    Ok(match value {
        Value::Bytes(bytes) => Value::Bytes(bytes[at(from)..at(to)].into()),
        Value::List(list) => Value::List(List::typed(list.elem(), part.to_vec())),
        _ => Value::list(part.to_vec()),
    })
}

pub(super) fn concat(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut all = Vec::new();
    for value in args {
        match sequence(value) {
            Some(items) => all.extend_from_slice(&items),
            None if matches!(value, Value::Nil) => return fail(NIL_DEREFERENCE),
            None => return fail(format!("Cannot concat type {} as list", kind(value))),
        }
    }
    if all.is_empty() {
        return nil_list();
    }
    Ok(Value::list(all))
}
