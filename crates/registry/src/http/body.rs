//! Bodies on their way out: small ones whole, blobs in pieces that are read ahead of the network.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::limits;
use crate::registry::lock;

/// The body of an answer.
#[derive(Debug)]
pub enum Outgoing {
    /// None.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// Pieces as they come from the disk, and the bytes that are still to come.
    Pieces(mpsc::Receiver<io::Result<Bytes>>, u64),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Pieces(pieces, left) => match pieces.poll_recv(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    *left = left.saturating_sub(bytes.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                // The length was promised: the client must see that it did not come.
                Poll::Ready(None) if *left > 0 => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Poll::Ready(None) => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Pieces(_, left) => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Pieces(_, left) => *left,
        })
    }
}

/// Buffers that were used for pieces: to clear new memory for each would cost as much as to copy it.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of a whole piece.
    pub fn take(&self) -> Buffer {
        let bytes = lock(&self.0)
            .pop()
            .unwrap_or_else(|| vec![0; limits::PIECE_BYTES]);
        Buffer {
            bytes,
            length: 0,
            home: self.clone(),
        }
    }
}

/// A buffer that goes back when the last one who reads it is done.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Buffers,
}

impl Buffer {
    /// The first bytes of it, to be filled.
    pub fn first(&mut self, length: usize) -> &mut [u8] {
        self.length = length.min(self.bytes.len());
        &mut self.bytes[..self.length]
    }

    /// How many bytes it could hold.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Its bytes, to be passed on.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut home = lock(&self.home.0);
        if home.len() < limits::BUFFERS {
            home.push(std::mem::take(&mut self.bytes));
        }
    }
}
