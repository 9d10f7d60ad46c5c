//! The latest events of one resource, for its watches.

use std::collections::VecDeque;

use crate::limits::Bounds;
use crate::table::{Past, Range};
use crate::{Event, EventKind};

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
    pub fn new(floor: u64, bounds: Bounds) -> Ring {
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

    pub fn push(&mut self, event: Event) {
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > self.bounds.ring_events || self.bytes > self.bounds.ring_bytes {
            if !self.pop() {
                break;
            }
        }
    }

    pub fn forget(&mut self, to: u64) {
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
