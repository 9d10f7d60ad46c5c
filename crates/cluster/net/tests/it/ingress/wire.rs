//! A client that sends exactly what a test says.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::DEADLINE;

/// One connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Wire {
            stream: BufReader::new(stream),
        }
    }

    pub async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.expect("it is read");
    }

    /// As far as it is read: who is refused may not read it all.
    pub async fn try_send(&mut self, bytes: &str) -> bool {
        self.stream.write_all(bytes.as_bytes()).await.is_ok()
    }

    pub async fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        self.answer().await.expect("an answer")
    }

    /// The next answer; `None` when the connection has ended.
    pub async fn answer(&mut self) -> Option<Answer> {
        timeout(DEADLINE, self.read()).await.expect("in time")
    }

    /// Bytes as they come.
    pub async fn bytes(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        let read = timeout(DEADLINE, self.stream.read_exact(&mut bytes)).await;
        read.expect("in time").expect("so many");
        String::from_utf8(bytes).expect("text")
    }

    /// Waits for the end of the connection.
    pub async fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = timeout(DEADLINE, self.stream.read_to_end(&mut rest))
            .await
            .expect("in time");
        rest.is_empty()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await;
        (read.is_ok() && !line.is_empty()).then_some(line)
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut answer = Answer::default();
        let first = self.line().await?;
        answer.status = first.split(' ').nth(1)?.parse().ok()?;
        loop {
            let line = self.line().await?;
            if line == "\r\n" {
                break;
            }
            answer.head.push_str(&line);
        }
        if answer.status == 101 || answer.status == 204 {
            return Some(answer);
        }
        if let Some(length) = answer.header("content-length") {
            let mut body = vec![0; length.parse().expect("a number")];
            self.stream.read_exact(&mut body).await.ok()?;
            answer.body = String::from_utf8(body).expect("text");
        } else {
            loop {
                let size = usize::from_str_radix(self.line().await?.trim(), 16).expect("a size");
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).await.ok()?;
                if size == 0 {
                    break;
                }
                answer.body += std::str::from_utf8(&chunk[..size]).expect("text");
            }
        }
        Some(answer)
    }
}
