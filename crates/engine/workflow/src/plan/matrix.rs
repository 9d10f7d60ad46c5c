//! The combinations of a matrix (GitHub, workflow syntax, `jobs.<job_id>.strategy.matrix`).

use crate::expression::{Object, Value};
use crate::limits::MAX_MATRIX_JOBS;

/// One combination: the `matrix` context of a job.
pub type Combination = Object;

/// The combinations of a matrix whose expressions are resolved; the text of what is wrong with it otherwise.
pub(crate) fn combinations(matrix: &Value) -> Result<Vec<Combination>, String> {
    let Value::Object(matrix) = matrix else {
        return Err("The matrix must be a mapping".to_owned());
    };
    let mut found: Vec<Combination> = Vec::new();
    let mut vectors = Vec::new();
    for (name, vector) in matrix.iter() {
        if is_filter(name) {
            continue;
        }
        let Value::Array(values) = vector else {
            return Err(format!("Matrix vector '{name}' is not a list"));
        };
        if values.is_empty() {
            return Err(format!("Matrix vector '{name}' does not contain any values"));
        }
        vectors.push((name, values));
    }
    if !vectors.is_empty() {
        found.push(Combination::new());
    }
    for (name, values) in &vectors {
        if found.len().saturating_mul(values.len()) > MAX_MATRIX_JOBS {
            return Err(too_many());
        }
        let extend = |combination: &Combination| {
            let combination = combination.clone();
            values
                .iter()
                .map(move |value| {
                    let mut combination = combination.clone();
                    combination.set(*name, value.clone());
                    combination
                })
                .collect::<Vec<_>>()
        };
        found = found.iter().flat_map(extend).collect();
    }
    for filter in filters(matrix, "exclude")? {
        found.retain(|combination| !fits(combination, &filter));
    }
    let names: Vec<&str> = vectors.iter().map(|(name, _)| *name).collect();
    include(&mut found, &filters(matrix, "include")?, &names)?;
    match found.is_empty() {
        true => Err("The matrix has no combination left".to_owned()),
        false => Ok(found),
    }
}

/// An entry of `include` is added to each combination that it changes nothing of; it is one of its own if it fits none.
fn include(found: &mut Vec<Combination>, entries: &[Object], names: &[&str]) -> Result<(), String> {
    let count = found.len();
    for entry in entries {
        let keys: Vec<(&str, &Value)> = entry.iter().filter(|(key, _)| has(names, key)).collect();
        let mut added = false;
        for combination in &mut found[..count] {
            let unchanged = keys
                .iter()
                .all(|(key, value)| combination.get(key).is_some_and(|own| same(own, value)));
            if unchanged {
                added = true;
                for (key, value) in entry.iter().filter(|(key, _)| !has(names, key)) {
                    combination.set(key, value.clone());
                }
            }
        }
        if !added {
            found.push(entry.clone());
        }
        if found.len() > MAX_MATRIX_JOBS {
            return Err(too_many());
        }
    }
    Ok(())
}

fn filters(matrix: &Object, name: &str) -> Result<Vec<Object>, String> {
    let wrong = || format!("'{name}' of the matrix is not a list of mappings");
    match matrix.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            let entries = items.iter().map(|item| match item {
                Value::Object(entry) => Ok((**entry).clone()),
                _ => Err(wrong()),
            });
            entries.collect()
        }
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(_) => Err(wrong()),
    }
}

fn is_filter(name: &str) -> bool {
    name.eq_ignore_ascii_case("include") || name.eq_ignore_ascii_case("exclude")
}

fn has(names: &[&str], key: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(key))
}

fn fits(combination: &Combination, filter: &Object) -> bool {
    filter
        .iter()
        .all(|(key, value)| combination.get(key).is_some_and(|own| same(own, value)))
}

/// Whether a value is the same as one of a filter: mappings may name fewer keys.
fn same(own: &Value, wanted: &Value) -> bool {
    match (own, wanted) {
        (Value::Array(own), Value::Array(wanted)) => {
            own.len() == wanted.len()
                && own
                    .iter()
                    .zip(wanted.iter())
                    .all(|(own, wanted)| same(own, wanted))
        }
        (Value::Object(own), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| own.get(key).is_some_and(|own| same(own, value))),
        (own, wanted) => own.equals(wanted),
    }
}

fn too_many() -> String {
    format!("The matrix has more than {MAX_MATRIX_JOBS} combinations")
}

/// What tells a combination from the others, for names: its primitive values.
pub(crate) fn shown(combination: &Combination) -> String {
    let mut parts = Vec::new();
    for (_, value) in combination.iter() {
        gather(value, &mut parts);
    }
    parts.join(", ")
}

fn gather(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, parts)),
        Value::Object(object) => object.iter().for_each(|(_, item)| gather(item, parts)),
        primitive => {
            let text = primitive.to_text();
            if !text.is_empty() {
                parts.push(text.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{from_json, to_json};

    fn expand(json: &str) -> Vec<String> {
        let found = combinations(&from_json(json).unwrap()).unwrap();
        found
            .into_iter()
            .map(|c| to_json(&c.into()).split_whitespace().collect())
            .collect()
    }

    #[test]
    fn the_example_of_the_documentation() {
        let json = r#"{"fruit":["apple","pear"],"animal":["cat","dog"],"include":[{"color":"green"},
            {"color":"pink","animal":"cat"},{"fruit":"apple","shape":"circle"},{"fruit":"banana"},
            {"fruit":"banana","animal":"cat"}]}"#;
        let expected = [
            r#"{"fruit":"apple","animal":"cat","color":"pink","shape":"circle"}"#,
            r#"{"fruit":"apple","animal":"dog","color":"green","shape":"circle"}"#,
            r#"{"fruit":"pear","animal":"cat","color":"pink"}"#,
            r#"{"fruit":"pear","animal":"dog","color":"green"}"#,
            r#"{"fruit":"banana"}"#,
            r#"{"fruit":"banana","animal":"cat"}"#,
        ];
        assert_eq!(expand(json), expected);
    }

    #[test]
    fn what_is_excluded_can_be_included_again() {
        let json = r#"{"os":["a","b"],"v":[1,2],"exclude":[{"os":"a"}],"include":[{"os":"a","v":1}]}"#;
        assert_eq!(
            expand(json),
            [
                r#"{"os":"b","v":1}"#,
                r#"{"os":"b","v":2}"#,
                r#"{"os":"a","v":1}"#
            ]
        );
    }

    #[test]
    fn a_matrix_of_includes_alone() {
        assert_eq!(
            expand(r#"{"include":[{"a":1},{"a":2}]}"#),
            [r#"{"a":1}"#, r#"{"a":2}"#]
        );
        assert!(combinations(&from_json(r#"{"a":[]}"#).unwrap()).is_err());
        assert!(combinations(&from_json("{}").unwrap()).is_err());
    }

    #[test]
    fn a_huge_matrix_is_refused() {
        let list = (0..300).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let json = format!(r#"{{"a":[{list}],"b":[{list}]}}"#);
        assert!(combinations(&from_json(&json).unwrap()).is_err());
    }
}
