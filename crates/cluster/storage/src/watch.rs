//! Watches: each has a place in the ring of its resource, and is woken when the ring grows. The writer's work for a
//! thousand watches is a thousand wake-ups; nothing is copied for a watch that does not read.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use crate::history::History;
use crate::index::Index;
use crate::table::Table;
use crate::{Event, ReadError, WatchError};

/// The events of a resource, in the order of their revisions, without gap or duplicate.
pub struct Watch {
    index: Arc<Index>,
    history: Arc<History>,
    resource: Arc<str>,
    namespace: Option<Arc<str>>,
    table: Arc<Table>,
    grown: watch::Receiver<u64>,
    position: Position,
    /// Read, and not yet yielded.
    buffer: VecDeque<Event>,
    /// The revision of the last event that was yielded, or where the watch began.
    seen: u64,
}

enum Position {
    /// Reading the table: everything up to this revision was read.
    Table(u64),
    /// Reading the ring from this place, nothing up to this revision.
    Ring { place: u64, after: u64 },
}

impl Watch {
    pub(crate) fn new(
        index: Arc<Index>,
        history: Arc<History>,
        resource: &str,
        namespace: Option<&str>,
        from: u64,
    ) -> Watch {
        let table = index.table_or_new(resource);
        Watch {
            grown: table.end(),
            index,
            history,
            resource: resource.into(),
            namespace: namespace.map(Arc::from),
            table,
            position: Position::Table(from),
            buffer: VecDeque::new(),
            seen: from,
        }
    }

    /// The next event, as soon as there is one. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// [`WatchError::Lagged`] when the events to come next are no longer known; the watch is over then.
    pub async fn next(&mut self) -> Result<Event, WatchError> {
        loop {
            self.caught_up().await?;
            if let Some(event) = self.ready()? {
                return Ok(event);
            }
            if self.index.is_closed() {
                return Err(WatchError::Closed);
            }
            // Marked as seen before the ring was read, so growth in between wakes us at once.
            self.grown.changed().await.map_err(|_| WatchError::Closed)?;
        }
    }

    /// Reads what left memory, until the next event is in memory, or none is left to read.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub async fn caught_up(&mut self) -> Result<(), WatchError> {
        while self.buffer.is_empty() {
            self.grown.borrow_and_update();
            self.read_ring()?;
            match self.position {
                Position::Table(after) if self.buffer.is_empty() => self.read_table(after).await?,
                _ => break,
            }
        }
        Ok(())
    }

    /// The next event, if it is in memory: after [`Watch::caught_up`], `None` means that nothing happened yet.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn ready(&mut self) -> Result<Option<Event>, WatchError> {
        if self.buffer.is_empty() {
            self.grown.borrow_and_update();
            self.read_ring()?;
        }
        let event = self.buffer.pop_front();
        if let Some(event) = &event {
            self.seen = event.entry.revision;
        }
        Ok(event)
    }

    /// The revision up to which everything was yielded: what a bookmark may say. It moves on when other resources are
    /// written, so a reader that returns with it need not go far back.
    pub fn progress(&mut self) -> u64 {
        // Events of other namespaces are passed over here. A watch that is too slow hears of it from `next`.
        if self.buffer.is_empty() && self.read_ring().is_ok() && self.buffer.is_empty() {
            let state = self.table.read();
            if matches!(self.position, Position::Ring { place, .. } if place == state.ring.end()) {
                self.seen = self.seen.max(self.index.revision());
            }
        }
        self.seen
    }

    /// Fills the buffer from the ring, if that is where the watch is, or can go now.
    fn read_ring(&mut self) -> Result<(), WatchError> {
        let state = self.table.read();
        let (mut place, after) = match self.position {
            Position::Ring { place, after } => (place, after),
            Position::Table(after) if after >= state.ring.floor() => (state.ring.place_after(after), after),
            Position::Table(_) => return Ok(()),
        };
        let Some(events) = state.ring.from(place) else {
            return Err(WatchError::Lagged { seen: self.seen });
        };
        for event in events {
            place += 1;
            let within = self
                .namespace
                .as_ref()
                .is_none_or(|name| *name == event.entry.key.namespace);
            if within && event.entry.revision > after {
                self.buffer.push_back(event.clone());
                if self.buffer.len() >= self.index.bounds().watch_page {
                    break;
                }
            }
        }
        self.position = Position::Ring { place, after };
        Ok(())
    }

    /// Fills the buffer with the next page of the table.
    async fn read_table(&mut self, after: u64) -> Result<(), WatchError> {
        // The table may be ahead of what readers may see.
        let to = self.index.revision();
        let page = self.index.bounds().watch_page;
        let (history, resource, namespace) = (
            self.history.clone(),
            self.resource.clone(),
            self.namespace.clone(),
        );
        let read = move || history.events(&resource, namespace.as_deref(), after, to, page);
        let events = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(events)) => events,
            Ok(Err(ReadError::Compacted { .. })) => return Err(WatchError::Lagged { seen: self.seen }),
            Ok(Err(ReadError::Io { .. })) if self.index.is_closed() => return Err(WatchError::Closed),
            Ok(Err(ReadError::Io { reason })) => return Err(WatchError::Io { reason }),
            Err(_) => return Err(WatchError::Closed),
        };
        let whole = events.len() < page;
        let last = events.last().map_or(after, |event| event.entry.revision);
        self.position = Position::Table(if whole { to.max(after) } else { last });
        self.buffer.extend(events);
        Ok(())
    }
}
