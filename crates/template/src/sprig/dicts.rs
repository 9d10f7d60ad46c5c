//! Dictionaries. They are shared: `set` and `unset` change the map that every other holder sees.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{any, as_map, fail, map, rest, text};
use crate::sprig::limits::MAX_DEPTH;
use crate::sprig::merge::{Precedence, merge_into};
use crate::sprig::semver::Version;
use crate::sprig::show::strval;
use crate::stack;
use crate::value::{ElemType, List, Map, Str, Value};

fn key(args: &[Value], position: usize) -> Str {
    match any(args, position) {
        Value::Str(s) => s.clone(),
        _ => Str::from(""),
    }
}

pub(super) fn dict(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut entries = BTreeMap::new();
    for pair in args.chunks(2) {
        let name = match &pair[0] {
            Value::Str(s) => s.clone(),
            other => Str::from(strval(other).into_owned()),
        };
        entries.insert(name, pair.get(1).cloned().unwrap_or_else(|| Value::str("")));
    }
    Ok(Value::Map(Map::new(entries)))
}

pub(super) fn get(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let found = map(args, 0).and_then(|m| m.entries().get(text(args, 1)).cloned());
    Ok(found.unwrap_or_else(|| Value::str("")))
}

pub(super) fn set(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let Some(target) = map(args, 0) else {
        return fail("assignment to entry in nil map");
    };
    target.entries_mut().insert(key(args, 1), any(args, 2).clone());
    Ok(Value::Map(target.clone()))
}

pub(super) fn unset(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    if let Some(target) = map(args, 0) {
        target.entries_mut().remove(text(args, 1));
    }
    // Nothing is taken from a nil map, and it stays one.
    Ok(any(args, 0).clone())
}

pub(super) fn has_key(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let found = map(args, 0).is_some_and(|m| m.entries().contains_key(text(args, 1)));
    Ok(Value::Bool(found))
}

/// `pluck KEY MAP ...`: the values that the maps have for a key.
pub(super) fn pluck(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let maps = rest(args, 1).iter().filter_map(as_map);
    let found = maps.filter_map(|m| m.entries().get(text(args, 0)).cloned());
    Ok(Value::list(found.collect()))
}

/// The keys of all maps; Go's order is random, ours is sorted within each map.
pub(super) fn keys(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut names = Vec::new();
    for m in args.iter().filter_map(as_map) {
        names.extend(m.entries().keys().cloned().map(Value::Str));
    }
    Ok(Value::List(List::typed(ElemType::String, names)))
}

/// The values of a map in the order of its keys; Go's order is random.
pub(super) fn values(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let all = map(args, 0).map(|m| m.entries().values().cloned().collect());
    Ok(Value::list(all.unwrap_or_default()))
}

pub(super) fn pick(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut picked = BTreeMap::new();
    if let Some(source) = map(args, 0) {
        let entries = source.entries();
        for position in 1..args.len() {
            if let Some((name, value)) = entries.get_key_value(text(args, position)) {
                picked.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(Value::Map(Map::new(picked)))
}

pub(super) fn omit(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut kept = map(args, 0).map_or_else(BTreeMap::new, |m| m.entries().clone());
    for position in 1..args.len() {
        kept.remove(text(args, position));
    }
    Ok(Value::Map(Map::new(kept)))
}

pub(super) fn merge(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    // Sprig swallows errors of the plain functions and returns an empty string for the map.
    Ok(merged(args, Precedence::First).unwrap_or_else(|_| Value::str("")))
}

pub(super) fn must_merge(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    merged(args, Precedence::First)
}

pub(super) fn merge_overwrite(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(merged(args, Precedence::Last).unwrap_or_else(|_| Value::str("")))
}

pub(super) fn must_merge_overwrite(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    merged(args, Precedence::Last)
}

/// Merges the further maps into the first one, which changes in place.
fn merged(args: &[Value], precedence: Precedence) -> FuncResult {
    let target = map(args, 0).cloned().unwrap_or_else(|| Map::new(BTreeMap::new()));
    for source in rest(args, 1).iter().filter_map(as_map) {
        merge_into(&target, source, precedence)?;
    }
    Ok(Value::Map(target))
}

pub(super) fn deep_copy(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    match any(args, 0) {
        Value::Nil => fail("reflect: call of reflect.Value.Type on zero Value"),
        value => copy(value, MAX_DEPTH),
    }
}

fn copy(value: &Value, depth_left: usize) -> FuncResult {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return fail(format!(
            "the value is nested deeper than {MAX_DEPTH} levels or contains itself"
        ));
    };
    stack::deeper(|| match value {
        Value::List(list) if list.is_nil() => Ok(Value::List(list.clone())),
        Value::List(list) => {
            let items: Result<Vec<Value>, FuncError> =
                list.items().iter().map(|v| copy(v, depth_left)).collect();
            Ok(Value::List(List::typed(list.elem(), items?)))
        }
        Value::Map(map) => {
            let entries = map.entries();
            let entries = entries.iter().map(|(k, v)| Ok((k.clone(), copy(v, depth_left)?)));
            let entries: Result<BTreeMap<Str, Value>, FuncError> = entries.collect();
            Ok(Value::Map(Map::typed(map.elem(), map.name(), entries?)))
        }
        Value::Object(object) if object.as_any().is::<Version>() => {
            // Go's copier reaches exported fields only, and a version has none: the copy is the zero version.
            Ok(Value::Object(Rc::new(Version::zero())))
        }
        other => Ok(other.clone()),
    })
}

/// `dig KEY ... DEFAULT MAP`
pub(super) fn dig(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let [names @ .., default, value] = args else {
        return fail("dig needs at least three arguments");
    };
    if names.is_empty() {
        return fail("dig needs at least three arguments");
    }
    let mut current = plain_map(value)?.clone();
    let mut path = Vec::with_capacity(names.len());
    for name in names {
        match name {
            Value::Str(s) => path.push(s),
            other => return wrong_type(other, "string"),
        }
    }
    for (i, name) in path.iter().enumerate() {
        let Some(step) = current.entries().get(name.as_bytes()).cloned() else {
            return Ok(default.clone());
        };
        if i + 1 == path.len() {
            return Ok(step);
        }
        current = plain_map(&step)?.clone();
    }
    Ok(default.clone())
}

/// The map, if it is a `map[string]interface {}` and no other type; Helm's `.Values` itself is another one.
fn plain_map(value: &Value) -> Result<&Map, FuncError> {
    match value {
        Value::Map(map) if map.name().is_none() && map.elem() == ElemType::Any => Ok(map),
        other => wrong_type(other, "map[string]interface {}"),
    }
}

fn wrong_type<T>(value: &Value, wanted: &str) -> Result<T, FuncError> {
    let actual = match value {
        Value::Nil => "nil".into(),
        other => other.type_name(),
    };
    fail(format!(
        "interface conversion: interface {{}} is {actual}, not {wanted}"
    ))
}
