//! Merging of maps, as dario.cat/mergo does it for `merge` and `mergeOverwrite`: in place, and values that are taken
//! over are shared with the map they come from.

use crate::func::FuncError;
use crate::sprig::args::fail;
use crate::sprig::defaults::is_empty;
use crate::sprig::limits::MAX_DEPTH;
use crate::sprig::reflect::kind;
use crate::stack;
use crate::value::{ElemType, Map, Str, Value};

/// Whose value stays where both maps have one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// The target's, unless it is empty.
    First,
    /// The source's, even if it is empty.
    Last,
}

/// Merges `source` into `target`.
pub(super) fn merge_into(target: &Map, source: &Map, precedence: Precedence) -> Result<(), FuncError> {
    merge_level(target, source, precedence, MAX_DEPTH)
}

fn merge_level(
    target: &Map,
    source: &Map,
    precedence: Precedence,
    depth_left: usize,
) -> Result<(), FuncError> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return fail(format!(
            "maps are nested deeper than {MAX_DEPTH} levels or contain themselves"
        ));
    };
    // A copy of the entries: the source may be the target, or share parts with it.
    let entries: Vec<(Str, Value)> = source
        .entries()
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for (name, theirs) in entries {
        let ours = target.entries().get(name.as_bytes()).cloned();
        if matches!(theirs, Value::Nil) {
            if precedence == Precedence::Last {
                put(target, name, theirs)?;
            }
            continue;
        }
        match (&ours, &theirs) {
            (Some(Value::Map(ours)), Value::Map(theirs)) => {
                stack::deeper(|| merge_level(ours, theirs, precedence, depth_left))?;
            }
            // Mergo looks through pointers, and finds that a map is not what this one points to.
            (Some(Value::Object(_)), Value::Map(_))
                if precedence == Precedence::First && is_pointer(&ours) =>
            {
                return fail("src and dst must be of same type");
            }
            _ => {}
        }
        // Emptiness is asked after the merge: an empty map of ours may have been filled, and then it stays.
        let keeps_ours = match &ours {
            Some(ours) if !is_empty(ours) => {
                precedence == Precedence::First || matches!((ours, &theirs), (Value::Map(_), Value::Map(_)))
            }
            _ => false,
        };
        if !keeps_ours {
            put(target, name, theirs)?;
        }
    }
    Ok(())
}

fn is_pointer(value: &Option<Value>) -> bool {
    value.as_ref().is_some_and(|v| kind(v) == "ptr")
}

fn put(target: &Map, name: Str, value: Value) -> Result<(), FuncError> {
    let fits = match target.elem() {
        ElemType::String => matches!(value, Value::Str(_)),
        _ => true,
    };
    if !fits {
        return fail(
            "reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string",
        );
    }
    target.entries_mut().insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: Vec<(&str, Value)>) -> Map {
        match Value::map(entries) {
            Value::Map(map) => map,
            _ => unreachable!("Value::map makes a map"),
        }
    }

    #[test]
    fn the_first_wins_unless_it_is_empty() {
        let inner = map(vec![("x", Value::int(1))]);
        let target = map(vec![("a", Value::int(0)), ("m", Value::Map(inner.clone()))]);
        let source = map(vec![
            ("a", Value::Bool(false)),
            ("m", Value::map([("x", Value::int(2)), ("y", Value::int(3))])),
        ]);
        merge_into(&target, &source, Precedence::First).expect("plain maps merge");
        assert!(
            matches!(target.get("a"), Some(Value::Bool(false))),
            "0 is empty, so false takes its place"
        );
        assert!(matches!(inner.get("x"), Some(Value::Int(1, _))));
        assert!(
            matches!(inner.get("y"), Some(Value::Int(3, _))),
            "the nested map is changed in place"
        );
    }

    #[test]
    fn what_is_taken_over_is_shared() {
        let target = map(vec![]);
        let nested = map(vec![]);
        let source = map(vec![("m", Value::Map(nested.clone()))]);
        merge_into(&target, &source, Precedence::First).expect("plain maps merge");
        nested.set("later", Value::int(1));
        let Some(Value::Map(taken)) = target.get("m") else {
            panic!("m is a map")
        };
        assert!(taken.same(&nested));
    }

    #[test]
    fn the_last_wins_even_if_it_is_empty() {
        let target = map(vec![
            ("a", Value::int(1)),
            ("b", Value::int(1)),
            ("l", Value::strings(["x"])),
        ]);
        let source = map(vec![
            ("a", Value::int(0)),
            ("b", Value::Nil),
            ("l", Value::list(vec![])),
        ]);
        merge_into(&target, &source, Precedence::Last).expect("plain maps merge");
        assert!(matches!(target.get("a"), Some(Value::Int(0, _))));
        assert!(matches!(target.get("b"), Some(Value::Nil)));
    }

    #[test]
    fn a_map_in_itself_ends_in_an_error() {
        let own = map(vec![("x", Value::int(1))]);
        own.set("own", Value::Map(own.clone()));
        assert!(merge_into(&own, &own.clone(), Precedence::First).is_err());
    }
}
