//! libcontainer's own words about what failed. Its errors say "failed to prepare rootfs"; which mount it was, and why,
//! it says to `tracing`, in a process of its own that shares nothing with the shim but files.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::limits::MAX_WORDS_BYTES;

/// In memory, and inherited by the processes that become containers, until they do.
static PAPER: OnceLock<File> = OnceLock::new();

/// Begins to write down errors.
pub(super) fn listen() {
    let paper = memfd_create("words", MemfdFlags::CLOEXEC).map(|fd: OwnedFd| File::from(fd));
    if let Ok(paper) = paper
        && PAPER.set(paper).is_ok()
    {
        // There is no other one: the shim is a program of its own.
        let _ = tracing::subscriber::set_global_default(Listener);
    }
}

/// What has been said since the last time, first things first.
pub(super) fn said() -> String {
    PAPER
        .get()
        .map_or_else(String::new, |paper| take(paper).unwrap_or_default())
}

fn take(mut paper: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    paper.seek(SeekFrom::Start(0))?;
    paper.take(MAX_WORDS_BYTES).read_to_end(&mut bytes)?;
    ftruncate(paper, 0)?;
    paper.seek(SeekFrom::Start(0))?;
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .collect::<Vec<_>>()
        .join("; "))
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() == Level::ERROR
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::ERROR)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let Some(mut paper) = PAPER.get() {
            // One write per event: what several processes write does not mix.
            let _ = paper.write_all(format!("{}{}\n", line.message, line.fields).as_bytes());
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let outcome = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, ", {}: {value:?}", field.name())
        };
        // Writing to a string does not fail, unless a value's own `Debug` does.
        let _ = outcome;
    }
}
