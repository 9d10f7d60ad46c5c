//! A server behind the ingress, as plain as can be: it says what it has received.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that lives as long as this.
pub struct Backend {
    pub address: SocketAddr,
    /// Connections that it has accepted.
    pub accepted: Arc<AtomicU32>,
    /// Requests that it has read.
    pub requests: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Answers with `name`, and what is told below.
    pub async fn start(name: &'static str) -> Backend {
        Backend::at("127.0.0.1:0", name).await
    }

    pub async fn at(address: &str, name: &'static str) -> Backend {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (accepted, requests) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (connections, read) = (accepted.clone(), requests.clone());
        let task = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let read = read.clone();
                running.spawn(async move {
                    // A connection that breaks is the test's own doing.
                    let _ = converse(stream, name, &read).await;
                });
            }
        });
        Backend {
            address,
            accepted,
            requests,
            task,
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `/echo`: the whole request. `/close`: an answer, then silence and the end. `/break`: the end at once. `/chunks`: a
/// body in parts. `/ws`: another protocol, which says everything twice. `/slow`: never an answer. Else: the name.
async fn converse(stream: TcpStream, name: &str, requests: &AtomicU32) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        requests.fetch_add(1, Ordering::Relaxed);
        let body = read_body(&mut stream, &head).await?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = |body: &str| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Backend: {name}\r\n\r\n{body}",
                body.len()
            )
        };
        let route = path.split('?').next().unwrap_or_default().to_owned();
        match route.as_str() {
            "/echo" => {
                let text = format!("{head}\r\n{body}");
                stream.write_all(answer(&text).as_bytes()).await?;
            }
            "/close" => {
                stream.write_all(answer("last").as_bytes()).await?;
                return Ok(());
            }
            "/break" => return Ok(()),
            "/slow" => std::future::pending::<()>().await,
            "/chunks" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await?;
                for part in ["one", "two", "three"] {
                    let chunk = format!("{:x}\r\n{part}\r\n", part.len());
                    stream.write_all(chunk.as_bytes()).await?;
                    stream.flush().await?;
                }
                stream.write_all(b"0\r\n\r\n").await?;
            }
            "/ws" => {
                stream
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: twice\r\n\r\nhello ")
                    .await?;
                loop {
                    let mut bytes = [0; 64];
                    let length = stream.read(&mut bytes).await?;
                    if length == 0 {
                        return Ok(());
                    }
                    stream.write_all(&bytes[..length].repeat(2)).await?;
                }
            }
            _ => stream.write_all(answer(name).as_bytes()).await?,
        }
    }
}

async fn read_body(stream: &mut BufReader<TcpStream>, head: &str) -> std::io::Result<String> {
    let field = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if let Some(length) = field("content-length") {
        body.resize(length.parse().expect("a number"), 0);
        stream.read_exact(&mut body).await?;
    } else if field("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let size = usize::from_str_radix(line.trim(), 16).expect("a size");
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}
