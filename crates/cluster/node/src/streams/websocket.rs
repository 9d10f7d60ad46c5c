//! WebSockets (RFC 6455), the server's side: frames, pongs, close. A message is passed on in pieces as it comes, so that
//! none has to be held.

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits;

/// What a key is hashed with (RFC 6455, 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The answer to a `Sec-WebSocket-Key`.
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.trim().as_bytes());
    hash.update(GUID.as_bytes());
    BASE64_STANDARD.encode(hash.finalize())
}

/// What comes from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part of a message: whether it is the first, whether it is the last.
    Data { first: bool, last: bool, bytes: Bytes },
    /// Wants a pong with the same bytes.
    Ping(Bytes),
    /// Says good-bye.
    Close,
}

/// What goes to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// A whole binary message.
    Binary(Bytes),
    /// A binary message of a channel.
    Channel(u8, Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// The end, with a code (RFC 6455, 7.4).
    Close(u16),
}

/// Reads frames.
pub struct Reader<R> {
    stream: R,
    /// Of the frame that is being read: what is left of it, its mask, and how far that has been used.
    left: u64,
    mask: [u8; 4],
    used: usize,
    is_final: bool,
    /// The next piece begins a message.
    first: bool,
    /// A message has begun and not ended.
    within: bool,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from here on.
    pub fn new(stream: R) -> Reader<R> {
        Reader {
            stream,
            left: 0,
            mask: [0; 4],
            used: 0,
            is_final: true,
            first: true,
            within: false,
            buffer: vec![0; limits::STREAM_READ_BYTES],
        }
    }

    /// The next thing that the client says. An error is the end: it left without good-bye, or speaks no WebSocket.
    pub async fn next(&mut self) -> io::Result<Event> {
        if self.left > 0 {
            return self.piece().await;
        }
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await?;
        let (is_final, opcode) = (head[0] & 0x80 != 0, head[0] & 0x0F);
        let length = u64::from(head[1] & 0x7F);
        if head[0] & 0x70 != 0 || head[1] & 0x80 == 0 {
            return Err(broken("a frame with reserved bits, or without a mask"));
        }
        let length = match length {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            length => length,
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await?;
        match opcode {
            CLOSE | PING | PONG => self.control(opcode, is_final, length, mask).await,
            CONTINUATION | TEXT | BINARY => {
                if (opcode == CONTINUATION) != self.within {
                    return Err(broken("a message within a message, or a rest of none"));
                }
                (self.left, self.mask, self.used) = (length, mask, 0);
                self.is_final = is_final;
                self.first = !self.within;
                self.within = !is_final;
                self.piece().await
            }
            _ => Err(broken("an unknown frame")),
        }
    }

    /// What is there of the frame, at most a buffer.
    async fn piece(&mut self) -> io::Result<Event> {
        let room = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        let mut count = 0;
        if room > 0 {
            count = self.stream.read(&mut self.buffer[..room]).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let bytes = &mut self.buffer[..count];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte ^= self.mask[(self.used + at) % 4];
        }
        self.used = (self.used + count) % 4;
        self.left -= count as u64;
        let first = std::mem::take(&mut self.first);
        Ok(Event::Data {
            first,
            last: self.is_final && self.left == 0,
            bytes: Bytes::copy_from_slice(bytes),
        })
    }

    async fn control(&mut self, opcode: u8, is_final: bool, length: u64, mask: [u8; 4]) -> io::Result<Event> {
        // RFC 6455, 5.5
        if !is_final || length > 125 {
            return Err(broken("a control frame in pieces, or a long one"));
        }
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).await?;
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte ^= mask[at % 4];
        }
        Ok(match opcode {
            CLOSE => Event::Close,
            PING => Event::Ping(bytes.into()),
            // Nobody has asked; it says that the client lives. It is told as a part of nothing.
            _ => Event::Data {
                first: false,
                last: false,
                bytes: Bytes::new(),
            },
        })
    }
}

