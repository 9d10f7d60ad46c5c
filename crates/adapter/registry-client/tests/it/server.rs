//! A registry of a test: a function from requests to replies, behind a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use deploy_model::image::manifest::Platform;
use deploy_model::image::{Digest, Reference};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The first byte that is wanted.
    pub fn from(&self) -> usize {
        self.header("range")
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'))
            .map_or(0, |from| from.parse().expect("the client sends digits"))
    }
}

/// What is sent back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
    /// The body is repeated for ever, without a stated length.
    pub endless: bool,
    /// Instead of all of it.
    pub raw: Option<Vec<u8>>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
            endless: false,
            raw: None,
        }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    pub fn raw(bytes: &[u8]) -> Self {
        let mut reply = Self::ok("");
        reply.raw = Some(bytes.to_vec());
        reply
    }
}

/// A server that ends with its handle.
pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_tls(None, handler).await
    }

    pub async fn with_tls(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let record = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // One at a time: the client opens one connection per request.
            while let Ok((stream, _)) = listener.accept().await {
                let note = |request: &Request| {
                    record
                        .lock()
                        .expect("no panic while it is held")
                        .push(request.clone());
                    handler(request)
                };
                match &tls {
                    None => serve(stream, &note).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, &note).await;
                        }
                    }
                }
            }
        });
        Self { address, seen, task }
    }

    /// A reference to a repository here.
    pub fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().expect("a reference")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no panic while it is held").clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|request| request.path).collect()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    handler: &(dyn Fn(&Request) -> Reply + Sync),
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let reply = handler(&request);
    // A client that has heard enough closes: no concern of ours.
    let _ = write(&mut stream, &reply).await;
    let _ = stream.shutdown().await;
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap_or(0));
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => body.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, reply: &Reply) -> std::io::Result<()> {
    if let Some(raw) = &reply.raw {
        return stream.write_all(raw).await;
    }
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", reply.status);
    if !reply.endless {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    loop {
        stream
            .write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])
            .await?;
        stream.flush().await?;
        if !reply.endless {
            return Ok(());
        }
    }
}

pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

pub fn descriptor(bytes: &[u8]) -> String {
    format!(r#"{{"digest":"{}","size":{}}}"#, sha256(bytes), bytes.len())
}

pub const CONFIG: &[u8] = br#"{"rootfs":{"diff_ids":[]}}"#;
pub const LAYER: &[u8] = &[7; 100_000];

pub fn manifest() -> String {
    format!(
        r#"{{"config":{},"layers":[{}]}}"#,
        descriptor(CONFIG),
        descriptor(LAYER)
    )
}

/// What an honest registry has at a path of `team/app`.
pub fn content(path: &str) -> Option<Vec<u8>> {
    let rest = path.strip_prefix("/v2/team/app/")?;
    let manifest = manifest().into_bytes();
    let version = format!("manifests/{}", sha256(&manifest));
    match rest {
        "manifests/1" => Some(manifest),
        rest if rest == version => Some(manifest),
        rest if rest == format!("blobs/{}", sha256(CONFIG)) => Some(CONFIG.to_vec()),
        rest if rest == format!("blobs/{}", sha256(LAYER)) => Some(LAYER.to_vec()),
        _ => None,
    }
}

/// An honest reply.
pub fn honest(request: &Request) -> Reply {
    match content(&request.path) {
        None => Reply::new(
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such thing"}]}"#,
        ),
        Some(bytes) if request.from() > 0 => {
            let from = request.from();
            Reply::new(206, &bytes[from..]).header(
                "Content-Range",
                format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()),
            )
        }
        Some(bytes) => Reply::ok(bytes),
    }
}

pub fn amd64() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        variant: String::new(),
    }
}
