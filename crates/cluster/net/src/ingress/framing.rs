//! Sees requests whose body is framed in two ways, `Content-Length` and `Transfer-Encoding`.
//!
//! hyper takes the second and forgets the first before anybody else sees it. Such a request is an attempt to make two
//! readers disagree about where it ends, and is refused (RFC 9112 6.1; nginx does the same). So the bytes of a
//! connection are followed here on their way to hyper: heads line by line, bodies skipped. What hyper refuses by itself
//! need not be understood.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits::FRAMING_LINE_BYTES_MAX;

/// What was seen on a connection; shared with who answers.
#[derive(Debug, Default)]
pub struct Seen(AtomicU8);

const TWO_WAYS: u8 = 1;
const OTHER_PROTOCOL: u8 = 2;

impl Seen {
    /// A body was framed in two ways. A client that has done it once is not believed again.
    pub fn is_ambiguous(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TWO_WAYS
    }

    /// No more requests follow: the protocol is switched.
    pub fn switched(&self) {
        self.0.store(OTHER_PROTOCOL, Ordering::Relaxed);
    }
}

/// A connection whose requests are followed.
pub struct Followed<S> {
    stream: S,
    framing: Framing,
    seen: Arc<Seen>,
}

impl<S> Followed<S> {
    /// Follows from the first byte on.
    pub fn new(stream: S, seen: Arc<Seen>) -> Followed<S> {
        Followed {
            stream,
            framing: Framing::default(),
            seen,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Followed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if this.seen.0.load(Ordering::Relaxed) == 0 && this.framing.follow(&buffer.filled()[before..]) {
            this.seen.0.store(TWO_WAYS, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Followed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where in the requests of a connection the next byte is.
#[derive(Debug, Default)]
struct Framing {
    place: Place,
    /// The begin of a line that has not ended yet.
    line: Vec<u8>,
    head: Head,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// Bytes of a body that has a length.
    Body(u64),
    /// The line with a chunk's size.
    Size,
    /// Bytes of a chunk, with the line feed that ends it.
    Chunk(u64),
    Trailers,
    /// Another protocol, or what hyper refuses.
    Lost,
}

/// What a head has said until now.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    begun: bool,
    length: Option<u64>,
    encoded: bool,
}

impl Framing {
    /// Goes on by these bytes; true if a head in them frames its body in two ways.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            match self.place {
                Place::Lost => return found,
                Place::Body(left) | Place::Chunk(left) => {
                    let step = left.min(bytes.len() as u64);
                    bytes = &bytes[step as usize..];
                    self.skipped(left - step);
                }
                Place::Head | Place::Size | Place::Trailers => {
                    let end = memchr(b'\n', bytes);
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = rest;
                    if end.is_some() && self.line.is_empty() {
                        found |= self.line(part);
                        continue;
                    }
                    // Names and sizes are short; what is cut is the end of a value that is of no interest.
                    let room = FRAMING_LINE_BYTES_MAX.saturating_sub(self.line.len());
                    self.line.extend_from_slice(&part[..room.min(part.len())]);
                    if end.is_some() {
                        let line = std::mem::take(&mut self.line);
                        found |= self.line(&line);
                    }
                }
            }
        }
        found
    }

    fn skipped(&mut self, left: u64) {
        self.place = match (self.place, left) {
            (Place::Body(_), 0) => Place::Head,
            (Place::Body(_), left) => Place::Body(left),
            (_, 0) => Place::Size,
            (_, left) => Place::Chunk(left),
        };
    }

    fn line(&mut self, line: &[u8]) -> bool {
        let line = line.trim_ascii_end();
        match self.place {
            Place::Head => return self.head_line(line),
            Place::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let digits = std::str::from_utf8(digits).unwrap_or_default().trim();
                self.place = match u64::from_str_radix(digits, 16) {
                    Ok(0) => Place::Trailers,
                    Ok(size) => size.checked_add(2).map_or(Place::Lost, Place::Chunk),
                    Err(_) => Place::Lost,
                };
            }
            _ if line.is_empty() => self.place = Place::Head,
            _ => {}
        }
        false
    }

    fn head_line(&mut self, line: &[u8]) -> bool {
        if !self.head.begun {
            // Empty lines before a request are allowed (RFC 9112 2.2).
            self.head.begun = !line.is_empty();
            if line.starts_with(b"PRI * HTTP/2") {
                self.place = Place::Lost;
            }
            return false;
        }
        if line.is_empty() {
            let head = std::mem::take(&mut self.head);
            self.place = match head.length {
                _ if head.encoded => Place::Size,
                Some(length) if length > 0 => Place::Body(length),
                _ => Place::Head,
            };
            return head.encoded && head.length.is_some();
        }
        // Most lines begin otherwise.
        if matches!(line[0], b'c' | b'C' | b't' | b'T')
            && let Some(colon) = memchr(b':', line)
        {
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                // One that is no number is refused, and so are two that differ.
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.head.length = Some(number.unwrap_or_default());
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                // Any that does not end in "chunked" is refused.
                self.head.encoded = true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET /a HTTP/1.1\r\nHost: h\r\nCookie: c\r\nTE: trailers\r\n\r\n";
    const LONG: &str = "POST / HTTP/1.1\r\nContent-Length: 65\r\n\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nGET / HTTP/1.1\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1a;x=y\r\n\r\n\r\nContent-Length: 99\r\n\r\n\r\n0\r\nContent-Length: 7\r\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\ncontent-LENGTH: 5\r\n\r\n0\r\n\r\n";
    const OTHER: &str = "POST / HTTP/1.1\nContent-Length: 0\nTransfer-Encoding: gzip, chunked\n\n0\n\n";

    fn is_seen(text: &str, piece: usize) -> bool {
        let mut framing = Framing::default();
        let mut seen = false;
        for part in text.as_bytes().chunks(piece) {
            seen |= framing.follow(part);
        }
        assert!(framing.line.len() <= FRAMING_LINE_BYTES_MAX);
        seen
    }

    #[test]
    fn two_ways_are_seen_wherever_they_come() {
        for piece in [1, 2, 7, 1000] {
            for good in [PLAIN, LONG, CHUNKED] {
                assert!(!is_seen(good, piece), "{good:?} in pieces of {piece}");
                for bad in [BOTH, OTHER] {
                    let text = format!("{good}{PLAIN}{bad}");
                    assert!(is_seen(&text, piece), "{text:?} in pieces of {piece}");
                    assert!(is_seen(&format!("\r\n{bad}"), piece));
                }
            }
        }
    }

    #[test]
    fn what_is_no_http_1_is_let_be() {
        for text in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nContent-Length: 1\r\n\r\n",
        ] {
            assert!(!is_seen(text, 3), "{text:?}");
        }
        assert!(!is_seen(&"x".repeat(100_000), 1000));
        assert!(!is_seen(
            &format!("GET / HTTP/1.1\r\nC: {}\r\n\r\n{PLAIN}", "x".repeat(10_000)),
            11
        ));
    }
}
