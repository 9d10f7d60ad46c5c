//! What a container says: read from its pipes or terminal, written to its log, passed on to those attached.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Instant, SystemTime};

use super::log::{Lines, Log, Stream};
use crate::limits::{MAX_SINKS, READS_PER_TURN, SINK_PATIENCE};

/// At most so much is read after a container's end from what a process that has left it still holds open.
const LAST_BYTES: usize = 4 << 20;

/// All outputs of one container.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    sources: Vec<Source>,
    log: Option<Log>,
    sinks: Vec<Sink>,
}

#[derive(Debug)]
struct Source {
    fd: OwnedFd,
    stream: Stream,
    lines: Lines,
}

/// Somebody attached.
#[derive(Debug)]
struct Sink {
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    /// What it has not taken yet; while there is something, the container's output waits.
    pending: Vec<(Stream, Vec<u8>)>,
    waiting_since: Option<Instant>,
}

impl Outputs {
    pub(super) fn new(sources: Vec<(Stream, OwnedFd)>, log: Option<Log>) -> io::Result<Outputs> {
        let mut list = Vec::new();
        for (stream, fd) in sources {
            rustix::io::ioctl_fionbio(&fd, true)?;
            list.push(Source {
                fd,
                stream,
                lines: Lines::new(stream),
            });
        }
        Ok(Outputs {
            sources: list,
            log,
            sinks: Vec::new(),
        })
    }

    /// What is to be watched: to read, and to write.
    pub(super) fn watched(&self) -> (Vec<&OwnedFd>, Vec<&OwnedFd>) {
        let blocked: Vec<&OwnedFd> = self.sinks.iter().filter_map(Sink::blocked).collect();
        let sources = if blocked.is_empty() {
            self.sources.iter().map(|source| &source.fd).collect()
        } else {
            Vec::new()
        };
        (sources, blocked)
    }

    /// The ends of those attached, to hear when they leave.
    pub(super) fn listeners(&self) -> Vec<&OwnedFd> {
        self.sinks
            .iter()
            .flat_map(|sink| [&sink.out, &sink.err])
            .flatten()
            .collect()
    }

    /// Forgets those attached who have left.
    pub(super) fn hang_up(&mut self, gone: impl Fn(&OwnedFd) -> bool) {
        for sink in &mut self.sinks {
            for end in [&mut sink.out, &mut sink.err] {
                if end.as_ref().is_some_and(&gone) {
                    *end = None;
                }
            }
            sink.prune();
        }
        self.sinks.retain(Sink::alive);
    }

