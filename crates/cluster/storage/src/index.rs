//! What is true now, in memory: the live objects of each resource in order, and its latest events.
//!
//! Readers take the lock of one resource for as long as a page of pointers takes to copy; the writer takes it only to
//! show what is already on disk. The revision is raised while the writer holds the locks of all resources that the
//! batch touches, so whoever holds one of them sees exactly the writes up to the revision that he reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use tokio::sync::watch;

use crate::limits::Bounds;
use crate::load::Loaded;
use crate::ordered::Ordered;
use crate::table::{State, Table};
use crate::{Entry, Event, Key};

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

/// A batch that is shown, and whose watches are not woken yet.
pub(crate) struct News {
    revision: u64,
    ends: Vec<(Arc<Table>, u64)>,
}

impl Index {
    pub fn new(loaded: Loaded, bounds: Bounds) -> Index {
        let opened = loaded.revision;
        let tables = loaded
            .resources
            .into_iter()
            .map(|(resource, objects)| {
                (
                    resource,
                    Arc::new(Table::new(Ordered::from_sorted(objects), opened, bounds)),
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
                Ordered::default(),
                self.opened.max(self.compacted()),
                self.bounds,
            ))
        };
        tables.entry(resource.into()).or_insert_with(new).clone()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.table(&key.resource)?.read().get(&key.path()).cloned()
    }

    /// Shows a batch, which is on disk, to readers. Events are in the order of their revisions.
    pub fn publish(&self, events: Vec<Event>) -> News {
        let mut tables: Vec<(Arc<str>, Arc<Table>)> = Vec::new();
        for event in &events {
            let resource = &event.entry.key.resource;
            if !tables.iter().any(|(known, _)| known == resource) {
                tables.push((resource.clone(), self.table_or_new(resource)));
            }
        }
        let mut guards: Vec<RwLockWriteGuard<'_, State>> =
            tables.iter().map(|(_, table)| table.write()).collect();
        let mut revision = self.revision();
        for event in events {
            revision = event.entry.revision;
            let place = tables
                .iter()
                .position(|(known, _)| *known == event.entry.key.resource);
            guards[place.expect("every event's table was collected above")].apply(event);
        }
        self.revision.store(revision, Ordering::Release);
        let ends: Vec<u64> = guards.iter().map(|state| state.ring.end()).collect();
        drop(guards);
        News {
            revision,
            ends: tables.into_iter().map(|(_, table)| table).zip(ends).collect(),
        }
    }

    /// Wakes who waits for what was published.
    pub fn announce(&self, news: &News) {
        for (table, end) in &news.ends {
            table.wake(*end);
        }
        self.reached.send_replace(news.revision);
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
            table.wake_all();
        }
        self.reached.send_modify(|_| {});
    }
}
