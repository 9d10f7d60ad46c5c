//! Statements as S-expressions, strings as Go's `strconv.Quote` writes them.

use std::fmt::Write as _;

use super::Statement;

pub fn statement(statement: &Statement) -> String {
    let mut text = statement.name.clone();
    if !statement.flags.is_empty() {
        let flags: Vec<String> = statement.flags.iter().map(|flag| quote(flag)).collect();
        write!(text, " [{}]", flags.join(" ")).expect("writing to a string cannot fail");
    }
    if let Some(inner) = &statement.inner {
        write!(text, " ({})", self::statement(inner)).expect("writing to a string cannot fail");
    }
    for argument in &statement.arguments {
        text.push(' ');
        text.push_str(&quote(argument));
    }
    text
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                write!(quoted, "\\x{:02x}", c as u32).expect("writing to a string cannot fail");
            }
            c if c.is_control() => {
                write!(quoted, "\\u{:04x}", c as u32).expect("writing to a string cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
