//! Go's replacement syntax: `$1`, `${1}`, `$name`, `${name}`, `$$`.

use regex::bytes::Captures;

use crate::unicode;

/// A replacement text, read once for all matches.
pub(super) struct Replacement<'a> {
    parts: Vec<Part<'a>>,
}

enum Part<'a> {
    Text(&'a [u8]),
    /// The groups of that name or number; the first that took part counts.
    Groups(Vec<usize>),
}

impl<'a> Replacement<'a> {
    /// Reads a replacement for an expression with these group names. Unknown groups are empty.
    pub fn parse(template: &'a [u8], names: &[Option<String>]) -> Replacement<'a> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.iter().position(|&b| b == b'$') {
            parts.push(Part::Text(&rest[..at]));
            let after = &rest[at + 1..];
            if after.first() == Some(&b'$') {
                parts.push(Part::Text(b"$"));
                rest = &after[1..];
            } else if let Some((name, length)) = group_name(after) {
                parts.push(Part::Groups(groups_named(name, names)));
                rest = &after[length..];
            } else {
                parts.push(Part::Text(b"$"));
                rest = after;
            }
        }
        parts.push(Part::Text(rest));
        Replacement { parts }
    }

    /// Appends the replacement of one match.
    pub fn expand(&self, groups: &Captures<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Groups(numbers) => {
                    if let Some(found) = numbers.iter().find_map(|&n| groups.get(n)) {
                        out.extend_from_slice(found.as_bytes());
                    }
                }
            }
        }
    }
}

/// The name after a dollar, and how many bytes it takes with its braces: the longest run of letters, digits and
/// underscores, so that `$1x` is the group `1x`.
fn group_name(after: &[u8]) -> Option<(&str, usize)> {
    let braced = after.first() == Some(&b'{');
    let start = usize::from(braced);
    let length: usize = unicode::chars(&after[start..])
        .take_while(|&(_, c, _)| c == '_' || unicode::is_letter(c) || unicode::is_digit(c))
        .map(|(_, _, size)| size)
        .sum();
    let end = start + length;
    if length == 0 || braced && after.get(end) != Some(&b'}') {
        return None;
    }
    let name = std::str::from_utf8(&after[start..end]).ok()?;
    Some((name, end + start))
}

fn groups_named(name: &str, names: &[Option<String>]) -> Vec<usize> {
    // Go reads numbers without an upper bound of its own as long as they stay below 10^8.
    if name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0')) {
        return match name.parse::<usize>() {
            Ok(number) if number < 100_000_000 => vec![number],
            _ => Vec::new(),
        };
    }
    let named = names
        .iter()
        .enumerate()
        .filter(|(_, n)| n.as_deref() == Some(name));
    named.map(|(i, _)| i + 1).collect()
}