    /// When somebody attached has been waited for long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sinks
            .iter()
            .filter_map(|sink| sink.waiting_since)
            .min()
            .map(|since| since + SINK_PATIENCE)
    }

    /// Reads and passes on what there is, for one turn.
    pub(super) fn turn(&mut self, buffer: &mut [u8], now: SystemTime, clock: Instant) {
        self.push(clock);
        for place in 0..self.sources.len() {
            for _ in 0..READS_PER_TURN {
                if self.sinks.iter().any(|sink| !sink.pending.is_empty()) {
                    break;
                }
                match self.read(place, buffer, now, clock) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => break,
                }
            }
        }
        self.close_ended(now);
    }

    /// Reads all that is left and closes. Those attached keep what they have not taken yet.
    pub(super) fn finish(&mut self, buffer: &mut [u8], now: SystemTime, clock: Instant) {
        let mut left = LAST_BYTES;
        for place in 0..self.sources.len() {
            while let Ok(count) = self.read(place, buffer, now, clock) {
                left = left.saturating_sub(count);
                if count == 0 || left == 0 {
                    break;
                }
            }
        }
        if let Some(log) = &mut self.log {
            for source in &mut self.sources {
                source.lines.finish(now, log);
            }
        }
        self.sources = Vec::new();
        self.log = None;
        self.push(clock);
        self.sinks.retain(|sink| !sink.pending.is_empty());
    }

    /// One more who is attached, or false if there are too many.
    pub(super) fn attach(&mut self, out: Option<OwnedFd>, err: Option<OwnedFd>) -> io::Result<bool> {
        if self.sinks.len() >= MAX_SINKS {
            return Ok(false);
        }
        for end in [&out, &err].into_iter().flatten() {
            rustix::io::ioctl_fionbio(end, true)?;
        }
        self.sinks.push(Sink {
            out,
            err,
            pending: Vec::new(),
            waiting_since: None,
        });
        Ok(true)
    }

    fn read(
        &mut self,
        place: usize,
        buffer: &mut [u8],
        now: SystemTime,
        clock: Instant,
    ) -> io::Result<usize> {
        let source = &mut self.sources[place];
        let count = match rustix::io::read(&source.fd, &mut *buffer) {
            // A terminal that nobody has open any more says so with an error.
            Err(rustix::io::Errno::IO) => 0,
            other => other?,
        };
        if count == 0 {
            return Ok(0);
        }
        let bytes = &buffer[..count];
        if let Some(log) = &mut self.log {
            source.lines.push(bytes, now, log);
        }
        let stream = source.stream;
        for sink in &mut self.sinks {
            sink.pending.push((stream, bytes.to_vec()));
        }
        self.push(clock);
        Ok(count)
    }

    fn push(&mut self, clock: Instant) {
        for sink in &mut self.sinks {
            sink.push(clock);
        }
        self.sinks.retain(Sink::alive);
    }

    /// Outputs that the container has closed are watched no more: their end would be readable for ever.
    fn close_ended(&mut self, now: SystemTime) {
        let log = &mut self.log;
        self.sources.retain_mut(|source| {
            let mut watched = [rustix::event::PollFd::new(
                &source.fd,
                rustix::event::PollFlags::IN,
            )];
            let ready = rustix::event::poll(&mut watched, Some(&rustix::event::Timespec::default()));
            let events = watched[0].revents();
            let ended = matches!(ready, Ok(1..))
                && events.intersects(rustix::event::PollFlags::HUP | rustix::event::PollFlags::ERR)
                && !events.contains(rustix::event::PollFlags::IN);
            if ended && let Some(log) = log {
                source.lines.finish(now, log);
            }
            !ended
        });
    }
}

impl Sink {
    fn end(&self, stream: Stream) -> Option<&OwnedFd> {
        match stream {
            Stream::Out => self.out.as_ref(),
            Stream::Err => self.err.as_ref(),
        }
    }

    fn blocked(&self) -> Option<&OwnedFd> {
        self.pending.first().and_then(|(stream, _)| self.end(*stream))
    }

    fn alive(&self) -> bool {
        self.out.is_some() || self.err.is_some()
    }

    fn prune(&mut self) {
        let (out, err) = (self.out.is_some(), self.err.is_some());
        self.pending.retain(|(stream, _)| match stream {
            Stream::Out => out,
            Stream::Err => err,
        });
    }

    fn push(&mut self, clock: Instant) {
        while let Some((stream, bytes)) = self.pending.first_mut() {
            let end = match stream {
                Stream::Out => &mut self.out,
                Stream::Err => &mut self.err,
            };
            match end.as_ref().map(|fd| rustix::io::write(fd, bytes)) {
                None => {
                    self.pending.remove(0);
                }
                Some(Ok(count)) => {
                    bytes.drain(..count);
                    self.waiting_since = None;
                    if bytes.is_empty() {
                        self.pending.remove(0);
                    }
                }
                Some(Err(rustix::io::Errno::INTR)) => {}
                Some(Err(rustix::io::Errno::AGAIN)) => {
                    let since = *self.waiting_since.get_or_insert(clock);
                    if clock.duration_since(since) >= SINK_PATIENCE {
                        (self.out, self.err) = (None, None);
                        self.pending.clear();
                    }
                    return;
                }
                Some(Err(_)) => *end = None,
            }
        }
        self.waiting_since = None;
    }
}
