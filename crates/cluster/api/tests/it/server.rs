//! The server on a real socket: TLS, who is let in, bounds, its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::limits;
use deploy_cluster_api::server::{Options, Server};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::temporary;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    pub server: Server,
    pub kubeconfig: Value,
}

impl Site {
    pub async fn start() -> Site {
        let options = Options {
            data_dir: temporary(),
            listen: ([127, 0, 0, 1], 0).into(),
            controllers: false,
            service_range: Range::default(),
        };
        let server = Server::start(options)
            .await
            .expect("the folder and the port are free");
        let text = server.kubeconfig("test").expect("the authority signs");
        let kubeconfig =
            deploy_yaml::to_json(text.as_bytes(), deploy_yaml::Dialect::GoYaml11).expect("it is YAML");
        Site { server, kubeconfig }
    }

    fn pem(&self, pointer: &str) -> Vec<u8> {
        let text = self
            .kubeconfig
            .pointer(pointer)
            .and_then(Value::as_str)
            .expect("the kubeconfig has it");
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .expect("it is base64")
    }

    /// A connection, with the administrator's certificate or without any.
    pub async fn connect(&self, admin: bool) -> TlsStream<TcpStream> {
        self.connect_to(self.server.address(), "127.0.0.1", admin).await
    }

    async fn connect_to(&self, address: SocketAddr, name: &'static str, admin: bool) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let authority = self.pem("/clusters/0/cluster/certificate-authority-data");
        roots
            .add(CertificateDer::from_pem_slice(&authority).expect("it is PEM"))
            .expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots);
        let config = if admin {
            let certificate = self.pem("/users/0/user/client-certificate-data");
            let key = self.pem("/users/0/user/client-key-data");
            let chain = vec![CertificateDer::from_pem_slice(&certificate).expect("it is PEM")];
            let key = PrivateKeyDer::from_pem_slice(&key).expect("it is PEM");
            builder.with_client_auth_cert(chain, key).expect("they fit")
        } else {
            builder.with_no_client_auth()
        };
        let stream = TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::try_from(name).expect("it is an address");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("the certificate is for this address")
    }

    /// Status code, headers and body of one request over HTTP/1.1.
    pub async fn ask(&self, admin: bool, request: &str) -> (u16, String) {
        answer_of(self.connect(admin).await, request).await
    }

    /// The version, asked at another address.
    pub async fn ask_at(&self, address: SocketAddr, name: &'static str) -> (u16, String) {
        answer_of(self.connect_to(address, name, true).await, &get("/version")).await
    }
}

async fn answer_of(mut stream: TlsStream<TcpStream>, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("it answers")
        .ok();
    let answer = String::from_utf8(answer).expect("it is text");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status line");
    (status, answer)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: cluster\r\nconnection: close\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_is_let_in_and_nobody_else() {
    let site = Site::start().await;
    let (status, answer) = site.ask(true, &get("/api/v1/namespaces/default")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer.contains("\"name\":\"default\"") && answer.contains("audit-id: "),
        "{answer}"
    );
    let (status, answer) = site.ask(false, &get("/api/v1/namespaces/default")).await;
    assert_eq!(status, 403, "{answer}");
    assert!(
        answer.contains("User \\\"system:anonymous\\\" cannot get resource \\\"namespaces\\\""),
        "{answer}"
    );
    for path in ["/version", "/healthz", "/livez", "/readyz?verbose"] {
        assert_eq!(site.ask(false, &get(path)).await.0, 200, "{path}");
    }
    let bad = "GET /version HTTP/1.1\r\nhost: c\r\nauthorization: Bearer x\r\nconnection: close\r\n\r\n";
    assert_eq!(site.ask(false, bad).await.0, 401);
    site.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded() {
    let site = Site::start().await;
    let length = limits::BODY_BYTES + 1;
    let head = format!(
        "POST /api/v1/namespaces HTTP/1.1\r\nhost: c\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    let (status, answer) = site.ask(true, &(head + &"x".repeat(length))).await;
    assert_eq!(status, 413, "{answer}");
    assert!(
        answer.contains("Request entity too large: limit is 3145728"),
        "{answer}"
    );
    site.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_watches() {
    let site = Site::start().await;
    let mut stream = site.connect(true).await;
    let request = get("/api/v1/namespaces?watch=1&resourceVersion=0");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("\"ADDED\"") {
        let read = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("it answers")
            .expect("it is open");
        assert!(read > 0, "the watch ended at once");
        seen.extend_from_slice(&buffer[..read]);
    }
    let end = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    let (ended, ()) = tokio::join!(timeout(PATIENCE, end), site.server.shutdown());
    ended.expect("the watch ends with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = temporary();
    let options = || Options {
        data_dir: folder.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        controllers: false,
        service_range: Range::default(),
    };
    let first = Server::start(options()).await.expect("the folder is new");
    let client = deploy_cluster_api::client::Client::new(
        first.api(),
        deploy_cluster_api::identity::UserInfo::api_server(),
        "test",
    );
    let maps = deploy_cluster_api::client::ResourceId::new("", "v1", "configmaps");
    let made = client
        .create(
            &maps,
            serde_json::json!({"metadata": {"name": "kept", "namespace": "default"}, "data": {"a": "b"}}),
        )
        .await
        .expect("nothing is wrong with it");
    first.shutdown().await;
    let second = Server::start(options()).await.expect("the folder was given back");
    let client = deploy_cluster_api::client::Client::new(
        second.api(),
        deploy_cluster_api::identity::UserInfo::api_server(),
        "test",
    );
    assert_eq!(client.get(&maps, "default", "kept"), Some(made));
    second.shutdown().await;
}
