//! Values as Go's `fmt` prints them, for helm's messages.

use serde_json::{Number, Value};

/// `%v`
pub fn display(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, &|out, scalar| match scalar {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(s) => out.push_str(s),
        Value::Array(_) | Value::Object(_) => {}
    });
    out
}

/// `%t`, which suits only booleans; helm uses it for anything.
pub fn as_boolean(value: &Value) -> String {
    if value.is_null() {
        return "%!t(<nil>)".to_owned();
    }
    let mut out = String::new();
    write_value(&mut out, value, &|out, scalar| match scalar {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&format!("%!t({}={})", type_name(scalar), number(n))),
        Value::String(s) => out.push_str(&format!("%!t(string={s})")),
        Value::Array(_) | Value::Object(_) => {}
    });
    out
}

/// `%T`
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float64(float),
        _ => number.to_string(),
    }
}

/// The shortest text that reads back as the same float, with an exponent below 1e-4 and from 1e21 on.
fn float64(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn write_value(out: &mut String, value: &Value, scalar: &dyn Fn(&mut String, &Value)) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_value(out, item, scalar);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push_str("map[");
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                scalar(out, &Value::String(key.clone()));
                out.push(':');
                write_value(out, value, scalar);
            }
            out.push(']');
        }
        other => scalar(out, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prints_as_go_does() {
        let value = json!({"a": [1.0, "x", null], "b": {"c": 1e21, "d": 5}});
        assert_eq!(display(&value), "map[a:[1 x <nil>] b:map[c:1e+21 d:5]]");
        assert_eq!(as_boolean(&json!("x")), "%!t(string=x)");
        assert_eq!(
            as_boolean(&json!([1.5, true, 3, null])),
            "[%!t(float64=1.5) true %!t(int64=3) <nil>]"
        );
        assert_eq!(as_boolean(&Value::Null), "%!t(<nil>)");
    }
}
