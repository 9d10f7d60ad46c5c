//! One resource in memory: its live objects, its latest events, and how its lists are made.

use std::collections::btree_map::{self, BTreeMap};
use std::iter::Peekable;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::limits::Bounds;
use crate::ordered::{Ordered, Place};
use crate::ring::Ring;
use crate::{Entry, Event, EventKind, Listing};

/// One resource.
pub(crate) struct Table {
    state: RwLock<State>,
    /// Wakes the resource's watches; the number of events that there ever were.
    end: watch::Sender<u64>,
}

/// What is known of one resource.
pub(crate) struct State {
    objects: Ordered,
    pub ring: Ring,
}

/// Keys that changed after some revision, with their states at that revision.
pub(crate) type Past = BTreeMap<Box<str>, Option<Arc<Entry>>>;

impl Table {
    /// Events up to `floor` were never in memory.
    pub fn new(objects: Ordered, floor: u64, bounds: Bounds) -> Table {
        let state = State {
            objects,
            ring: Ring::new(floor, bounds),
        };
        Table {
            state: RwLock::new(state),
            end: watch::Sender::new(0),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }

    /// Wakes the watches: the ring ends here now.
    pub fn wake(&self, end: u64) {
        self.end.send_replace(end);
    }

    /// Wakes the watches, though nothing happened.
    pub fn wake_all(&self) {
        self.end.send_modify(|_| {});
    }
}

/// Which objects of a resource a list is about.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    pub namespace: Option<&'a str>,
    /// Only paths behind this one.
    pub after: Option<&'a str>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Range<'_> {
    pub fn contains(&self, path: &str) -> bool {
        let within = self.namespace.is_none_or(|namespace| {
            path.strip_prefix(namespace)
                .is_some_and(|rest| rest.starts_with('/'))
        });
        within && self.after.is_none_or(|after| path > after)
    }

    /// The first place that is in, and the first behind it that is not.
    fn places(&self, objects: &Ordered) -> (Place, Place) {
        let (mut start, mut end) = (objects.start(), objects.end());
        if let Some(namespace) = self.namespace {
            start = objects.at(&format!("{namespace}/"));
            // '0' is the byte behind '/'.
            end = objects.at(&format!("{namespace}0"));
        }
        if let Some(after) = self.after {
            start = start.max(objects.behind(after));
        }
        (start, end)
    }
}

impl State {
    pub fn apply(&mut self, event: Event) {
        let path = event.entry.key.path();
        match event.kind {
            EventKind::Put { .. } => self.objects.insert(path, event.entry.clone()),
            EventKind::Delete { .. } => self.objects.remove(&path),
        }
        self.ring.push(event);
    }

    pub fn get(&self, path: &str) -> Option<&Arc<Entry>> {
        self.objects.get(path)
    }

    /// The objects as they are now.
    pub fn list(&self, range: Range<'_>, revision: u64) -> Listing {
        let (start, end) = range.places(&self.objects);
        let count = self.objects.count(start, end);
        let limit = range.limit.unwrap_or(count).min(count);
        let mut entries = Vec::with_capacity(limit);
        entries.extend(
            self.objects
                .between(start, end)
                .take(limit)
                .map(|(_, entry)| entry.clone()),
        );
        Listing {
            entries,
            revision,
            remaining: count - limit,
        }
    }

    /// The objects as they were, given the states of those in the range that changed since.
    pub fn list_past(&self, range: Range<'_>, past: &Past, revision: u64) -> Listing {
        let (start, end) = range.places(&self.objects);
        let mut count = self.objects.count(start, end);
        for (path, was) in past {
            count += usize::from(was.is_some());
            count -= usize::from(self.objects.get(path).is_some());
        }
        let merged = Merged {
            now: self.objects.between(start, end).peekable(),
            past: past.iter().peekable(),
        };
        let entries: Vec<Arc<Entry>> = merged.take(range.limit.unwrap_or(count)).cloned().collect();
        let remaining = count - entries.len();
        Listing {
            entries,
            revision,
            remaining,
        }
    }
}

/// What is and what was, in one order; what was has the word.
struct Merged<'a, Now: Iterator<Item = (&'a str, &'a Arc<Entry>)>> {
    now: Peekable<Now>,
    past: Peekable<btree_map::Iter<'a, Box<str>, Option<Arc<Entry>>>>,
}

impl<'a, Now: Iterator<Item = (&'a str, &'a Arc<Entry>)>> Iterator for Merged<'a, Now> {
    type Item = &'a Arc<Entry>;

    fn next(&mut self) -> Option<&'a Arc<Entry>> {
        loop {
            let Some((changed, _)) = self.past.peek() else {
                return self.now.next().map(|(_, entry)| entry);
            };
            if let Some((_, entry)) = self.now.next_if(|(path, _)| *path < &***changed) {
                return Some(entry);
            }
            self.now.next_if(|(path, _)| *path == &***changed);
            if let Some((_, Some(entry))) = self.past.next() {
                return Some(entry);
            }
        }
    }
}
