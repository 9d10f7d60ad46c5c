//! The built-in types: a text in which every look-up is a search in one short line.

use std::sync::LazyLock;

use super::Scope;

const TEXT: &str = include_str!("kubernetes.txt");

/// Where the lines about kinds and those about types begin. Found by the compiler, so that a process that asks for one kind
/// does not go through 650 lines first.
static KINDS: [u32; count(b'K')] = starts(b'K');
static TYPES: [u32; count(b'T')] = starts(b'T');

const fn count(letter: u8) -> usize {
    let text = TEXT.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        if text[at] == letter && (at == 0 || text[at - 1] == b'\n') {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn starts<const LINES: usize>(letter: u8) -> [u32; LINES] {
    let text = TEXT.as_bytes();
    let mut starts = [0; LINES];
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        if text[at] == letter && (at == 0 || text[at - 1] == b'\n') {
            // Behind the letter and its blank; the text is 40 KB long.
            starts[count] = at as u32 + 2;
            count += 1;
        }
        at += 1;
    }
    starts
}

fn line(start: u32) -> &'static str {
    let rest = &TEXT[start as usize..];
    rest.split_once('\n').map_or(rest, |(line, _)| line)
}

/// What stands behind a field's `=`: the number of a type, or a list `[element]strategy:keys`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(&'static str);

pub(super) fn kind(api_version: &str, kind: &str) -> Option<Entry> {
    let (to, _) = find_kind(api_version, kind)?;
    (to != "-").then_some(Entry(to))
}

pub(super) fn scope(api_version: &str, kind: &str) -> Option<Scope> {
    match find_kind(api_version, kind)?.1 {
        "n" => Some(Scope::Namespaced),
        "c" => Some(Scope::Cluster),
        _ => None,
    }
}

/// The type and the scope of a kind, as written. The lines are sorted by version and kind.
fn find_kind(api_version: &str, kind: &str) -> Option<(&'static str, &'static str)> {
    let key = |start: &u32| {
        let (version, rest) = line(*start).split_once(' ').unwrap_or_default();
        let (kind, value) = rest.split_once(' ').unwrap_or_default();
        ((version, kind), value)
    };
    let at = KINDS
        .binary_search_by(|start| key(start).0.cmp(&(api_version, kind)))
        .ok()?;
    key(&KINDS[at]).1.split_once(' ')
}

pub(super) fn definition(name: &str) -> Option<Entry> {
    // The types are sorted by name, and their lines begin with it.
    let at = TYPES
        .binary_search_by(|start| line(*start).split(' ').next().unwrap_or_default().cmp(name))
        .ok()?;
    NUMBERS.get(at).map(|number| Entry(number))
}

/// The numbers of the types as text, so that every entry is a slice.
static NUMBERS: LazyLock<Vec<String>> = LazyLock::new(|| (0..TYPES.len()).map(|n| n.to_string()).collect());

impl Entry {
    pub(super) fn field(self, name: &str) -> Option<Entry> {
        let line = line(*TYPES.get(self.0.parse::<usize>().ok()?)?);
        let mut any = None;
        for entry in line.split(' ').skip(1) {
            match entry.split_once('=') {
                Some((field, value)) if field == name => return Some(Entry(value)),
                Some(("*", value)) => any = Some(Entry(value)),
                _ => {}
            }
        }
        any
    }

    pub(super) fn elements(self) -> Option<Entry> {
        let (element, _) = self.0.strip_prefix('[')?.split_once(']')?;
        (!element.is_empty()).then_some(Entry(element))
    }

    pub(super) fn strategy(self) -> &'static str {
        self.list().map_or("", |(strategy, _)| strategy)
    }

    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        let keys = self.list().map_or("", |(_, keys)| keys);
        keys.split(',').filter(|key| !key.is_empty())
    }

    fn list(self) -> Option<(&'static str, &'static str)> {
        self.0.strip_prefix('[')?.split_once(']')?.1.rsplit_once(':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_so_that_each_is_found() {
        let words = |start: &u32, count: usize| line(*start).split(' ').take(count).collect::<Vec<_>>();
        assert!(KINDS.is_sorted_by(|a, b| words(a, 2) < words(b, 2)));
        assert!(TYPES.is_sorted_by(|a, b| words(a, 1) < words(b, 1)));
        assert_eq!(
            KINDS.len() + TYPES.len(),
            TEXT.lines().filter(|l| !l.starts_with('#')).count()
        );
    }
}
