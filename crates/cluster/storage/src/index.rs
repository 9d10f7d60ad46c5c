//! What is true now, in memory: the live objects of each resource in order, and its latest events.
//!
//! Readers take the lock of one resource for as long as a page of pointers takes to copy; the writer takes it only to
//! show what is already on disk. The revision is raised while the writer holds the locks of all resources that the
//! batch touches, so whoever holds one of them sees exactly the writes up to the revision that he reads.

use std::collections::btree_map::{self, BTreeMap};
use std::collections::{HashMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::limits::Bounds;
use crate::log::Loaded;
use crate::{Entry, Event, EventKind, Key, Listing};

/// All resources.
pub(crate) struct Index {
    tables: RwLock<HashMap<Arc<str>, Arc<Table>>>,
    /// The last revision that readers may see.
    revision: AtomicU64,
    /// States before this revision cannot be asked for.
    compacted: AtomicU64,
    /// Events up to this revision were never in memory.
    opened: u64,
    bounds: Bounds,
    closed: AtomicBool,
    /// Wakes those who wait for a revision.
    reached: watch::Sender<u64>,
}

/// One resource.
pub(crate) struct Table {
    state: RwLock<State>,
    /// Wakes the resource's watches; the number of events that there ever were.
    end: watch::Sender<u64>,
}

/// What is known of one resource.
pub(crate) struct State {
    objects: BTreeMap<Box<str>, Arc<Entry>>,
    pub ring: Ring,
}

/// Keys that changed after some revision, with their states at that revision.
pub(crate) type Past = BTreeMap<Box<str>, Option<Arc<Entry>>>;

impl Index {
    pub fn new(loaded: Loaded, bounds: Bounds) -> Index {
        let opened = loaded.revision;
        let tables = loaded
            .resources
            .into_iter()
            .map(|(resource, objects)| {
                (
                    resource,
                    Arc::new(Table::new(objects.into_iter().collect(), opened, bounds)),
                )
            })
            .collect();
        Index {
            tables: RwLock::new(tables),
            revision: AtomicU64::new(opened),
            compacted: AtomicU64::new(loaded.compaction.compacted),
            opened,
            bounds,
            closed: AtomicBool::new(false),
            reached: watch::Sender::new(opened),
        }
    }

    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub fn compacted(&self) -> u64 {
        self.compacted.load(Ordering::Acquire)
    }

    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub fn reached(&self) -> watch::Receiver<u64> {
        self.reached.subscribe()
    }

    pub fn table(&self, resource: &str) -> Option<Arc<Table>> {
        self.tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(resource)
            .cloned()
    }

    /// The table of a resource, made when it is missing: for writes and watches. An empty one costs a hundred bytes.
    pub fn table_or_new(&self, resource: &str) -> Arc<Table> {
        if let Some(table) = self.table(resource) {
            return table;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Table::new(
                BTreeMap::new(),
                self.opened.max(self.compacted()),
                self.bounds,
            ))
        };
        tables.entry(resource.into()).or_insert_with(new).clone()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.table(&key.resource)?
            .read()
            .objects
            .get(&*key.path())
            .cloned()
    }

    /// Shows a batch, which is on disk, to readers and watches. Events are in the order of their revisions.
    pub fn publish(&self, events: Vec<Event>) {
        let Some(last) = events.last().map(|event| event.entry.revision) else {
            return;
        };
        let mut tables: Vec<(Arc<str>, Arc<Table>)> = Vec::new();
        for event in &events {
            let resource = &event.entry.key.resource;
            if !tables.iter().any(|(known, _)| known == resource) {
                tables.push((resource.clone(), self.table_or_new(resource)));
            }
        }
        let mut guards: Vec<RwLockWriteGuard<'_, State>> =
            tables.iter().map(|(_, table)| table.write()).collect();
        for event in events {
            let place = tables
                .iter()
                .position(|(known, _)| *known == event.entry.key.resource);
            guards[place.expect("every event's table was collected above")].apply(event);
        }
        self.revision.store(last, Ordering::Release);
        let ends: Vec<u64> = guards.iter().map(|state| state.ring.end()).collect();
        drop(guards);
        for ((_, table), end) in tables.iter().zip(ends) {
            table.end.send_replace(end);
        }
        self.reached.send_replace(last);
    }

    /// Forgets the events up to a revision.
    pub fn compact(&self, to: u64) {
        self.compacted.store(to, Ordering::Release);
        let tables: Vec<Arc<Table>> = self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        for table in tables {
            table.write().ring.forget(to);
        }
    }

    /// Ends every watch and every wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for table in self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            table.end.send_modify(|_| {});
        }
        self.reached.send_modify(|_| {});
    }
}

