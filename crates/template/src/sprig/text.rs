//! Go's view of text: strings are bytes, runes are decoded one bad byte at a time, and case and categories come from
//! the simple mappings of package `unicode`.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use crate::unicode;

/// The runes of a string with their lengths in bytes.
pub(super) fn runes(bytes: &[u8]) -> impl Iterator<Item = (char, usize)> + '_ {
    unicode::chars(bytes).map(|(_, c, size)| (c, size))
}

/// Applies a mapping to every rune; bad bytes become U+FFFD.
pub(super) fn map_runes(bytes: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (c, _) in runes(bytes) {
        unicode::push(&mut out, change(c));
    }
    out
}

/// `unicode.ToUpper`: one rune for one rune.
pub(super) fn to_upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    single(c.to_uppercase()).unwrap_or_else(|| greek_capital(c))
}

/// `unicode.ToLower`: one rune for one rune.
pub(super) fn to_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // The only letter whose full lower case has two runes; its simple one is a plain i.
    single(c.to_lowercase()).unwrap_or(if c == 'İ' { 'i' } else { c })
}

/// `unicode.ToTitle`: one rune for one rune.
pub(super) fn to_title(c: char) -> char {
    match c {
        '\u{01C4}'..='\u{01C6}' => '\u{01C5}',
        '\u{01C7}'..='\u{01C9}' => '\u{01C8}',
        '\u{01CA}'..='\u{01CC}' => '\u{01CB}',
        '\u{01F1}'..='\u{01F3}' => '\u{01F2}',
        // Georgian letters have capitals, but titles keep the small ones.
        '\u{10D0}'..='\u{10FA}' | '\u{10FD}'..='\u{10FF}' => c,
        _ => to_upper(c),
    }
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

/// Letters whose full upper case is two runes; those with an iota subscript have a simple capital all the same.
fn greek_capital(c: char) -> char {
    let shift = match c {
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => 8,
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(c) + shift).unwrap_or(c)
}

/// `unicode.IsUpper`: category Lu.
pub(super) fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    c.is_uppercase() && UPPER.contains(c)
}

/// `unicode.IsLower`: category Ll.
pub(super) fn is_lower(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_lowercase();
    }
    c.is_lowercase() && LOWER.contains(c)
}

/// `unicode.IsTitle`: category Lt.
pub(super) fn is_title(c: char) -> bool {
    !c.is_ascii() && TITLE.contains(c)
}

/// `unicode.IsNumber`: category N.
pub(super) fn is_number(c: char) -> bool {
    c.is_numeric()
}

/// `unicode.IsPunct`: category P.
pub(super) fn is_punct(c: char) -> bool {
    PUNCT.contains(c)
}

/// `unicode.IsSpace`.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

static UPPER: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{Lu}"));
static LOWER: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{Ll}"));
static TITLE: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{Lt}"));
static PUNCT: LazyLock<Category> = LazyLock::new(|| Category::new(r"\p{P}"));

/// Sorted, disjoint ranges of code points.
struct Category(Vec<(char, char)>);

impl Category {
    /// The class that a regular expression of one class names; the tables come with the regex crate anyway.
    fn new(class: &str) -> Category {
        let parsed = regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind);
        Category(match parsed {
            Ok(HirKind::Class(Class::Unicode(class))) => class.iter().map(|r| (r.start(), r.end())).collect(),
            _ => Vec::new(),
        })
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}

/// `strings.Index`, for needles of any length.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(0),
        [byte] => haystack.iter().position(|b| b == byte),
        _ => memchr_find(haystack, needle),
    }
}

fn memchr_find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, tail) = needle.split_first()?;
    let last_start = haystack.len().checked_sub(needle.len())?;
    let mut from = 0;
    while from <= last_start {
        from += haystack[from..=last_start].iter().position(|b| b == first)?;
        if haystack[from + 1..].starts_with(tail) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// `strings.SplitN`; `limit` below 0 is no limit, 0 gives nothing.
pub(super) fn split<'a>(text: &'a [u8], separator: &[u8], limit: i64) -> Vec<&'a [u8]> {
    let mut limit = match usize::try_from(limit) {
        Ok(0) => return Vec::new(),
        Ok(n) => n,
        Err(_) => usize::MAX,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        // Go explodes the string into its characters; an empty string into none.
        while limit > 1 {
            let Some((_, size)) = runes(rest).next() else {
                break;
            };
            parts.push(&rest[..size]);
            rest = &rest[size..];
            limit -= 1;
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while limit > 1 {
        let Some(at) = find(rest, separator) else { break };
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
        limit -= 1;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_bytes_are_one_rune_each() {
        let decoded: Vec<(char, usize)> = runes(b"a\xff\xe4\xb8z").collect();
        let bad = (unicode::REPLACEMENT, 1);
        assert_eq!(decoded, [('a', 1), bad, bad, bad, ('z', 1)]);
    }

    #[test]
    fn case_maps_one_rune_to_one() {
        assert_eq!(to_upper('ß'), 'ß');
        assert_eq!(to_upper('ᾳ'), 'ᾼ');
        assert_eq!(to_lower('İ'), 'i');
        assert_eq!(to_title('ǆ'), 'ǅ');
        assert!(!is_upper('Ⅷ'), "a letter number is not a letter");
    }

    #[test]
    fn splits_as_go_does() {
        let parts = |text: &'static str, sep: &str, n| split(text.as_bytes(), sep.as_bytes(), n);
        assert_eq!(parts("", ",", -1), [b""]);
        assert!(parts("", "", -1).is_empty());
        assert_eq!(parts("aéb", "", 2), ["a".as_bytes(), "éb".as_bytes()]);
        assert_eq!(parts("a,b,c", ",", 2), [b"a".as_slice(), b"b,c"]);
    }
}
