//! Field selectors: `spec.nodeName=n1,status.phase!=Failed` (`apimachinery/pkg/fields/selector.go`).

use std::fmt;

use super::{Parsed, SelectorError};

/// Which fields are wanted: all terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// The terms, sorted by their text.
    pub terms: Vec<FieldTerm>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// `spec.nodeName`
    pub field: String,
    /// What the field must be, or must not be.
    pub value: String,
    /// Whether it must be that.
    pub equal: bool,
}

impl FieldSelector {
    /// Reads a selector; an empty text selects everything.
    pub fn parse(text: &str) -> Parsed<Self> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, equal, value)) = split_term(part) else {
                return Err(SelectorError(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            terms.push(FieldTerm {
                field: field.to_owned(),
                value: unescape(value)?,
                equal,
            });
        }
        Ok(Self { terms })
    }

    /// Whether all terms hold, given the value of each field.
    pub fn matches(&self, mut value_of: impl FnMut(&str) -> String) -> bool {
        self.terms
            .iter()
            .all(|term| (value_of(&term.field) == term.value) == term.equal)
    }

    /// The value that a field must have, if one term says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let term = self.terms.iter().find(|term| term.equal && term.field == field)?;
        Some(&term.value)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            let value = term
                .value
                .replace('\\', "\\\\")
                .replace(',', "\\,")
                .replace('=', "\\=");
            write!(f, "{comma}{}{operator}{value}", term.field)?;
        }
        Ok(())
    }
}

/// Cuts at commas that no backslash stands before.
fn split_terms(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let index = term.char_indices().map(|(index, _)| index).find(|index| {
        let rest = &term[*index..];
        rest.starts_with('=') || rest.starts_with("!=")
    })?;
    let (field, rest) = term.split_at(index);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((field, true, value))
}

fn unescape(text: &str) -> Parsed<String> {
    let invalid = |rest: &str| Err(SelectorError(format!("invalid field selector: {rest}")));
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => value.push(c),
                Some(c) => return invalid(&format!("invalid escape sequence: \\{c}")),
                None => return invalid("invalid escape sequence: \\"),
            },
            ',' | '=' => return invalid(&format!("unescaped character in value: {}", u32::from(c))),
            c => value.push(c),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn field_selectors_are_read() {
        let selector = FieldSelector::parse("b!=2,a=1\\,2,,c==").expect("a selector");
        assert_eq!(selector.to_string(), "a=1\\,2,b!=2,c=");
        assert!(selector.matches(|name| if name == "a" {
            "1,2".to_owned()
        } else {
            String::new()
        }));
        for (text, error) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            (
                "a=b=c",
                "invalid field selector: unescaped character in value: 61",
            ),
            ("a=\\b", "invalid field selector: invalid escape sequence: \\b"),
        ] {
            assert_eq!(
                FieldSelector::parse(text),
                Err(SelectorError(error.to_owned())),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[a-c!=,\\\\]{0,16}|.*") {
            if let Ok(selector) = FieldSelector::parse(&text) {
                // Terms are sorted as they were written, and a part may be written in two ways: the order may change.
                let sorted = |selector: FieldSelector| {
                    let mut terms = selector.terms;
                    terms.sort_by(|a, b| (&a.field, &a.value, a.equal).cmp(&(&b.field, &b.value, b.equal)));
                    terms
                };
                let again = FieldSelector::parse(&selector.to_string()).map(sorted);
                prop_assert_eq!(again, Ok(sorted(selector)));
            }
        }
    }
}
