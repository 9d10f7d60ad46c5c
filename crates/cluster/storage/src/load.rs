//! Reads the table once, at the start: two threads share it, because a start is waited for.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;

use crate::log::{COLUMNS, Compaction, FIRST_REVISION, Record, malformed};
use crate::{Entry, Key};

/// The live objects of one resource in the order of their paths.
pub(crate) type Objects = Vec<(Box<str>, Arc<Entry>)>;

/// What the table holds.
pub(crate) struct Loaded {
    pub resources: Vec<(Arc<str>, Objects)>,
    /// The last revision that was ever acknowledged.
    pub revision: u64,
    pub compaction: Compaction,
}

/// Rows that a thread reads between two looks at what is left.
const STEP_ROWS: usize = 1_000;

/// Reads the table through two connections to the same state: nobody writes yet.
pub(crate) fn load(one: &mut Connection, other: &mut Connection) -> rusqlite::Result<Loaded> {
    let compaction = Compaction::read(one)?;
    let newest: Option<i64> = one.query_row("SELECT max(revision) FROM revisions", [], |row| row.get(0))?;
    let newest = newest.unwrap_or(0) as u64;
    let shares = Shares::of(newest);
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| Part::read(other, &shares, 1));
        (Part::read(one, &shares, 0), second.join())
    });
    let second = second.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Ok(Loaded {
        resources: join(first?, second?)?,
        revision: FIRST_REVISION.max(compaction.compacted).max(newest),
        compaction,
    })
}

/// What is left to read: for each thread the revisions above the first number, up to the second.
struct Shares {
    left: Mutex<[(u64, u64); 2]>,
}

impl Shares {
    fn of(newest: u64) -> Shares {
        Shares {
            left: Mutex::new([(0, newest / 2), (newest / 2, newest)]),
        }
    }

    /// The next range of a thread. One that has nothing left takes half of what the other has: where the rows lie among
    /// the revisions, nobody knows.
    fn next(&self, thread: usize) -> Option<(u64, u64)> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left[thread].0 == left[thread].1 {
            let (low, high) = left[1 - thread];
            let middle = low + (high - low) / 2;
            left[thread] = (low, middle);
            left[1 - thread].0 = middle;
        }
        let (low, high) = left[thread];
        (low < high).then_some((low, high))
    }

    /// A thread has read its range down to a revision, which stays to be read. Returns the revision from which down the
    /// other has taken over meanwhile: what was read of that does not count.
    fn done(&self, thread: usize, down_to: u64) -> u64 {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let low = left[thread].0;
        left[thread].1 = down_to.max(low);
        low
    }
}

/// What one thread found.
#[derive(Default)]
struct Part {
    resources: HashMap<Arc<str>, Objects>,
    /// Revisions that were superseded by what was read.
    superseded: HashSet<u64>,
}

impl Part {
    fn read(connection: &mut Connection, shares: &Shares, thread: usize) -> rusqlite::Result<Part> {
        let mut part = Part::default();
        let mut names = Names::default();
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM revisions WHERE revision > ?1 AND revision <= ?2
             ORDER BY revision DESC LIMIT {STEP_ROWS}"
        ))?;
        let mut step = Vec::with_capacity(STEP_ROWS);
        while let Some((low, high)) = shares.next(thread) {
            let mut rows = statement.query([low as i64, high as i64])?;
            let (mut count, mut last) = (0, high);
            while let Some(row) = rows.next()? {
                let record = Record::read_head(row)?;
                (count, last) = (count + 1, record.revision);
                if record.previous != 0 {
                    part.superseded.insert(record.previous);
                }
                // From the end, so that most of what was superseded is known before it is met, and its body, which may
                // lie on pages of its own, is not looked at.
                if !record.deleted && !part.superseded.contains(&record.revision) {
                    step.push(names.entry(&record.with_body(row)?));
                }
            }
            let taken = shares.done(thread, if count < STEP_ROWS { low } else { last - 1 });
            for entry in step.drain(..).filter(|entry| entry.revision > taken) {
                part.keep(entry);
            }
        }
        part.resources.values_mut().for_each(sort);
        Ok(part)
    }

    fn keep(&mut self, entry: Entry) {
        let resource = &entry.key.resource;
        let objects = match self.resources.get_mut(resource) {
            Some(objects) => objects,
            None => self.resources.entry(resource.clone()).or_default(),
        };
        objects.push((entry.key.path(), Arc::new(entry)));
    }
}

/// Stable, because that is fast where sorted parts follow each other.
fn sort(objects: &mut Objects) {
    objects.sort_by(|(one, _), (other, _)| one.cmp(other));
}

fn join(one: Part, other: Part) -> rusqlite::Result<Vec<(Arc<str>, Objects)>> {
    let mut resources = one.resources;
    for (resource, objects) in other.resources {
        resources.entry(resource).or_default().extend(objects);
    }
    for objects in resources.values_mut() {
        let is_superseded =
            |revision| one.superseded.contains(&revision) || other.superseded.contains(&revision);
        objects.retain(|(_, entry)| !is_superseded(entry.revision));
        sort(objects);
        if let Some(pair) = objects.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(malformed(format!("there are two of {:?}", pair[0].1)));
        }
    }
    Ok(resources.into_iter().collect())
}

/// Resources and namespaces are few and repeat in every row: one text each.
#[derive(Default)]
struct Names {
    known: HashSet<Arc<str>>,
}

impl Names {
    fn entry(&mut self, record: &Record<'_>) -> Entry {
        let (resource, namespace) = (self.shared(record.resource), self.shared(record.namespace));
        let key = Key {
            resource,
            namespace,
            name: record.name.into(),
        };
        Entry::new(
            key,
            record.revision,
            record.created,
            Bytes::copy_from_slice(record.body),
        )
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.known.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the two take turns, each revision is read once.
    #[test]
    fn two_threads_share_all_revisions() {
        for turns in 0..64_u32 {
            for newest in [0, 1, 2, 3, 17, 100] {
                let shares = Shares::of(newest);
                let mut read = Vec::new();
                let mut ranges = [shares.next(0), shares.next(1)];
                let mut turn = 0;
                while ranges.iter().any(Option::is_some) {
                    let mut thread = (turns >> (turn % 6)) as usize & 1;
                    if ranges[thread].is_none() {
                        thread = 1 - thread;
                    }
                    turn += 1;
                    // Three at a time, from above.
                    let (low, high) = ranges[thread].expect("one of them has something left");
                    let done_to = low.max(high.saturating_sub(3));
                    let taken = shares.done(thread, done_to);
                    read.extend((done_to + 1..=high).filter(|revision| *revision > taken));
                    ranges[thread] = shares.next(thread);
                }
                read.sort_unstable();
                assert_eq!(read, (1..=newest).collect::<Vec<_>>(), "{turns} {newest}");
            }
        }
    }
}
