//! The built-in types: a text in which every look-up is a search in one short line.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Scope;

const TEXT: &str = include_str!("kubernetes.txt");

/// Where the lines are. Building it splits 650 lines, once, when the first merge asks.
static INDEX: LazyLock<Index> = LazyLock::new(Index::new);

struct Index {
    kinds: HashMap<(&'static str, &'static str), (&'static str, &'static str)>,
    types: Vec<&'static str>,
}

impl Index {
    fn new() -> Index {
        let mut index = Index {
            kinds: HashMap::with_capacity(300),
            types: Vec::with_capacity(400),
        };
        for line in TEXT.lines() {
            if let Some(rest) = line.strip_prefix("T ") {
                index.types.push(rest);
            } else if let Some(rest) = line.strip_prefix("K ") {
                let mut words = rest.split(' ');
                if let (Some(api_version), Some(kind), Some(to), Some(scope)) =
                    (words.next(), words.next(), words.next(), words.next())
                {
                    index.kinds.insert((api_version, kind), (to, scope));
                }
            }
        }
        index
    }
}

/// What stands behind a field's `=`: the number of a type, or a list `[element]strategy:keys`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(&'static str);

pub(super) fn kind(api_version: &str, kind: &str) -> Option<Entry> {
    let (to, _) = INDEX.kinds.get(&(api_version, kind))?;
    (*to != "-").then_some(Entry(to))
}

pub(super) fn scope(api_version: &str, kind: &str) -> Option<Scope> {
    match INDEX.kinds.get(&(api_version, kind))?.1 {
        "n" => Some(Scope::Namespaced),
        "c" => Some(Scope::Cluster),
        _ => None,
    }
}

pub(super) fn definition(name: &str) -> Option<Entry> {
    // The types are sorted by name, and their lines begin with it.
    let at = INDEX
        .types
        .binary_search_by(|line| line.split(' ').next().unwrap_or_default().cmp(name))
        .ok()?;
    NUMBERS.get(at).map(|number| Entry(number))
}

/// The numbers of the types as text, so that every entry is a slice.
static NUMBERS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..INDEX.types.len()).map(|n| n.to_string()).collect());

impl Entry {
    pub(super) fn field(self, name: &str) -> Option<Entry> {
        let line = INDEX.types.get(self.0.parse::<usize>().ok()?)?;
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
