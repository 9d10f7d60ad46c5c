//! Types of JSON values, and when two values are equal.

use std::collections::HashMap;

use super::json::Json;
use super::number::Decimal;

/// The JSON types in the order in which errors name them.
pub const TYPES: [&str; 7] = [
    "null", "boolean", "number", "integer", "string", "array", "object",
];

/// The bit of a type's name; zero for what is none.
pub fn type_bit(name: &str) -> u8 {
    TYPES
        .iter()
        .position(|t| *t == name)
        .map_or(0, |index| 1 << index)
}

/// The name of a value's type.
pub fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Whether a value is of one of these types; a number without a fraction is an integer.
pub fn has_type(types: u8, value: &Json) -> bool {
    if types & type_bit(type_name(value)) != 0 {
        return true;
    }
    match value {
        Json::Number(text) if types & type_bit("integer") != 0 => {
            Decimal::parse(text).is_some_and(|number| number.is_integer())
        }
        _ => false,
    }
}

/// Whether two values are equal; numbers are by what they say, not by how they are written.
pub fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => match (Decimal::parse(a), Decimal::parse(b)) {
            (Some(a), Some(b)) => a.compare(&b).is_eq(),
            _ => false,
        },
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (a, b) => a == b,
    }
}

/// The first item that equals an earlier one, after the earlier one.
pub fn duplicates(items: &[Json]) -> Option<(usize, usize)> {
    // Long lists are usually of strings; those need no comparison of each with each.
    let mut texts = HashMap::new();
    let mut others: Vec<usize> = Vec::new();
    for (second, item) in items.iter().enumerate() {
        let first = match item {
            Json::String(text) => texts.insert(text.as_str(), second),
            _ => {
                let first = others.iter().copied().find(|i| equal(&items[*i], item));
                others.push(second);
                first
            }
        };
        if let Some(first) = first {
            return Some((first, second));
        }
    }
    None
}
