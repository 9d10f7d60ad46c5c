//! What is wrong with a value, in upstream's words (`typed/helpers.go`).

use std::fmt;

use serde_json::Value;

use crate::fields::{go_float, quote};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: `.spec.ports[port=80]`; empty for the root.
    pub path: String,
    /// What.
    pub message: String,
}

/// All that is wrong with a value; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Default, thiserror::Error)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0.as_slice() {
            return write!(f, "{one}");
        }
        f.write_str("errors:")?;
        self.0.iter().try_for_each(|each| write!(f, "\n  {each}"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl Violations {
    /// Nothing, or these.
    pub(super) fn into_result(self) -> Result<(), Violations> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    pub(super) fn push(&mut self, message: String) {
        self.0.push(Violation {
            path: String::new(),
            message,
        });
    }

    /// Takes over what is wrong below `element`.
    pub(super) fn take_below(&mut self, element: impl fmt::Display, below: Violations) {
        if below.0.is_empty() {
            return;
        }
        let prefix = element.to_string();
        self.0.extend(below.0.into_iter().map(|v| Violation {
            path: format!("{prefix}{}", v.path),
            ..v
        }));
    }
}

/// A value as Go prints it with `%v`, which is how upstream's messages show what they got.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number(n),
        Value::String(s) => s.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", plain(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// A value in Go's syntax (`%#v`).
pub(super) fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number(n),
        Value::String(s) => quoted(s),
        Value::Array(items) => {
            format!(
                "[]interface {{}}{{{}}}",
                items.iter().map(syntax).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}:{}", quoted(key), syntax(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}

/// The name of the Go type that holds a value (`%T`).
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn number(number: &serde_json::Number) -> String {
    match number.as_i64() {
        Some(whole) => whole.to_string(),
        None => go_float(number.as_f64().unwrap_or_default()),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_in_go() {
        let value = json!({"b": [1, null, "x y"], "a": {"c": 1.5}});
        assert_eq!(plain(&value), "map[a:map[c:1.5] b:[1 <nil> x y]]");
        assert_eq!(
            syntax(&value),
            r#"map[string]interface {}{"a":map[string]interface {}{"c":1.5}, "b":[]interface {}{1, interface {}(nil), "x y"}}"#
        );
    }

    #[test]
    fn one_is_a_line_and_several_are_a_list() {
        let one = Violation {
            path: ".a".to_owned(),
            message: "is wrong".to_owned(),
        };
        assert_eq!(Violations(vec![one.clone()]).to_string(), ".a: is wrong");
        assert_eq!(
            Violations(vec![one.clone(), one]).to_string(),
            "errors:\n  .a: is wrong\n  .a: is wrong"
        );
    }
}
