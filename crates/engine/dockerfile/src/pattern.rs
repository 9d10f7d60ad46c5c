//! Wildcards of paths: Go's `filepath.Match` for sources of COPY, with `**` for `.dockerignore` and `--exclude`.

use regex::{Regex, RegexBuilder};

use crate::limits;

/// A compiled pattern of paths with slashes.
#[derive(Clone, Debug)]
pub struct Pattern {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Exact(String),
    /// `dir/**`.
    Prefix(String),
    /// `**/name`, `**name`.
    Suffix(String),
    Regex(Regex),
}

/// Whether a source of COPY has wildcards.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

impl Pattern {
    /// Compiles a clean pattern (no `.`, no `//`), as moby/patternmatcher does; none if it is malformed.
    pub fn new(pattern: &str) -> Option<Self> {
        if !well_formed(pattern) {
            return None;
        }
        let mut text = String::from("^");
        let mut form = Kind::Exact;
        let mut chars = pattern.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.peek() == Some(&'*') => {
                    chars.next();
                    if chars.peek() == Some(&'/') {
                        chars.next();
                    }
                    if chars.peek().is_none() {
                        if form == Kind::Exact {
                            form = Kind::Prefix;
                        } else {
                            text.push_str(".*");
                            form = Kind::Regex;
                        }
                    } else {
                        text.push_str("(.*/)?");
                        form = Kind::Regex;
                    }
                    if first {
                        form = Kind::Suffix;
                    }
                }
                '*' => {
                    text.push_str("[^/]*");
                    form = Kind::Regex;
                }
                '?' => {
                    text.push_str("[^/]");
                    form = Kind::Regex;
                }
                '\\' => {
                    let next = chars.next().unwrap_or('\\');
                    text.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                    form = Kind::Regex;
                }
                '[' => {
                    text.push('[');
                    class(&mut chars, &mut text);
                    form = Kind::Regex;
                }
                c => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            }
            first = false;
        }
        let form = match form {
            Kind::Exact => Form::Exact(pattern.to_owned()),
            Kind::Prefix => Form::Prefix(pattern.trim_end_matches("**").to_owned()),
            Kind::Suffix => Form::Suffix(pattern.strip_prefix("**").unwrap_or(pattern).to_owned()),
            Kind::Regex => {
                text.push('$');
                let regex = RegexBuilder::new(&text)
                    .size_limit(limits::PATTERN_BYTES_MAX)
                    .build();
                Form::Regex(regex.ok()?)
            }
        };
        Some(Self { form })
    }

    /// Whether it is the pattern of this path.
    pub fn matches(&self, path: &str) -> bool {
        match &self.form {
            Form::Exact(name) => path == name,
            Form::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Form::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/').is_some_and(|rest| path == rest)
            }
            Form::Regex(regex) => regex.is_match(path),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Regex,
}

/// Go's `path/filepath.Match` accepts: escapes are complete, classes are closed and have a character.
fn well_formed(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => return false,
            '[' => {
                let mut count = 0;
                let mut closed = false;
                while let Some(c) = chars.next() {
                    match c {
                        ']' if count > 0 => {
                            closed = true;
                            break;
                        }
                        '\\' if chars.next().is_none() => return false,
                        '^' if count == 0 => {}
                        _ => count += 1,
                    }
                }
                if !closed {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// The rest of a class, in the regex crate's syntax: only `^`, `-` and `]` mean something.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, text: &mut String) {
    let mut count = 0;
    while let Some(c) = chars.next() {
        match c {
            ']' if count > 0 => break,
            '^' if count == 0 && text.ends_with('[') => text.push('^'),
            '-' => text.push('-'),
            '\\' => {
                let next = chars.next().unwrap_or('\\');
                text.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                count += 1;
            }
            c => {
                text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                count += 1;
            }
        }
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn paths() {
        for (pattern, path, fits) in [
            ("**", "a/b", true),
            ("**", "file", true),
            ("**/", "file", true),
            ("**/a", "x/y/a", true),
            ("**/a", "a", true),
            ("a/**", "a/b/c", true),
            ("a/**", "ab", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("*.go", "a.go", true),
            ("*.go", "d/a.go", false),
            ("**/*.go", "d/e/a.go", true),
            ("a[b-d]e", "ace", true),
            ("a[^b-d]e", "ace", false),
            ("a?c", "a/c", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a.b", "axb", false),
            ("dir/**/file*", "dir/x/y/file2", true),
        ] {
            let compiled = Pattern::new(pattern.trim_end_matches('/')).expect(pattern);
            assert_eq!(compiled.matches(path), fits, "{pattern} {path}");
        }
        for malformed in ["[", "[]", "[^]", "a\\", "[a"] {
            assert!(Pattern::new(malformed).is_none(), "{malformed}");
        }
    }
}
