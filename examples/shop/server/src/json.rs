//! Flat JSON objects.

use std::fmt::Write;

/// An object under construction.
pub struct Object(String);

impl Object {
    /// `{`
    pub fn new() -> Object {
        Object("{".to_owned())
    }

    /// Adds a string.
    pub fn text(mut self, name: &str, value: &str) -> Object {
        self.key(name);
        quote(&mut self.0, value);
        self
    }

    /// Adds what is JSON already: a number, a list.
    pub fn raw(mut self, name: &str, value: impl std::fmt::Display) -> Object {
        self.key(name);
        write!(self.0, "{value}").expect("writing to a string cannot fail");
        self
    }

    /// `}`
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, name);
        self.0.push(':');
    }
}

/// A list of strings.
pub fn list(values: &[String]) -> String {
    let mut text = "[".to_owned();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        quote(&mut text, value);
    }
    text.push(']');
    text
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c if c < ' ' => write!(text, "\\u{:04x}", c as u32).expect("writing to a string cannot fail"),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        let object =
            Object::new().text("a", "\"\\\n\u{1}商店").raw("b", 1.5).raw("c", list(&["x".to_owned()])).end();
        assert_eq!(object, "{\"a\":\"\\\"\\\\\\n\\u0001商店\",\"b\":1.5,\"c\":[\"x\"]}");
        assert_eq!(Object::new().end(), "{}");
    }
}
