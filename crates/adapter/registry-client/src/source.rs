//! What is pushed: bytes that can be read from any place, as often as a connection breaks.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::limits;

/// Bytes with an address. They are read on threads for it, so that they may come from a disk.
pub trait Source: Send + Sync {
    /// Fills a part of the buffer from this byte on; 0 at the end.
    ///
    /// # Errors
    /// What the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Source for std::fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl Source for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A part of a source, to be sent.
#[derive(Clone)]
pub struct Part {
    pub source: Arc<dyn Source>,
    pub from: u64,
    pub bytes: u64,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({}, {} bytes)", self.from, self.bytes)
    }
}

/// The body of a request.
pub enum Outgoing {
    Whole(Bytes),
    Part(Reading),
}

/// A part on its way: while a piece is sent, the next one is read.
pub struct Reading {
    part: Part,
    next: Option<JoinHandle<io::Result<Bytes>>>,
}

impl From<Part> for Outgoing {
    fn from(part: Part) -> Self {
        Self::Part(Reading { part, next: None })
    }
}

impl Reading {
    fn read_ahead(&mut self) {
        let most = usize::try_from(self.part.bytes).unwrap_or(usize::MAX);
        let length = most.min(limits::PUSH_PIECE_BYTES);
        if length == 0 || self.next.is_some() {
            return;
        }
        let (source, from) = (self.part.source.clone(), self.part.from);
        self.next = Some(tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; length];
            let mut done = 0;
            while done < length {
                match source.read_at(&mut piece[done..], from + done as u64)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => done += count,
                }
            }
            Ok(Bytes::from(piece))
        }));
        self.part.from += length as u64;
        self.part.bytes -= length as u64;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.read_ahead();
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let Poll::Ready(read) = Pin::new(next).poll(context) else {
            return Poll::Pending;
        };
        self.next = None;
        self.read_ahead();
        Poll::Ready(Some(read.unwrap_or_else(|error| Err(io::Error::other(error)))))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Self::Part(reading) => reading.poll(context),
        };
        piece.map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Part(reading) => reading.part.bytes == 0 && reading.next.is_none(),
        }
    }

    /// Exact before the first piece, when the head of the request is written.
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Part(reading) if reading.next.is_none() => SizeHint::with_exact(reading.part.bytes),
            Self::Part(_) => SizeHint::default(),
        }
    }
}
