//! Objects in the order of their paths, where the number of objects between two places is known without walking:
//! every page of a list says how many objects remain. A `BTreeMap` would count them one by one.

use std::sync::Arc;

use crate::Entry;

/// Objects of a chunk at most: an insertion moves no more (12 KB), a count adds up the chunks.
const CHUNK: usize = 512;

type Item = (Box<str>, Arc<Entry>);

/// A sorted list in chunks, none of which is empty.
#[derive(Default)]
pub(crate) struct Ordered {
    chunks: Vec<Vec<Item>>,
}

/// A place between two objects. It is good until the next change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    chunk: usize,
    offset: usize,
}

impl Ordered {
    /// Of items that are sorted, each path once.
    pub fn from_sorted(items: Vec<Item>) -> Ordered {
        let mut chunks = Vec::with_capacity(items.len().div_ceil(CHUNK / 2));
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            // Half full, so that the next insertions split nothing.
            chunks.push(items.by_ref().take(CHUNK / 2).collect());
        }
        Ordered { chunks }
    }

    pub fn get(&self, path: &str) -> Option<&Arc<Entry>> {
        let place = self.at(path);
        let (found, entry) = self.chunks.get(place.chunk)?.get(place.offset)?;
        (**found == *path).then_some(entry)
    }

    pub fn insert(&mut self, path: Box<str>, entry: Arc<Entry>) {
        let mut place = self.at(&path);
        if place.chunk == self.chunks.len() {
            // Behind all others.
            match self.chunks.last() {
                None => self.chunks.push(Vec::new()),
                Some(last) => {
                    place = Place {
                        chunk: place.chunk - 1,
                        offset: last.len(),
                    }
                }
            }
        }
        let chunk = &mut self.chunks[place.chunk];
        match chunk.get_mut(place.offset) {
            Some((found, there)) if *found == path => *there = entry,
            _ => chunk.insert(place.offset, (path, entry)),
        }
        if chunk.len() > CHUNK {
            let rest = chunk.split_off(CHUNK / 2);
            self.chunks.insert(place.chunk + 1, rest);
        }
    }

    pub fn remove(&mut self, path: &str) {
        if self.get(path).is_none() {
            return;
        }
        let place = self.at(path);
        self.chunks[place.chunk].remove(place.offset);
        // Small chunks join, so that there are never many.
        let left = self.chunks[place.chunk].len();
        let next = self.chunks.get(place.chunk + 1).map_or(0, Vec::len);
        if left == 0 {
            self.chunks.remove(place.chunk);
        } else if next > 0 && left + next <= CHUNK / 2 {
            let next = self.chunks.remove(place.chunk + 1);
            self.chunks[place.chunk].extend(next);
        }
    }

    /// Before the first object.
    pub fn start(&self) -> Place {
        Place { chunk: 0, offset: 0 }
    }

    /// Behind the last object.
    pub fn end(&self) -> Place {
        Place {
            chunk: self.chunks.len(),
            offset: 0,
        }
    }

    /// Before the first object whose path is not less.
    pub fn at(&self, path: &str) -> Place {
        self.place(|found| found < path)
    }

    /// Before the first object whose path is greater.
    pub fn behind(&self, path: &str) -> Place {
        self.place(|found| found <= path)
    }

    fn place(&self, is_before: impl Fn(&str) -> bool) -> Place {
        let all_before = |chunk: &Vec<Item>| chunk.last().is_some_and(|(path, _)| is_before(path));
        let chunk = self.chunks.partition_point(all_before);
        let offset = self
            .chunks
            .get(chunk)
            .map_or(0, |items| items.partition_point(|(path, _)| is_before(path)));
        Place { chunk, offset }
    }

    /// How many objects are between two places.
    pub fn count(&self, from: Place, to: Place) -> usize {
        if from >= to {
            return 0;
        }
        let whole: usize = self.chunks[from.chunk..to.chunk].iter().map(Vec::len).sum();
        whole + to.offset - from.offset
    }

    /// The objects between two places.
    pub fn between(&self, from: Place, to: Place) -> impl Iterator<Item = (&str, &Arc<Entry>)> {
        let chunks = self.chunks.iter().enumerate().skip(from.chunk);
        chunks
            .take_while(move |(number, _)| *number <= to.chunk)
            .flat_map(move |(number, items)| {
                let end = if number == to.chunk {
                    to.offset
                } else {
                    items.len()
                };
                let start = if number == from.chunk { from.offset } else { 0 };
                &items[start.min(end)..end]
            })
            .map(|(path, entry)| (&**path, entry))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::Key;

    fn entry(revision: u64) -> Arc<Entry> {
        Arc::new(Entry::new(
            Key::new("/pods", "", ""),
            revision,
            0,
            bytes::Bytes::new(),
        ))
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map(
            sorted in 0..2_000_u32,
            changes in proptest::collection::vec((0..3_000_u32, any::<bool>()), 0..3_000),
            bounds in proptest::collection::vec((0..3_000_u32, 0..3_000_u32), 20),
        ) {
            let path = |number: u32| format!("{number:04}");
            let items = (0..sorted).map(|number| (path(number).into(), entry(0))).collect();
            let mut ordered = Ordered::from_sorted(items);
            let mut model: BTreeMap<String, u64> = (0..sorted).map(|number| (path(number), 0)).collect();
            for (revision, (number, inserts)) in (1..).zip(changes) {
                if inserts {
                    ordered.insert(path(number).into(), entry(revision));
                    model.insert(path(number), revision);
                } else {
                    ordered.remove(&path(number));
                    model.remove(&path(number));
                }
            }
            prop_assert!(ordered.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.len())));
            prop_assert_eq!(ordered.count(ordered.start(), ordered.end()), model.len());
            for (one, other) in bounds {
                let (first, last) = (path(one.min(other)), path(one.max(other)));
                let revision = |path: &str| ordered.get(path).map(|entry| entry.revision);
                prop_assert_eq!(revision(&first), model.get(&first).copied());
                let places = (ordered.at(&first), ordered.behind(&last));
                let expected: Vec<(&str, u64)> =
                    model.range(first..=last).map(|(path, revision)| (&**path, *revision)).collect();
                let found: Vec<(&str, u64)> =
                    ordered.between(places.0, places.1).map(|(path, entry)| (path, entry.revision)).collect();
                prop_assert_eq!(ordered.count(places.0, places.1), expected.len());
                prop_assert_eq!(ordered.count(places.1, places.0), 0);
                prop_assert_eq!(ordered.between(places.1, places.0).count(), 0);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
