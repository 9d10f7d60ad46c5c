//! One HTTP connection to a running cluster, over TLS and with what its kubeconfig says.

use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A cluster that does not answer in this time is as good as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Objects are below 3 MiB, lists of resources far below.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Who is asked and who asks: the first cluster and the first user of a kubeconfig.
pub struct Credentials {
    config: Arc<ClientConfig>,
}

/// What to ask.
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub content_type: Option<&'a str>,
    pub body: Vec<u8>,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// A connection, and what drives it: no task of its own.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<dyn Future<Output = hyper::Result<()>>>>,
    host: String,
}

impl Credentials {
    /// Reads those of a kubeconfig that carries its certificates inside.
    pub fn of_kubeconfig(path: &Path) -> io::Result<Credentials> {
        let text = std::fs::read(path)?;
        let config = deploy_yaml::to_json(&text, deploy_yaml::Dialect::Core12).map_err(io::Error::other)?;
        let cluster = &config["clusters"][0]["cluster"];
        let user = &config["users"][0]["user"];
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&decoded(cluster, "certificate-authority-data")?) {
            let certificate = certificate.map_err(io::Error::other)?;
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let chain = CertificateDer::pem_slice_iter(&decoded(user, "client-certificate-data")?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        let key =
            PrivateKeyDer::from_pem_slice(&decoded(user, "client-key-data")?).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Credentials {
            config: Arc::new(config),
        })
    }
}

fn decoded(part: &Value, field: &str) -> io::Result<Vec<u8>> {
    let data = part[field]
        .as_str()
        .ok_or_else(|| io::Error::other(format!("the kubeconfig names no {field}")))?;
    base64::engine::general_purpose::STANDARD
        .decode(data)
        .map_err(io::Error::other)
}

impl<'a> Ask<'a> {
    /// A GET.
    pub fn get(path: &'a str) -> Ask<'a> {
        Ask {
            method: "GET",
            path,
            content_type: None,
            body: Vec::new(),
        }
    }
}

impl Connection {
    /// Connects to `https://host:port`.
    pub async fn open(address: &str, credentials: &Credentials) -> io::Result<Connection> {
        let uri: Uri = address.parse().map_err(io::Error::other)?;
        let authority = uri.authority().ok_or(io::ErrorKind::InvalidInput)?;
        let connect = async {
            let stream = TcpStream::connect(authority.as_str()).await?;
            let host = authority.host().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let connector = TlsConnector::from(Arc::clone(&credentials.config));
            connector.connect(name, stream).await
        };
        let stream = in_time(connect).await?;
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Connection {
            sender,
            driver: Box::pin(driver),
            host: authority.to_string(),
        })
    }

    /// Asks, and takes the whole answer, whatever its status.
    pub async fn ask(&mut self, ask: Ask<'_>) -> io::Result<Answer> {
        let response = self.response(ask).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let body = in_time(self.driven(async { body.await.map_err(io::Error::other) })).await?;
        Ok(Answer {
            status,
            body: body.to_bytes(),
        })
    }

    /// Gives each line of an answer that goes on, until `each` has seen enough, the answer ends or the time is up.
    /// Whether `each` has seen enough. The connection is of no use afterwards.
    pub async fn lines(
        mut self,
        path: &str,
        patience: Duration,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> io::Result<bool> {
        let deadline = tokio::time::Instant::now() + patience;
        let response = self.response(Ask::get(path)).await?;
        if !response.status().is_success() {
            return Err(io::Error::other(response.status().to_string()));
        }
        let mut body = response.into_body();
        let mut pending: Vec<u8> = Vec::new();
        loop {
            let frame = self.driven(async { body.frame().await.transpose().map_err(io::Error::other) });
            let Ok(frame) = tokio::time::timeout_at(deadline, frame).await else {
                return Ok(false);
            };
            let Some(frame) = frame? else { return Ok(false) };
            let Ok(data) = frame.into_data() else { continue };
            pending.extend_from_slice(&data);
            if pending.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("a line of the answer is too long"));
            }
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                if each(&pending[..end]).is_break() {
                    return Ok(true);
                }
                pending.drain(..=end);
            }
        }
    }

    async fn response(&mut self, ask: Ask<'_>) -> io::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header("host", &self.host)
            .header("accept", "application/json");
        if let Some(content_type) = ask.content_type {
            request = request.header("content-type", content_type);
        }
        let request = request
            .body(Full::new(Bytes::from(ask.body)))
            .map_err(io::Error::other)?;
        let answer = self.sender.send_request(request);
        let driver = &mut self.driver;
        in_time(drive(driver, async { answer.await.map_err(io::Error::other) })).await
    }

    async fn driven<T>(&mut self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        drive(&mut self.driver, work).await
    }
}

/// Does some work on a connection that somebody has to drive beside it.
async fn drive<T>(
    driver: &mut Pin<Box<dyn Future<Output = hyper::Result<()>>>>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::pin!(work);
    tokio::select! {
        // What was received before the connection ended is still taken.
        biased;
        done = &mut work => done,
        ended = driver => match ended {
            Err(error) => Err(io::Error::other(error)),
            Ok(()) => Err(io::ErrorKind::UnexpectedEof.into()),
        },
    }
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
