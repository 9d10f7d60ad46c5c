//! Regular expressions of schemas: RE2 as in Go.

use std::sync::OnceLock;

use regex::Regex;

use crate::limits::MAX_PATTERN_BYTES;

/// A regular expression; one that does not compile matches nothing.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was written.
    pub text: String,
    /// Made when it is first used: definitions have hundreds that never are.
    compiled: OnceLock<Result<Regex, String>>,
}

impl Pattern {
    /// Takes the text.
    pub fn new(text: &str) -> Pattern {
        Pattern {
            text: text.to_owned(),
            compiled: OnceLock::new(),
        }
    }

    fn compiled(&self) -> &Result<Regex, String> {
        self.compiled.get_or_init(|| {
            regex::RegexBuilder::new(&translate(&self.text))
                .size_limit(MAX_PATTERN_BYTES)
                .build()
                .map_err(|error| last_line(&error.to_string()))
        })
    }

    /// Why it does not compile.
    pub fn error(&self) -> Option<&str> {
        self.compiled().as_ref().err().map(String::as_str)
    }

    /// Whether a part of the text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled()
            .as_ref()
            .is_ok_and(|pattern| pattern.is_match(text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

/// The few spellings that Go takes and this engine does not, or takes otherwise: `\z` and `\Z`, `\d`, `\s` and `\w` of
/// ASCII only, `[` inside a class.
fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                match chars.next() {
                    Some('d') => out.push_str(if in_class { "0-9" } else { "[0-9]" }),
                    Some('D') if !in_class => out.push_str("[^0-9]"),
                    Some('w') => out.push_str(if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                    Some('W') if !in_class => out.push_str("[^0-9A-Za-z_]"),
                    Some('s') => out.push_str(if in_class { r"\t\n\f\r " } else { r"[\t\n\f\r ]" }),
                    Some('S') if !in_class => out.push_str(r"[^\t\n\f\r ]"),
                    Some('Q') => {
                        for char in chars.by_ref() {
                            // The quotation ends at \E.
                            if char == '\\' {
                                break;
                            }
                            out.push_str(&regex::escape(&char.to_string()));
                        }
                        chars.next_if_eq(&'E');
                    }
                    Some(other) => {
                        out.push('\\');
                        out.push(other);
                    }
                    None => out.push('\\'),
                }
            }
            '[' if in_class => {
                if chars.peek() == Some(&':') {
                    out.push('[');
                    // A named class, to its end.
                    for char in chars.by_ref() {
                        out.push(char);
                        if char == ']' {
                            break;
                        }
                    }
                } else {
                    out.push_str(r"\[");
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    out.push_str(r"\]");
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Two of them are set operations here, and plain characters in Go.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            '{' if !in_class && !starts_repetition(chars.clone()) => out.push_str(r"\{"),
            other => out.push(other),
        }
    }
    out
}

/// Whether what follows `{` is `2}`, `2,}` or `2,3}`.
fn starts_repetition(chars: impl Iterator<Item = char>) -> bool {
    let inside: String = chars.take_while(|c| *c != '}').collect();
    let mut parts = inside.splitn(2, ',');
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let first = parts.next().unwrap_or_default();
    !first.is_empty() && digits(first) && parts.next().is_none_or(digits)
}

fn last_line(text: &str) -> String {
    text.lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        let cases = [
            ("^a+$", "aaa", true),
            ("^a+$", "b", false),
            (r"^\d{3}$", "123", true),
            (r"^\d{3}$", "\u{661}\u{662}\u{663}", false),
            (r"^[\w.-]+$", "a.b-c", true),
            (r"^[^\s/]+$", "a b", false),
            (r"^[a[]$", "[", true),
            (r"^{a}$", "{a}", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "a&b", true),
        ];
        for (pattern, text, expected) in cases {
            let pattern = Pattern::new(pattern);
            assert_eq!(pattern.error(), None, "{}", pattern.text);
            assert_eq!(pattern.matches(text), expected, "{} {text}", pattern.text);
        }
        assert!(Pattern::new("(").error().is_some());
    }
}
