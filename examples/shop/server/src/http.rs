//! As much of an HTTP/1.1 server as the shop needs: bounded requests, keep-alive, no chunked bodies.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Of a request line and its headers together.
const MAX_HEAD_BYTES: u64 = 16 * 1024;

/// Of a body; all that we need stands in the query, so a body is read and dropped.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// How long an open connection may be silent: it holds a worker.
const IDLE: Duration = Duration::from_secs(5);

/// After so many requests a connection is closed, so that clients spread over new pods.
const MAX_REQUESTS: usize = 1_000;

/// What a client asks.
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What we answer.
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

/// Answers requests.
pub trait Handler: Sync {
    /// One answer to one request.
    fn handle(&self, request: &Request) -> Response;
    /// Whether connections are kept no longer.
    fn is_draining(&self) -> bool;
    /// Whether the server stops.
    fn is_stopped(&self) -> bool;
}

/// Serves one connection after the other until the handler is stopped.
pub fn accept(listener: &TcpListener, handler: &dyn Handler) {
    while !handler.is_stopped() {
        // An error here is the client's (it left) or passes (no descriptors): the next one may do.
        let Ok((stream, _)) = listener.accept() else { continue };
        if handler.is_stopped() {
            return;
        }
        // So is an error while we talk.
        let _ = serve(stream, handler);
    }
}

fn serve(stream: TcpStream, handler: &dyn Handler) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    for number in 1..=MAX_REQUESTS {
        let (request, keep, body_bytes) = match read(&mut reader) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            Err(status) => return write(&mut writer, &error(status), true, false),
        };
        if body_bytes > MAX_BODY_BYTES {
            return write(&mut writer, &error(413), true, false);
        }
        io::copy(&mut reader.by_ref().take(body_bytes), &mut io::sink())?;
        let response = handler.handle(&request);
        let keep = keep && number < MAX_REQUESTS && !handler.is_draining();
        write(&mut writer, &response, request.method != "HEAD", keep)?;
        if !keep {
            return Ok(());
        }
    }
    Ok(())
}

fn error(status: u16) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8", body: format!("{}\n", reason(status)) }
}

/// A request, whether the connection may stay, and the length of the body; nothing if the client closed; else the
/// status to refuse it with.
fn read(reader: &mut impl BufRead) -> Result<Option<(Request, bool, u64)>, u16> {
    let mut head = reader.by_ref().take(MAX_HEAD_BYTES);
    let mut line = String::new();
    let mut next = |line: &mut String| -> Result<usize, u16> {
        line.clear();
        let status = |e: io::Error| if e.kind() == io::ErrorKind::InvalidData { 400_u16 } else { 408 };
        let read = head.read_line(line).map_err(status)?;
        if read > 0 && !line.ends_with('\n') { Err(431) } else { Ok(read) }
    };
    match next(&mut line) {
        // An idle connection that ran into its deadline ends as quietly as one that the client closed.
        Ok(0) | Err(408) => return Ok(None),
        Ok(_) => {}
        Err(status) => return Err(status),
    }
    let mut parts = line.trim_end().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(400);
    };
    let mut keep = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return Err(505),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (decode(k), decode(v)))
            .collect(),
        headers: Vec::new(),
    };
    let mut body_bytes = 0;
    loop {
        if next(&mut line)? == 0 {
            return Err(400);
        }
        let header = line.trim_end();
        if header.is_empty() {
            return Ok(Some((request, keep, body_bytes)));
        }
        let (name, value) = header.split_once(':').ok_or(400_u16)?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        match name.as_str() {
            "content-length" => body_bytes = value.parse().map_err(|_| 400_u16)?,
            "transfer-encoding" => return Err(501),
            "connection" => keep = keep && !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
        request.headers.push((name, value));
    }
}

/// Percent-encoding and `+`; what is not valid stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn write(stream: &mut impl Write, response: &Response, with_body: bool, keep: bool) -> io::Result<()> {
    let connection = if keep { "keep-alive" } else { "close" };
    let message = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{}",
        response.status,
        reason(response.status),
        response.content_type,
        response.body.len(),
        if with_body { &response.body } else { "" }
    );
    stream.write_all(message.as_bytes())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let text =
            "POST /checkout?sku=green+tea&n=%32%zz HTTP/1.1\r\nX-User-Id: u1\r\nContent-Length: 3\r\n\r\nabc";
        let (request, keep, body) = read(&mut text.as_bytes()).unwrap().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/checkout"));
        assert_eq!((request.parameter("sku"), request.parameter("n")), (Some("green tea"), Some("2%zz")));
        assert_eq!((request.header("x-user-id"), keep, body), (Some("u1"), true, 3));
    }

    #[test]
    fn what_is_refused() {
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(20_000));
        for (text, status) in [
            ("nonsense\r\n\r\n", 400),
            ("GET / HTTP/2\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
            (&long, 431),
        ] {
            assert_eq!(read(&mut text.as_bytes()), Err(status), "{text:.40}");
        }
        assert_eq!(read(&mut "".as_bytes()), Ok(None));
        let closing = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert!(!read(&mut closing.as_bytes()).unwrap().unwrap().1);
    }
}
