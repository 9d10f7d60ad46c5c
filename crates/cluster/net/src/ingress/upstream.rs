//! Connections to endpoints, kept by each thread for later requests.
//!
//! A connection is driven by whoever uses it, in the same task as the client's own: no task is woken to hand a request
//! to another one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::body::RequestBody;
use super::limits;

/// One connection to an endpoint.
pub struct Upstream {
    address: SocketAddr,
    sender: SendRequest<RequestBody>,
    connection: Box<Connection<TokioIo<TcpStream>, RequestBody>>,
    /// The connection has said its last word, and must not be asked again.
    ended: bool,
    /// It has carried a request before.
    used: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum SendError {
    /// Nothing has been sent: any request may be tried again.
    Unsent(Box<Request<RequestBody>>),
    /// The connection has ended before an answer; what was sent may have been done.
    Ended,
}

/// Connections that wait for a request, by endpoint.
#[derive(Default)]
pub struct Pool {
    kept: RefCell<Kept>,
    /// The first connection is kept.
    woken: Notify,
}

#[derive(Default)]
struct Kept {
    by_address: HashMap<SocketAddr, Vec<(Upstream, Instant)>>,
    count: usize,
}

impl Upstream {
    /// A new connection.
    ///
    /// # Errors
    /// Where the endpoint does not accept it in time.
    pub async fn connect(address: SocketAddr) -> io::Result<Upstream> {
        let stream = timeout(limits::CONNECT, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(limits::HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Upstream {
            address,
            sender,
            connection: Box::new(connection),
            ended: false,
            used: false,
        })
    }

    /// Whether it has carried a request before: such a one may have been closed at the other end meanwhile.
    pub fn is_used(&self) -> bool {
        self.used
    }

    /// Sends a request, and waits for the head of its answer.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendError> {
        self.used = true;
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let (connection, ended) = (&mut self.connection, &mut self.ended);
        poll_fn(|context| {
            // First the connection: what it reads completes the answer.
            drive(connection, ended, context);
            answer.as_mut().poll(context)
        })
        .await
        .map_err(|mut error: TrySendError<_>| match error.take_message() {
            Some(request) => SendError::Unsent(Box::new(request)),
            None => SendError::Ended,
        })
    }

    /// Moves bytes in both directions. `true`: it has ended.
    pub fn poll(&mut self, context: &mut Context<'_>) -> bool {
        drive(&mut self.connection, &mut self.ended, context);
        self.ended
    }

    /// After an answer that switches protocols: the plain connection, and what was read beyond the answer.
    pub async fn into_stream(mut self) -> (TcpStream, bytes::Bytes) {
        // HTTP ends with such an answer; errors show on the stream itself.
        poll_fn(|context| match self.poll(context) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        let parts = self.connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }

    /// Whether it can take a request now.
    fn is_ready(&mut self, context: &mut Context<'_>) -> bool {
        !self.poll(context) && self.sender.is_ready()
    }
}

fn drive(
    connection: &mut Connection<TokioIo<TcpStream>, RequestBody>,
    ended: &mut bool,
    context: &mut Context<'_>,
) {
    if !*ended {
        *ended = Pin::new(connection).poll(context).is_ready();
    }
}

impl Pool {
    /// A kept connection to an endpoint that still lives; the last one used is the likeliest to.
    pub async fn take(&self, address: SocketAddr) -> Option<Upstream> {
        poll_fn(|context| {
            loop {
                let Some(mut upstream) = self.pop(address) else {
                    return Poll::Ready(None);
                };
                if upstream.is_ready(context) {
                    return Poll::Ready(Some(upstream));
                }
            }
        })
        .await
    }

    fn pop(&self, address: SocketAddr) -> Option<Upstream> {
        let mut kept = self.kept.borrow_mut();
        let (upstream, _) = kept.by_address.get_mut(&address)?.pop()?;
        kept.count -= 1;
        Some(upstream)
    }

    /// Keeps a connection whose answer has ended. The surplus is closed.
    pub fn put(&self, upstream: Upstream) {
        if upstream.ended || upstream.sender.is_closed() {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        if kept.count >= limits::KEPT_MAX {
            return;
        }
        let all = kept.by_address.entry(upstream.address).or_default();
        if all.len() >= limits::KEPT_PER_ENDPOINT {
            return;
        }
        all.push((upstream, Instant::now()));
        kept.count += 1;
        if kept.count == 1 {
            self.woken.notify_one();
        }
    }

    /// Closes what has not been used for long. Sleeps while nothing is kept.
    pub async fn tidy(self: Rc<Self>) {
        loop {
            if self.kept.borrow().count == 0 {
                self.woken.notified().await;
            }
            tokio::time::sleep(limits::KEPT / 2).await;
            self.close_unused(Instant::now());
        }
    }

    fn close_unused(&self, now: Instant) {
        let mut kept = self.kept.borrow_mut();
        kept.by_address.retain(|_, all| {
            all.retain(|(_, since)| now.duration_since(*since) < limits::KEPT);
            !all.is_empty()
        });
        kept.count = kept.by_address.values().map(Vec::len).sum();
    }
}