/// Writes one frame.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), say: &Say) -> io::Result<()> {
    let (opcode, prefix, bytes): (u8, &[u8], &[u8]) = match say {
        Say::Binary(bytes) => (BINARY, &[], bytes),
        Say::Channel(channel, bytes) => (BINARY, std::slice::from_ref(channel), bytes),
        Say::Pong(bytes) => (PONG, &[], bytes),
        Say::Close(code) => (CLOSE, &code.to_be_bytes(), &[]),
    };
    let length = prefix.len() + bytes.len();
    let mut frame = Vec::with_capacity(length + 10);
    frame.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(prefix);
    frame.extend_from_slice(bytes);
    stream.write_all(&frame).await?;
    stream.flush().await
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![head];
        match payload.len() {
            length @ ..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        frame
    }

    async fn all(bytes: &[u8]) -> (Vec<Event>, io::ErrorKind) {
        let mut reader = Reader::new(bytes);
        let mut events = Vec::new();
        loop {
            match reader.next().await {
                Ok(event) => events.push(event),
                Err(error) => return (events, error.kind()),
            }
        }
    }

    fn data(first: bool, last: bool, bytes: &'static [u8]) -> Event {
        Event::Data {
            first,
            last,
            bytes: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn keys_are_answered_as_in_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn messages_come_in_pieces_with_control_frames_between() {
        let stream = [
            frame(0x02, b"\x00he"),
            frame(0x89, b"ping"),
            frame(0x80, b"llo"),
            frame(0x82, b""),
            frame(0x88, &1000_u16.to_be_bytes()),
        ];
        let (events, _) = all(&stream.concat()).await;
        let expected = [
            data(true, false, b"\x00he"),
            Event::Ping(Bytes::from_static(b"ping")),
            data(false, true, b"llo"),
            data(true, true, b""),
            Event::Close,
        ];
        assert_eq!(events, expected);
    }

    #[tokio::test]
    async fn a_long_message_is_never_held() {
        let long = vec![7; 3 * limits::STREAM_READ_BYTES + 1];
        let (events, _) = all(&frame(0x82, &long)).await;
        let mut whole = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let Event::Data { first, last, bytes } = event else {
                panic!("{event:?}");
            };
            assert!(bytes.len() <= limits::STREAM_READ_BYTES);
            assert_eq!((*first, *last), (at == 0, at + 1 == events.len()));
            whole.extend_from_slice(bytes);
        }
        assert!(whole == long);
    }

    #[tokio::test]
    async fn what_is_no_websocket_ends_the_stream() {
        let unmasked = vec![0x82, 0x01, 0x00];
        let endless = vec![
            0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
        ];
        let cases = [
            (unmasked, io::ErrorKind::InvalidData),
            (frame(0xF2, b""), io::ErrorKind::InvalidData),
            (frame(0x80, b"rest of none"), io::ErrorKind::InvalidData),
            (frame(0x83, b""), io::ErrorKind::InvalidData),
            (frame(0x89, &[0; 126]), io::ErrorKind::InvalidData),
            (frame(0x09, b""), io::ErrorKind::InvalidData),
            (endless, io::ErrorKind::UnexpectedEof),
        ];
        for (bytes, kind) in cases {
            assert_eq!(all(&bytes).await, (Vec::new(), kind), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn frames_are_written_as_long_as_they_are() {
        for (length, head) in [
            (0, vec![0x82, 1]),
            (125, vec![0x82, 126, 0, 126]),
            (70_000, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x71]),
        ] {
            let mut out = Vec::new();
            write(&mut out, &Say::Channel(1, vec![9; length].into()))
                .await
                .expect("memory");
            assert_eq!(out[..head.len()], head);
            assert_eq!(out[head.len()], 1);
            assert_eq!(out.len(), head.len() + 1 + length);
        }
        let mut out = Vec::new();
        write(&mut out, &Say::Close(1000)).await.expect("memory");
        assert_eq!(out, [0x88, 2, 0x03, 0xE8]);
    }
}
