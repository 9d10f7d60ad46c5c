//! Calls between the services: one request, one connection, with deadlines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A service that does not answer within this time counts as down.
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(5);

/// Answers of our own services are a few hundred bytes.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The status and body of an answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// `POST {base}{path}`, with these headers.
pub fn post(base: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    let host = base.strip_prefix("http://").unwrap_or(base).trim_end_matches('/');
    let address = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"));
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return exchange(stream, host, path, headers),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: TcpStream, host: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_nodelay(true)?;
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;

    let mut reader = BufReader::new(stream.take(MAX_ANSWER_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(invalid)?;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(invalid());
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = String::new();
    reader.read_to_string(&mut body)?;
    Ok(Answer { status, body })
}