impl Table {
    fn new(objects: BTreeMap<Box<str>, Arc<Entry>>, floor: u64, bounds: Bounds) -> Table {
        Table {
            state: RwLock::new(State {
                objects,
                ring: Ring::new(floor, bounds),
            }),
            end: watch::Sender::new(0),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn end(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
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
    /// The first path that may be in, and the first that may not.
    fn bounds(&self) -> (Bound<Box<str>>, Bound<Box<str>>) {
        let Some(namespace) = self.namespace else {
            let start = self
                .after
                .map_or(Bound::Unbounded, |after| Bound::Excluded(after.into()));
            return (start, Bound::Unbounded);
        };
        let first: Box<str> = format!("{namespace}/").into();
        // '0' is the byte behind '/'.
        let end: Box<str> = format!("{namespace}0").into();
        let start = match self.after {
            // A path behind the namespace: nothing, where BTreeMap::range would panic.
            Some(after) if *after >= *end => Bound::Included(end.clone()),
            Some(after) if *after >= *first => Bound::Excluded(after.into()),
            _ => Bound::Included(first),
        };
        (start, Bound::Excluded(end))
    }

    pub fn contains(&self, path: &str) -> bool {
        let within = self.namespace.is_none_or(|namespace| {
            path.strip_prefix(namespace)
                .is_some_and(|rest| rest.starts_with('/'))
        });
        within && self.after.is_none_or(|after| path > after)
    }
}

impl State {
    fn apply(&mut self, event: Event) {
        let path = event.entry.key.path();
        match event.kind {
            EventKind::Put { .. } => drop(self.objects.insert(path, event.entry.clone())),
            EventKind::Delete { .. } => drop(self.objects.remove(&path)),
        }
        self.ring.push(event);
    }

    pub fn get(&self, path: &str) -> Option<&Arc<Entry>> {
        self.objects.get(path)
    }

    /// The objects as they are now.
    pub fn list(&self, range: Range<'_>, revision: u64) -> Listing {
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut found = self.objects.range::<Box<str>, _>(range.bounds());
        let entries: Vec<_> = found
            .by_ref()
            .take(limit)
            .map(|(_, entry)| entry.clone())
            .collect();
        let whole = range.namespace.is_none() && range.after.is_none();
        let remaining = if whole {
            self.objects.len() - entries.len()
        } else {
            found.count()
        };
        Listing {
            entries,
            revision,
            remaining,
        }
    }

    /// The objects as they were, given the states of those that changed since.
    pub fn list_past(&self, range: Range<'_>, past: &Past, revision: u64) -> Listing {
        let bounds = range.bounds();
        let merged = Merged {
            now: self.objects.range::<Box<str>, _>(bounds.clone()).peekable(),
            past: past.range::<Box<str>, _>(bounds).peekable(),
        };
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut listing = Listing {
            entries: Vec::new(),
            revision,
            remaining: 0,
        };
        for entry in merged {
            if listing.entries.len() < limit {
                listing.entries.push(entry.clone());
            } else {
                listing.remaining += 1;
            }
        }
        listing
    }
}

/// What is and what was, in one order; what was has the word.
struct Merged<'a> {
    now: std::iter::Peekable<btree_map::Range<'a, Box<str>, Arc<Entry>>>,
    past: std::iter::Peekable<btree_map::Range<'a, Box<str>, Option<Arc<Entry>>>>,
}

impl<'a> Iterator for Merged<'a> {
    type Item = &'a Arc<Entry>;

    fn next(&mut self) -> Option<&'a Arc<Entry>> {
        loop {
            let now = self.now.peek().map(|(path, _)| *path);
            let past = self.past.peek().map(|(path, _)| *path);
            match (now, past) {
                (None, None) => return None,
                (Some(now), Some(past)) if now < past => return self.now.next().map(|(_, entry)| entry),
                (Some(_), None) => return self.now.next().map(|(_, entry)| entry),
                (now, Some(past)) => {
                    if now == Some(past) {
                        self.now.next();
                    }
                    if let Some((_, Some(entry))) = self.past.next() {
                        return Some(entry);
                    }
                }
            }
        }
    }
}

/// The latest events of a resource, bounded by number and bytes.
pub(crate) struct Ring {
    events: VecDeque<Event>,
    /// How many events left the ring; the place of an event is this plus its place in the ring.
    dropped: u64,
    /// Every event after this revision is in the ring.
    floor: u64,
    /// Bytes of the bodies that only the ring keeps.
    bytes: usize,
    bounds: Bounds,
}

impl Ring {
    fn new(floor: u64, bounds: Bounds) -> Ring {
        Ring {
            events: VecDeque::new(),
            dropped: 0,
            floor,
            bytes: 0,
            bounds,
        }
    }

    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The place of the next event.
    pub fn end(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// The place of the first event after a revision that is not below the floor.
    pub fn place_after(&self, revision: u64) -> u64 {
        let before = self
            .events
            .partition_point(|event| event.entry.revision <= revision);
        self.dropped + before as u64
    }

    /// The events from a place on; `None` when some of them left the ring.
    pub fn from(&self, place: u64) -> Option<impl Iterator<Item = &Event>> {
        let skip = place.checked_sub(self.dropped)?;
        Some(
            self.events
                .range(usize::try_from(skip).ok()?.min(self.events.len())..),
        )
    }

    /// The states before the events after a revision that is not below the floor: only adds what is not there yet.
    pub fn undo(&self, revision: u64, range: Range<'_>, past: &mut Past) {
        let place = self.place_after(revision);
        for event in self.from(place).into_iter().flatten() {
            let path = event.entry.key.path();
            if range.contains(&path) {
                past.entry(path).or_insert_with(|| event.previous().cloned());
            }
        }
    }

    fn push(&mut self, event: Event) {
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > self.bounds.ring_events || self.bytes > self.bounds.ring_bytes {
            if !self.pop() {
                break;
            }
        }
    }

    fn forget(&mut self, to: u64) {
        while self
            .events
            .front()
            .is_some_and(|event| event.entry.revision <= to)
        {
            self.pop();
        }
        self.floor = self.floor.max(to);
        if self.events.is_empty() {
            self.events.shrink_to_fit();
        }
    }

    fn pop(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else {
            return false;
        };
        self.bytes -= weight(&event);
        self.floor = self.floor.max(event.entry.revision);
        self.dropped += 1;
        true
    }
}

/// A put keeps the state before it alive, a delete both.
fn weight(event: &Event) -> usize {
    let previous = event.previous().map_or(0, |entry| entry.body.len());
    match event.kind {
        EventKind::Put { .. } => previous,
        EventKind::Delete { .. } => previous + event.entry.body.len(),
    }
}
