//! Regular expressions in Go's syntax.

use regex::Regex;
use regex_syntax::ast::{ErrorKind, parse::ParserBuilder};

/// Compiles a pattern. The errors are Go's, for the usual mistakes.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translated(pattern);
    if let Err(error) = ParserBuilder::new().nest_limit(250).build().parse(&translated) {
        return Err(format!(
            "error parsing regexp: {}",
            go_text(pattern, &translated, &error)
        ));
    }
    Regex::new(&translated).map_err(|_| "error parsing regexp: expression too large".to_owned())
}

/// The same expression for the regex crate: there `\d`, `\w`, `\s` and `\b` are Unicode's, in Go they are ASCII's, and
/// some characters mean something in a class.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped) => push_escape(&mut out, escaped, in_class, &mut chars),
                None => out.push('\\'),
            },
            '[' if in_class && chars.peek() != Some(&':') => out.push_str("\\["),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                // A bracket at the start of a class stands for itself.
                if chars.peek() == Some(&']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            '[' => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn push_escape(
    out: &mut String,
    escaped: char,
    in_class: bool,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
) {
    match (escaped, in_class) {
        ('d', false) => out.push_str("[0-9]"),
        ('d', true) => out.push_str("0-9"),
        ('D', _) => out.push_str("[^0-9]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('s', false) => out.push_str("[\\t\\n\\f\\r ]"),
        ('s', true) => out.push_str("\\t\\n\\f\\r "),
        ('S', _) => out.push_str("[^\\t\\n\\f\\r ]"),
        ('b', false) => out.push_str("(?-u:\\b)"),
        ('Q', false) => {
            let quoted: String = rest.by_ref().collect();
            let (literal, after) = quoted.split_once("\\E").unwrap_or((&quoted, ""));
            out.push_str(&regex::escape(literal));
            out.push_str(&translated(after));
        }
        _ => {
            out.push('\\');
            out.push(escaped);
        }
    }
}

fn go_text(pattern: &str, translated: &str, error: &regex_syntax::ast::Error) -> String {
    let at = error.span().start.offset;
    let from = translated.get(at..).unwrap_or_default();
    let first = |count: usize| -> String { from.chars().take(count).collect() };
    match error.kind() {
        ErrorKind::ClassUnclosed => format!("missing closing ]: `{from}`"),
        ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
        ErrorKind::RepetitionMissing => format!("missing argument to repetition operator: `{}`", first(1)),
        ErrorKind::ClassRangeInvalid => {
            let range = translated.get(at..error.span().end.offset).unwrap_or_default();
            format!("invalid character class range: `{range}`")
        }
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::UnsupportedLookAround => {
            let length = if from.starts_with("(?<") { 4 } else { 3 };
            format!("invalid or unsupported Perl syntax: `{}`", first(length))
        }
        ErrorKind::FlagUnrecognized => format!("invalid or unsupported Perl syntax: `(?{}`", first(1)),
        ErrorKind::UnsupportedBackreference | ErrorKind::EscapeUnrecognized => {
            format!("invalid escape sequence: `{}`", first(2))
        }
        ErrorKind::NestLimitExceeded(_) => format!("expression nests too deeply: `{pattern}`"),
        _ => format!("invalid or unsupported Perl syntax: `{from}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\w-]+$", "a_b-c", true),
            (r"^[^\s]+$", "a b", false),
            (r"[[]", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[[:alpha:]&&x]+$", "a&", true),
            (r"\Qa.b\E+", "a.bb", true),
            (r"\bfoo\b", "a foo b", true),
        ] {
            let compiled = compile(pattern).expect(pattern);
            assert_eq!(compiled.is_match(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn errors_are_those_of_go() {
        for (pattern, text) in [
            ("[", "missing closing ]: `[`"),
            ("a(b", "missing closing ): `a(b`"),
            ("a)b", "unexpected ): `a)b`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
            ("[z-a]", "invalid character class range: `z-a`"),
        ] {
            let error = compile(pattern).expect_err(pattern);
            assert_eq!(error, format!("error parsing regexp: {text}"));
        }
    }
}
