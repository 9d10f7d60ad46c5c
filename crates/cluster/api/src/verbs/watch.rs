//! Watches: what changes, as lines of JSON, until the client, the time or the server ends them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deploy_cluster_storage::{Entry, Event, EventKind, Store, Watch, WatchError};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::list::{Selection, bookmark, watch_time};
use super::{Call, Object, parsed};
use crate::answer::Printer;
use crate::options::{ListOptions, parse_revision};
use crate::request::{Body, NextPiece, Pieces};
use crate::scope::Scope;
use crate::status::StatusError;
use crate::{encode, limits};

/// What a watch needs to go on by itself.
pub(crate) struct WatchRequest {
    pub options: ListOptions,
    /// How objects are shown.
    pub printer: Printer,
}

/// Starts a watch; the answer's body.
pub(crate) async fn watch(call: &Call<'_>, request: WatchRequest) -> Result<Body, StatusError> {
    let options = &request.options;
    let selection = Selection::new(&call.scope, options)?;
    let stated = parse_revision(&options.resource_version).map_err(|why| StatusError::new(500, "", why))?;
    let initial = options.send_initial_events.unwrap_or(stated == 0);
    let store = &call.api.store;
    let mut lines = VecDeque::new();
    let mut stream = Stream {
        store: store.clone(),
        scope: call.scope.clone(),
        printer: request.printer,
        watch: None,
        ends: Instant::now() + watch_time(options),
        bookmarks: options.bookmarks,
        next_bookmark: Instant::now() + Duration::from_secs(limits::BOOKMARK_SECONDS),
        shutdown: call.api.shutdown.clone(),
        seen: 0,
        selection,
        lines: VecDeque::new(),
        over: false,
    };
    let from = if initial {
        super::list::wait_for(store, stated).await?;
        let listing = store
            .list(
                &call.scope.storage,
                stream.selection.namespace(),
                None,
                None,
                None,
            )
            .map_err(|error| StatusError::internal(&error.to_string()))?;
        for entry in &listing.entries {
            if stream.selection.matches(entry) {
                lines.push_back(stream.line("ADDED", entry));
            }
        }
        if options.bookmarks && options.send_initial_events == Some(true) {
            lines.push_back(stream.bookmark(listing.revision, true));
        }
        listing.revision
    } else if stated == 0 {
        store.revision()
    } else {
        stated
    };
    stream.seen = from;
    stream.lines = lines;
    match store.watch(&call.scope.storage, stream.selection.namespace(), from) {
        Ok(watch) => stream.watch = Some(watch),
        Err(_) => stream.fail(from),
    }
    Ok(Body::Stream(Box::new(stream)))
}

struct Stream {
    store: Store,
    scope: Scope,
    selection: Selection,
    printer: Printer,
    watch: Option<Watch>,
    ends: Instant,
    bookmarks: bool,
    next_bookmark: Instant,
    shutdown: CancellationToken,
    /// The last revision that the client was shown.
    seen: u64,
    /// What waits to be sent.
    lines: VecDeque<Bytes>,
    over: bool,
}

impl Pieces for Stream {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            let piece = self.piece().await?;
            Some((piece, self as Box<dyn Pieces>))
        })
    }
}

enum Wake {
    Event(Event),
    Lagged,
    Bookmark,
    End,
}

impl Stream {
    /// The next lines: all that is known already, so that a burst is one write.
    async fn piece(&mut self) -> Option<Bytes> {
        while self.lines.is_empty() && !self.over {
            match self.wake().await {
                Wake::Event(event) => {
                    self.show(&event);
                    self.drain();
                }
                Wake::Lagged => self.fail(self.seen),
                Wake::Bookmark => self.remind(),
                Wake::End => self.over = true,
            }
        }
        match self.lines.len() {
            0 => None,
            1 => self.lines.pop_front(),
            _ => {
                let pieces: Vec<Bytes> = self.lines.drain(..).collect();
                Some(pieces.concat().into())
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let Some(watch) = self.watch.as_mut() else {
            return Wake::End;
        };
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Wake::End,
            event = watch.next() => match event {
                Ok(event) => Wake::Event(event),
                Err(WatchError::Closed) => Wake::End,
                Err(WatchError::Lagged { .. } | WatchError::Io { .. }) => Wake::Lagged,
            },
            () = tokio::time::sleep_until(self.ends) => Wake::End,
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => Wake::Bookmark,
        }
    }

    fn drain(&mut self) {
        while self.lines.len() < deploy_cluster_storage::limits::WATCH_PAGE {
            match self.watch.as_mut().map(Watch::ready) {
                Some(Ok(Some(event))) => self.show(&event),
                _ => return,
            }
        }
    }

    /// A selector makes its own world: what begins to match was added, what no longer does was deleted.
    fn show(&mut self, event: &Event) {
        self.seen = event.entry.revision;
        let before = event
            .previous()
            .filter(|previous| self.selection.matches(previous));
        let now = match event.kind {
            EventKind::Put { .. } => self.selection.matches(&event.entry),
            EventKind::Delete { .. } => false,
        };
        let line = match (before, now) {
            (None, true) => self.line("ADDED", &event.entry),
            (Some(_), true) => self.line("MODIFIED", &event.entry),
            (Some(_), false) if matches!(event.kind, EventKind::Delete { .. }) => {
                self.line("DELETED", &event.entry)
            }
            (Some(previous), false) => {
                let mut object = (*parsed(previous)).clone();
                crate::object::set(&mut object, "resourceVersion", event.entry.revision.to_string());
                self.printer
                    .watch_line(&self.scope, "DELETED", Object::Made(object))
            }
            (None, false) => return,
        };
        self.lines.push_back(line);
    }

    fn line(&mut self, kind: &'static str, entry: &Arc<Entry>) -> Bytes {
        self.printer
            .watch_line(&self.scope, kind, Object::Stored(entry.clone()))
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) -> Bytes {
        let object = bookmark(&self.scope, revision, initial_end);
        self.printer.bookmark_line(&self.scope, object)
    }

    fn remind(&mut self) {
        self.next_bookmark = Instant::now() + Duration::from_secs(limits::BOOKMARK_SECONDS);
        if let Some(revision) = self.watch.as_mut().map(Watch::progress) {
            let line = self.bookmark(revision, false);
            self.lines.push_back(line);
        }
    }

    /// Events are gone: the client must list anew. The answer itself stays 200, as upstream's.
    fn fail(&mut self, from: u64) {
        let oldest = self.store.compacted();
        let error = StatusError::expired(format!("too old resource version: {from} ({oldest})"));
        let status: Value = error.to_value();
        self.lines
            .push_back(encode::watch_line("ERROR", &encode::plain(&status)));
        self.over = true;
    }
}
