//! Text as Go's `%q` and `unicode` see it, for helm's messages.

pub use deploy_template::unicode::is_print;

/// The string in Go's double-quoted form (`strconv.Quote`).
pub fn quoted(text: &str) -> String {
    deploy_template::quote::quote(text.as_bytes())
}

/// White space becomes a blank, what cannot be printed goes (helm's `sanitizeString`).
pub fn sanitized(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if is_print(c) => Some(c),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(
            quoted("a\"b\\\n\u{1}\u{200b}é\u{301}"),
            "\"a\\\"b\\\\\\n\\x01\\u200bé\u{301}\""
        );
    }

    #[test]
    fn sanitizes_as_helm_does() {
        assert_eq!(sanitized("a\tb\u{a0}c\u{200b}d\u{0}é"), "a b cdé");
    }
}
