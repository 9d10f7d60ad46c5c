//! Bodies on their way: a request's to the endpoint, an answer's to the client.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::limits;
use super::proxy::Passage;

/// Why a body does not go on.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the route allows.
    #[error("the body is too long")]
    TooLong,
    /// Nothing came for long.
    #[error("the body stalls")]
    Stalled,
    /// The connection has failed.
    #[error("the connection has failed")]
    Broken(#[source] hyper::Error),
}

/// The body of a request, as the client sends it.
#[derive(Debug, Default)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    /// Bytes that may still come.
    left: Option<u64>,
    received: Received,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// How much of a body has come; shared with who counts it.
#[derive(Clone, Debug, Default)]
pub struct Received(Option<Arc<ReceivedInner>>);

#[derive(Debug, Default)]
struct ReceivedInner {
    bytes: AtomicU64,
    too_long: AtomicBool,
}

impl Received {
    /// Bytes until now.
    pub fn bytes(&self) -> u64 {
        let inner = self.0.as_ref();
        inner.map_or(0, |inner| inner.bytes.load(Ordering::Relaxed))
    }

    /// Whether it came to be longer than it may.
    pub fn is_too_long(&self) -> bool {
        let inner = self.0.as_ref();
        inner.is_some_and(|inner| inner.too_long.load(Ordering::Relaxed))
    }
}

impl RequestBody {
    /// The body of a client's request; costs nothing where there is none.
    pub fn new(incoming: Incoming, max: Option<u64>) -> (RequestBody, Received) {
        if incoming.is_end_stream() {
            return (RequestBody::default(), Received::default());
        }
        let received = Received(Some(Arc::default()));
        let body = RequestBody {
            incoming: Some(incoming),
            left: max,
            received: received.clone(),
            stalled: None,
        };
        (body, received)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        match Pin::new(incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.stalled = None;
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                if let Some(inner) = &this.received.0 {
                    inner.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                if let Some(left) = &mut this.left {
                    let Some(rest) = left.checked_sub(bytes) else {
                        if let Some(inner) = &this.received.0 {
                            inner.too_long.store(true, Ordering::Relaxed);
                        }
                        return Poll::Ready(Some(Err(BodyError::TooLong)));
                    };
                    *left = rest;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::Broken(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let stalled = this.stalled.get_or_insert_with(|| Box::pin(sleep(limits::BODY)));
                match stalled.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Stalled))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The body of an answer.
pub enum AnswerBody {
    /// Our own words.
    Ours(Full<Bytes>),
    /// What the endpoint sends.
    Passing(Box<Passing>),
}

/// What an endpoint sends, and the connection that it comes over.
pub struct Passing {
    incoming: Incoming,
    passage: Passage,
}

impl AnswerBody {
    /// The body of an endpoint's answer. The passage ends with it.
    pub fn passing(incoming: Incoming, mut passage: Passage) -> AnswerBody {
        if incoming.is_end_stream() {
            passage.whole();
            return AnswerBody::Ours(Full::default());
        }
        AnswerBody::Passing(Box::new(Passing { incoming, passage }))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            AnswerBody::Ours(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            AnswerBody::Passing(passing) => passing.poll(context).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Ours(body) => body.is_end_stream(),
            AnswerBody::Passing(passing) => passing.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Ours(body) => body.size_hint(),
            AnswerBody::Passing(passing) => passing.incoming.size_hint(),
        }
    }
}

impl Passing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_pending() {
            // Nothing was read yet: read, and look again.
            self.passage.drive(context);
            polled = Pin::new(&mut self.incoming).poll_frame(context);
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.passage.sent(frame.data_ref().map_or(0, Bytes::len));
                if self.incoming.is_end_stream() {
                    // The server does not ask again.
                    self.finish(context);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::Broken(error)))),
            Poll::Ready(None) => {
                self.finish(context);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn finish(&mut self, context: &mut Context<'_>) {
        // The connection takes note that its answer has ended.
        self.passage.drive(context);
        self.passage.whole();
    }
}
