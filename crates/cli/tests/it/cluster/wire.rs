//! A client that knows nothing but the wire: HTTP/2 over TLS, JSON bodies.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection; clones share it.
#[derive(Clone)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    /// For a server that knows its administrator by a token.
    token: Option<String>,
}

/// The events of a watch.
pub struct Watch {
    body: Incoming,
    /// What came behind the last whole line.
    rest: Vec<u8>,
}

impl Client {
    /// Connects as the first user of a kubeconfig.
    pub async fn connect(kubeconfig: &Path) -> Client {
        let text = std::fs::read(kubeconfig).expect("the server wrote it");
        let config = deploy_yaml::to_json(&text, deploy_yaml::Dialect::GoYaml11).expect("it is YAML");
        let cluster = &config["clusters"][0]["cluster"];
        let user = &config["users"][0]["user"];
        let address = cluster["server"].as_str().expect("it names a server");
        let address = address.strip_prefix("https://").expect("it is a URL").to_owned();
        let stream = TcpStream::connect(&address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let host = address.rsplit_once(':').expect("it has a port").0.to_owned();
        let name = ServerName::try_from(host).expect("it is an address");
        let stream = TlsConnector::from(Arc::new(trusting(cluster, user)))
            .connect(name, stream)
            .await
            .expect("the certificates are the kubeconfig's");
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("it speaks HTTP/2");
        // Ends with the server or with the runtime of the test.
        tokio::spawn(connection);
        Client {
            sender,
            address,
            token: user["token"].as_str().map(str::to_owned),
        }
    }

    /// Sends a request; the status and the body. `Err` where the connection broke.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> hyper::Result<(u16, Value)> {
        let (status, body) = self.open(method, path, body).await?;
        let body = body.collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Opens a watch.
    pub async fn watch(&self, path: &str) -> hyper::Result<Watch> {
        let (status, body) = self.open("GET", path, &Value::Null).await?;
        assert_eq!(status, 200, "{path}");
        Ok(Watch {
            body,
            rest: Vec::new(),
        })
    }

    /// Sends a request with a body of this type; the status and the bytes. Of a watch: so many lines, or those that come
    /// before it is silent for `silence`.
    pub async fn answer(
        &self,
        (method, path, kind): (&str, &str, &str),
        body: Vec<u8>,
        lines: Option<usize>,
        silence: Duration,
    ) -> hyper::Result<(u16, Vec<u8>)> {
        let (status, mut incoming) = self.open_as(method, path, kind, body.into()).await?;
        let mut got = Vec::new();
        let missing =
            |got: &[u8]| lines.is_none_or(|lines| got.iter().filter(|byte| **byte == b'\n').count() < lines);
        while missing(&got) {
            let next = match lines {
                None => incoming.frame().await,
                Some(_) => match tokio::time::timeout(silence, incoming.frame()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
            };
            let Some(frame) = next else { break };
            if let Ok(data) = frame?.into_data() {
                got.extend_from_slice(&data);
            }
        }
        Ok((status, got))
    }

    async fn open(&self, method: &str, path: &str, body: &Value) -> hyper::Result<(u16, Incoming)> {
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        self.open_as(method, path, kind, body).await
    }

    async fn open_as(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> hyper::Result<(u16, Incoming)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.address))
            .header("content-type", kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).expect("the path is one");
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }
}

impl Watch {
    /// The next event; `None` where the watch has ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("an event is JSON"));
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}

fn trusting(cluster: &Value, user: &Value) -> ClientConfig {
    let pem = |value: &Value| STANDARD.decode(value.as_str()?).ok();
    let authority = pem(&cluster["certificate-authority-data"]).expect("it names an authority");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&authority) {
        let certificate = certificate.expect("it is a certificate");
        roots.add(certificate).expect("it is an authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots);
    let shown = pem(&user["client-certificate-data"]).zip(pem(&user["client-key-data"]));
    let mut config = match shown {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
            let key = PrivateKeyDer::from_pem_slice(&key).expect("it is a key");
            config
                .with_client_auth_cert(chain.expect("they are certificates"), key)
                .expect("they fit together")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}
