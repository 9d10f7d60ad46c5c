//! Places in a document, as the paths of JSON patches name them (RFC 6901).

use serde_json::{Map, Value};

/// What holds the value at the end of a path.
pub(super) enum Parent<'d> {
    Object(&'d mut Map<String, Value>),
    Array(&'d mut Vec<Value>),
}

/// The parent of the value at `path`, and its name there; nothing where a part of the path is missing or no container.
pub(super) fn find<'d>(doc: &'d mut Value, path: &str) -> Option<(Parent<'d>, String)> {
    let (_, path) = path.split_once('/')?;
    let (parents, key) = match path.rsplit_once('/') {
        Some((parents, key)) => (Some(parents), key),
        None => (None, path),
    };
    let mut at = doc;
    for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
        let part = unescape(part);
        at = match at {
            Value::Object(map) => map.get_mut(&part)?,
            Value::Array(items) => {
                let place = place(&part, items.len()).ok()?;
                items.get_mut(place)?
            }
            _ => return None,
        };
    }
    let parent = match at {
        Value::Object(map) => Parent::Object(map),
        Value::Array(items) => Parent::Array(items),
        _ => return None,
    };
    Some((parent, unescape(key)))
}

pub(super) fn get<'d>(parent: &'d Parent<'_>, key: &str) -> Result<Option<&'d Value>, String> {
    match parent {
        Parent::Object(map) => Ok(map.get(key)),
        Parent::Array(items) => Ok(items.get(place(key, items.len())?)),
    }
}

pub(super) fn put(parent: Parent<'_>, key: &str, value: Value) -> Result<(), String> {
    match parent {
        Parent::Object(map) => {
            map.insert(key.to_owned(), value);
        }
        Parent::Array(items) if key == "-" => items.push(value),
        Parent::Array(items) => {
            // Behind the last item is a place as well.
            let place = match index(key) {
                Err(why) => return Err(format!("value was not a proper array index: '{key}': {why}")),
                Ok(index) => inside(index, items.len() + 1)?,
            };
            items.insert(place, value);
        }
    }
    Ok(())
}

pub(super) fn delete(parent: Parent<'_>, key: &str) -> Result<Value, String> {
    match parent {
        Parent::Object(map) => map
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value")),
        Parent::Array(items) => Ok(items.remove(place(key, items.len())?)),
    }
}

/// The place of an item in a list of this length; negative indices count from the end.
pub(super) fn place(key: &str, len: usize) -> Result<usize, String> {
    inside(index(key)?, len)
}

fn index(key: &str) -> Result<i64, String> {
    key.parse().map_err(|_| {
        let digits = key.trim_start_matches(['+', '-']);
        let range = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let why = if range {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("strconv.Atoi: parsing {key:?}: {why}")
    })
}

fn inside(index: i64, len: usize) -> Result<usize, String> {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let place = if index < 0 {
        index.saturating_add(signed)
    } else {
        index
    };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < len)
        .ok_or_else(|| format!("Unable to access invalid index: {index}: invalid index referenced"))
}

fn unescape(part: &str) -> String {
    if !part.contains('~') {
        return part.to_owned();
    }
    // Both escapes are replaced in one pass: `~01` is `~1`.
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('~') {
        out.push_str(before);
        rest = match after.as_bytes().first() {
            Some(b'0') => {
                out.push('~');
                &after[1..]
            }
            Some(b'1') => {
                out.push('/');
                &after[1..]
            }
            _ => {
                out.push('~');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

pub(super) fn segments(path: &str) -> usize {
    path.bytes().filter(|b| *b == b'/').count()
}
