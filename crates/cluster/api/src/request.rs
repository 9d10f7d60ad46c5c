//! A request and an answer without sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::identity::UserInfo;

/// One request, its sender known.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: String,
    /// `/api/v1/namespaces/default/pods`, still percent-encoded.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Names in lower case; a header that comes twice is joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// Who asks.
    pub user: UserInfo,
    /// The whole body; empty where the link has it.
    pub body: Bytes,
    /// What belongs to the connection, for requests that are passed on to a node. None without a socket.
    pub link: Option<Link>,
}

/// What a request has beside its text, each to be taken once. Clones share it.
#[derive(Clone, Default)]
pub struct Link {
    parts: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    upgrade: Option<Upgrade>,
    body: Option<Incoming>,
}

/// A body that has not been read; it is not bounded.
pub type Incoming = UnsyncBoxBody<Bytes, io::Error>;

/// The connection once the answer 101 has been sent: whatever both sides speak from then on.
pub type Upgrade = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Link {
    /// The two parts of a link.
    pub fn new(upgrade: Option<Upgrade>, body: Option<Incoming>) -> Link {
        Link {
            parts: Arc::new(Mutex::new(Parts { upgrade, body })),
        }
    }

    /// The connection after an answer of status 101; none where the client asked for no other protocol.
    pub fn upgrade(&self) -> Option<Upgrade> {
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade
            .take()
    }

    /// The body of a request to a proxy; none for all others, whose body is [`Request::body`].
    pub fn body(&self) -> Option<Incoming> {
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .body
            .take()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Request {
    /// The value of a header, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// One answer.
#[derive(Debug)]
pub struct Response {
    /// 200 ...
    pub status: u16,
    /// In the order in which they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// What follows.
    pub body: Body,
}

/// The body of an answer.
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// A watch: one piece per event, until the stream ends; a log.
    Stream(Box<dyn Pieces>),
    /// The answer of another server, passed on.
    Foreign {
        /// Its headers, names in lower case, without those of the connection.
        headers: Vec<(String, String)>,
        /// Its body.
        pieces: Box<dyn Pieces>,
    },
}

/// The future of [`Pieces::next`]: a piece and the rest, or the end.
pub type NextPiece = Pin<Box<dyn Future<Output = Option<(Bytes, Box<dyn Pieces>)>> + Send>>;

/// A body that comes in pieces. Dropping it ends it.
pub trait Pieces: Send {
    /// Waits for the next piece.
    fn next(self: Box<Self>) -> NextPiece;
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => f.debug_tuple("Whole").field(bytes).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Foreign { headers, .. } => f.debug_tuple("Foreign").field(headers).finish(),
        }
    }
}
