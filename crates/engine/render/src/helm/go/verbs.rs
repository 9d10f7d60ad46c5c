//! Values as Go's `fmt` prints them, for helm's messages.

use deploy_template::fmt;
use serde_json::Value;

/// `%v`
pub fn display(value: &Value) -> String {
    formatted(b"%v", value)
}

/// `%t`, which suits only booleans; helm uses it for anything.
pub fn as_boolean(value: &Value) -> String {
    formatted(b"%t", value)
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

fn formatted(format: &[u8], value: &Value) -> String {
    let text = fmt::sprintf(
        format,
        &[deploy_template::value::Value::from_json_integers(value)],
    );
    String::from_utf8_lossy(&text).into_owned()
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
