//! Findings of validation, in upstream's words (`k8s.io/apimachinery/pkg/util/validation/field`).

use std::fmt;

use serde_json::Value;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which kind of mistake.
    pub kind: FindingKind,
    /// Where: `spec.containers[0].name`.
    pub path: String,
    /// The value that was found; `None` where the text shows none.
    pub value: Option<Value>,
    /// How the value is shown where it is not shown as JSON with sorted keys: upstream's structs keep the order of
    /// their declaration.
    pub shown: Option<String>,
    /// What is wrong, in upstream's words.
    pub detail: String,
}

/// The kinds of mistakes; each has a reason (for `details.causes`) and a title (for the message).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// A reference leads nowhere.
    NotFound,
    /// Something must be there and is not.
    Required,
    /// A value that must be unique is there twice.
    Duplicate,
    /// A value is malformed.
    Invalid,
    /// A value is none of those that are known.
    NotSupported,
    /// A value is well formed, and not allowed here.
    Forbidden,
    /// Text that is longer than allowed.
    TooLong,
    /// A list with more items than allowed.
    TooMany,
    /// The check itself failed.
    Internal,
    /// A value of the wrong JSON type.
    TypeInvalid,
}

impl FindingKind {
    /// The `reason` of a cause in a Status.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

impl Finding {
    /// The text without the path, as a cause of a Status carries it.
    pub fn body(&self) -> String {
        let title = self.kind.title();
        let mut text = match (&self.value, self.kind) {
            (
                _,
                FindingKind::Required
                | FindingKind::Forbidden
                | FindingKind::TooLong
                | FindingKind::TooMany
                | FindingKind::Internal,
            )
            | (None, _) => title.to_owned(),
            (Some(value), _) => match &self.shown {
                Some(shown) => format!("{title}: {shown}"),
                None => format!("{title}: {}", go_value(value)),
            },
        };
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

/// A value as upstream shows it: texts as Go's `%q`, numbers and truth values bare, all else as Go's JSON.
pub fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => go_quote(text),
        Value::Array(_) | Value::Object(_) => go_json(value),
        _ => value.to_string(),
    }
}

/// JSON as Go's encoder writes it, safe to embed in HTML.
pub fn go_json(value: &Value) -> String {
    value
        .to_string()
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A text as Go's `strconv.Quote` writes it.
pub fn go_quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            // Rust escapes what it cannot print with the same knowledge of Unicode; only the form differs.
            c if c == '\'' || c.escape_debug().count() == 1 => quoted.push(c),
            c if u32::from(c) < 0x80 => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_quotes_them() {
        assert_eq!(
            go_quote("a\"b\\c'\n\u{1}é\u{200b}\u{1f600}"),
            r#""a\"b\\c'\n\x01é\u200b😀""#
        );
        assert_eq!(
            go_value(&serde_json::json!({"a": "<b>&"})),
            r#"{"a":"\u003cb\u003e\u0026"}"#
        );
        assert_eq!(go_value(&serde_json::json!(1.5)), "1.5");
    }
}
