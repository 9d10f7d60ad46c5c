//! A request and an answer without sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

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
    /// The whole body.
    pub body: Bytes,
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
    /// A watch: one piece per event, until the stream ends.
    Stream(Box<dyn Pieces>),
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
        }
    }
}
