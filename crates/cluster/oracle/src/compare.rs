//! Where two normalised answers differ first.

use serde_json::Value;

/// How much of a value a report shows.
const SHOWN: usize = 300;

/// The path and both values of the first difference; `None` if the two are equal. Numbers are equal by value.
///
/// ```
/// use serde_json::json;
/// let found = deploy_cluster_oracle::first_difference(&json!({"a": [1, 2]}), &json!({"a": [1, 3]}));
/// assert_eq!(found.as_deref(), Some(".a[1]: expected 2, got 3"));
/// ```
pub fn first_difference(expected: &Value, got: &Value) -> Option<String> {
    walk(&mut String::new(), expected, got)
}

fn walk(path: &mut String, expected: &Value, got: &Value) -> Option<String> {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                let found = match got.get(key) {
                    Some(other) => within(path, &member(key), |path| walk(path, value, other)),
                    None => Some(format!(
                        "{path}{}: expected {}, got nothing",
                        member(key),
                        shown(value)
                    )),
                };
                if found.is_some() {
                    return found;
                }
            }
            let (key, extra) = got.iter().find(|(key, _)| !expected.contains_key(*key))?;
            Some(format!(
                "{path}{}: expected nothing, got {}",
                member(key),
                shown(extra)
            ))
        }
        (Value::Array(expected), Value::Array(got)) => {
            for (at, value) in expected.iter().enumerate() {
                let found = match got.get(at) {
                    Some(other) => within(path, &format!("[{at}]"), |path| walk(path, value, other)),
                    None => Some(format!("{path}[{at}]: expected {}, got nothing", shown(value))),
                };
                if found.is_some() {
                    return found;
                }
            }
            let extra = got.get(expected.len())?;
            Some(format!(
                "{path}[{}]: expected nothing, got {}",
                expected.len(),
                shown(extra)
            ))
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => None,
        _ if expected == got => None,
        _ => Some(format!(
            "{path}: expected {}, got {}",
            shown(expected),
            shown(got)
        )),
    }
}

fn within<T>(path: &mut String, part: &str, then: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push_str(part);
    let result = then(path);
    path.truncate(length);
    result
}

fn member(key: &str) -> String {
    if key.contains(['.', '/', '"', ' ']) {
        format!("[{key:?}]")
    } else {
        format!(".{key}")
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
