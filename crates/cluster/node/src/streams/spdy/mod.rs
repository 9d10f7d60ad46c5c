//! SPDY/3.1 as Kubernetes' clients speak it (moby/spdystream): streams of bytes within one connection, without windows.

mod headers;

use std::collections::HashMap;
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use crate::limits;
use headers::{Deflate, Headers, Inflate};

const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FIN: u8 = 1;

const INVALID_STREAM: u32 = 2;
const REFUSED_STREAM: u32 = 3;

/// A stream that the client has opened.
pub struct Incoming {
    id: u32,
    headers: Headers,
    /// What the client sends; its end is the client's end of the stream. Streams that are not read stop all others.
    pub input: mpsc::Receiver<Bytes>,
    /// What it is sent.
    pub output: Output,
}

/// Our side of a stream.
pub struct Output {
    id: u32,
    frames: mpsc::Sender<Bytes>,
}

impl Incoming {
    /// Its number in the connection.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// A header of it, by its name in lower case; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Output {
    /// Sends; false once the connection is gone.
    pub async fn send(&self, bytes: &[u8]) -> bool {
        for piece in bytes.chunks(limits::STREAM_READ_BYTES) {
            if self.frames.send(data(self.id, 0, piece)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Sends no more.
    pub async fn finish(self) {
        // A connection that is gone is finished.
        let _ = self.frames.send(data(self.id, FIN, &[])).await;
    }
}

/// The reading side of a connection.
pub struct Session<R> {
    reader: BufReader<R>,
    frames: mpsc::Sender<Bytes>,
    inflate: Inflate,
    deflate: Deflate,
    /// The streams whose client may still send.
    open: HashMap<u32, mpsc::Sender<Bytes>>,
    latest: u32,
}

/// A connection: what is read, and what is to be written by [`write`].
pub fn session<R: AsyncRead + Unpin>(reader: R) -> (Session<R>, mpsc::Receiver<Bytes>) {
    let (frames, queue) = mpsc::channel(limits::STREAM_QUEUE);
    let session = Session {
        reader: BufReader::new(reader),
        frames,
        inflate: Inflate::new(),
        deflate: Deflate::new(),
        open: HashMap::new(),
        latest: 0,
    };
    (session, queue)
}

/// Writes all frames until nobody has any more.
pub async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(frame) = queue.recv().await {
        let written = async {
            writer.write_all(&frame).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

impl<R: AsyncRead + Unpin> Session<R> {
    /// The next stream that the client opens; none when it says good-bye. An error is the end, too. Meanwhile all that is
    /// read goes to its streams: nothing moves unless this is awaited.
    pub async fn next(&mut self) -> io::Result<Option<Incoming>> {
        loop {
            let first = self.reader.read_u32().await?;
            let second = self.reader.read_u32().await?;
            let (flags, length) = ((second >> 24) as u8, second & 0x00FF_FFFF);
            if first & 0x8000_0000 == 0 {
                self.data(first, flags, length).await?;
                continue;
            }
            if (first >> 16) as u16 & 0x7FFF != VERSION {
                return Err(broken("another version of SPDY"));
            }
            let kind = first as u16;
            let body = self.body(length).await?;
            match kind {
                SYN_STREAM => {
                    if let Some(incoming) = self.opened(flags, &body).await? {
                        return Ok(Some(incoming));
                    }
                }
                RST_STREAM => {
                    self.open.remove(&id_of(&body)?);
                }
                // Only what the client asks is answered: our own would have even numbers.
                PING if id_of(&body)? % 2 == 1 => self.say(control(PING, 0, &body)).await?,
                GOAWAY => return Ok(None),
                // Settings and windows, which clients of Kubernetes do not send, and late headers.
                _ => {}
            }
        }
    }

    async fn body(&mut self, length: u32) -> io::Result<Vec<u8>> {
        if length as usize > limits::SPDY_FRAME_BYTES_MAX {
            return Err(broken("a control frame that is too long"));
        }
        let mut body = vec![0; length as usize];
        self.reader.read_exact(&mut body).await?;
        Ok(body)
    }

    async fn data(&mut self, id: u32, flags: u8, length: u32) -> io::Result<()> {
        let mut left = length as usize;
        while left > 0 {
            let mut piece = vec![0; left.min(limits::STREAM_READ_BYTES)];
            let count = self.reader.read(&mut piece).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count;
            piece.truncate(count);
            let sent = match self.open.get(&id) {
                Some(stream) => stream.send(piece.into()).await.is_ok(),
                None => true,
            };
            if !sent {
                self.open.remove(&id);
            }
        }
        if flags & FIN != 0 {
            self.open.remove(&id);
        }
        Ok(())
    }

    async fn opened(&mut self, flags: u8, body: &[u8]) -> io::Result<Option<Incoming>> {
        let id = id_of(body)?;
        let block = body.get(10..).ok_or_else(|| broken("a stream without headers"))?;
        // Also of streams that are refused: the blocks are one deflated text.
        let headers = self.inflate.block(block)?;
        if id % 2 == 0 || id <= self.latest {
            self.reset(id, INVALID_STREAM).await?;
            return Ok(None);
        }
        self.latest = id;
        self.open.retain(|_, stream| !stream.is_closed());
        if self.open.len() >= limits::SPDY_STREAMS_MAX {
            self.reset(id, REFUSED_STREAM).await?;
            return Ok(None);
        }
        let (sender, input) = mpsc::channel(limits::STREAM_QUEUE);
        if flags & FIN == 0 {
            self.open.insert(id, sender);
        }
        let mut reply = id.to_be_bytes().to_vec();
        reply.extend(self.deflate.empty());
        self.say(control(SYN_REPLY, 0, &reply)).await?;
        let output = Output {
            id,
            frames: self.frames.clone(),
        };
        Ok(Some(Incoming {
            id,
            headers,
            input,
            output,
        }))
    }

    async fn reset(&mut self, id: u32, why: u32) -> io::Result<()> {
        let body = [id.to_be_bytes(), why.to_be_bytes()].concat();
        self.say(control(RST_STREAM, 0, &body)).await
    }

    async fn say(&mut self, frame: Bytes) -> io::Result<()> {
        self.frames
            .send(frame)
            .await
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn id_of(body: &[u8]) -> io::Result<u32> {
    let (id, _) = body
        .split_first_chunk::<4>()
        .ok_or_else(|| broken("a frame that is too short"))?;
    Ok(u32::from_be_bytes(*id) & 0x7FFF_FFFF)
}

fn control(kind: u16, flags: u8, body: &[u8]) -> Bytes {
    let first = 0x8000_0000 | u32::from(VERSION) << 16 | u32::from(kind);
    frame(first, flags, body)
}

fn data(id: u32, flags: u8, bytes: &[u8]) -> Bytes {
    frame(id, flags, bytes)
}

fn frame(first: u32, flags: u8, body: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(body.len() + 8);
    frame.extend_from_slice(&first.to_be_bytes());
    frame.extend_from_slice(&(u32::from(flags) << 24 | body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    frame.into()
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(id: u32, begun: bool) -> Bytes {
        let mut body = id.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 6]);
        let mut deflate = Deflate::new();
        let block = deflate.empty();
        body.extend_from_slice(if begun { &block[2..] } else { &block });
        control(SYN_STREAM, 0, &body)
    }

    #[tokio::test]
    async fn streams_are_opened_answered_and_ended() {
        let bytes = [
            syn(1, false),
            data(1, 0, b"he"),
            data(1, FIN, b"llo"),
            data(9, 0, b"to nobody"),
            control(PING, 0, &7_u32.to_be_bytes()),
            syn(3, true),
            syn(3, true),
            control(GOAWAY, 0, &[0; 8]),
        ];
        let bytes = bytes.concat();
        let (mut session, mut queue) = session(&bytes[..]);
        let mut first = session.next().await.expect("it is sound").expect("a stream");
        let second = session.next().await.expect("it is sound").expect("a stream");
        assert_eq!((first.id(), second.id(), first.header("port")), (1, 3, ""));
        assert!(session.next().await.expect("it is sound").is_none());
        let mut heard = Vec::new();
        while let Some(piece) = first.input.recv().await {
            heard.extend_from_slice(&piece);
        }
        assert_eq!(heard, b"hello");
        assert!(second.output.send(b"x").await);
        let mut kinds = Vec::new();
        drop((session, first, second));
        while let Some(frame) = queue.recv().await {
            kinds.push(frame[..4].to_vec());
        }
        let expected = [
            [0x80, 3, 0, 2],
            [0x80, 3, 0, 6],
            [0x80, 3, 0, 2],
            [0x80, 3, 0, 3],
            [0, 0, 0, 3],
        ];
        assert_eq!(kinds, expected.map(|kind| kind.to_vec()));
    }

    #[tokio::test]
    async fn what_is_no_spdy_ends_the_connection() {
        let long = [0x80, 3, 0, 1, 0, 0xFF, 0xFF, 0xFF];
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            &[0x80, 2, 0, 1, 0, 0, 0, 0],
            &long,
            &control(SYN_STREAM, 0, &[0; 4]),
            &control(PING, 0, &[0; 3]),
            &control(SYN_STREAM, 0, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3]),
        ] {
            let (mut session, _queue) = session(bytes);
            assert!(session.next().await.is_err(), "{bytes:?}");
        }
    }
}
