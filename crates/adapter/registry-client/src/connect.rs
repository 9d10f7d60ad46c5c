//! Connections: TCP, TLS where the endpoint wants it, HTTP/1.1.

use std::sync::{Arc, OnceLock};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::endpoint::Endpoint;
use crate::limits;
use crate::source::Outgoing;

/// What a connection to a registry carries, encrypted or not.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

pub type Sender = http1::SendRequest<Outgoing>;
pub type Connection = http1::Connection<TokioIo<Box<dyn Transport>>, Outgoing>;

/// Makes connections.
pub struct Connector {
    /// Authorities beside those of the machine.
    extra: Vec<CertificateDer<'static>>,
    /// The machine's are read at the first need: a node with a registry on loopback has none.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

/// Why there is no connection.
pub enum ConnectError {
    NoAuthorities,
    Failed(String),
}

impl Connector {
    pub fn new(extra: Vec<CertificateDer<'static>>) -> Self {
        Self {
            extra,
            tls: OnceLock::new(),
        }
    }

    /// A fresh connection. The connection must be polled for the sender to work.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Sender, Connection), ConnectError> {
        let connected = tokio::time::timeout(limits::CONNECT_PATIENCE, self.dial(endpoint));
        let stream = connected
            .await
            .map_err(|_| ConnectError::Failed("i/o timeout while connecting".to_owned()))??;
        http1::Builder::new()
            .max_headers(limits::HEADERS_MAX)
            .max_buf_size(limits::HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectError::Failed(error.to_string()))
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<Box<dyn Transport>, ConnectError> {
        let failed = |error: std::io::Error| ConnectError::Failed(error.to_string());
        let port = endpoint
            .port()
            .ok_or_else(|| ConnectError::Failed("it has a wrong port".to_owned()))?;
        // RFC 6761 6.3: these names are this machine; getaddrinfo does not know them.
        let host = match endpoint.host() {
            host if host.ends_with(".localhost") => "localhost",
            host => host,
        };
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if !endpoint.secure {
            return Ok(Box::new(stream));
        }
        let config = self.tls.get_or_init(|| config(&self.extra)).clone();
        let config = config.ok_or(ConnectError::NoAuthorities)?;
        let name = ServerName::try_from(endpoint.host().to_owned())
            .map_err(|error| ConnectError::Failed(error.to_string()))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| ConnectError::Failed(format!("tls: {error}")))?;
        Ok(Box::new(stream))
    }
}

/// TLS with the authorities of this machine and the extra ones; none if there are none at all.
fn config(extra: &[CertificateDer<'static>]) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // A damaged file of the machine costs its own authorities, not all.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(extra.iter().cloned());
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}
