//! The body of an answer as hyper wants it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HyperBody, Frame, SizeHint};

use crate::request::{Body, NextPiece};

/// A body on its way out.
pub(super) enum Outgoing {
    Whole(Option<Bytes>),
    Pieces(Option<NextPiece>),
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Outgoing {
        match body {
            Body::Whole(bytes) => Outgoing::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Body::Stream(pieces) | Body::Foreign { pieces, .. } => Outgoing::Pieces(Some(pieces.next())),
        }
    }
}

impl HyperBody for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Outgoing::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Outgoing::Pieces(next) => {
                let Some(future) = next else {
                    return Poll::Ready(None);
                };
                let Poll::Ready(piece) = future.as_mut().poll(context) else {
                    return Poll::Pending;
                };
                *next = None;
                match piece {
                    None => Poll::Ready(None),
                    Some((bytes, rest)) => {
                        *next = Some(rest.next());
                        Poll::Ready(Some(Ok(Frame::data(bytes))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(None) | Outgoing::Pieces(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Outgoing::Pieces(_) => SizeHint::default(),
        }
    }
}
