//! TLS: certificates of Secrets, by name, also when they change.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deploy_cluster_api::client::ResourceId;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::backend::Backend;
use super::wire::Wire;
use super::{ingress, service, started};
use crate::world::{World, until};

/// Takes any certificate whose key signs: the tests look at it themselves.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

async fn connect(address: SocketAddr, name: &str, protocol: &str) -> TlsStream<TcpStream> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(algorithms)))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    connected.await.expect("a handshake")
}

async fn certificate(address: SocketAddr, name: &str) -> Vec<u8> {
    let stream = connect(address, name, "http/1.1").await;
    let chain = stream.get_ref().1.peer_certificates().expect("one is shown");
    chain[0].to_vec()
}

/// A certificate, and a Secret that holds it.
fn secret(host: &str) -> (Vec<u8>, Value) {
    let key = KeyPair::generate().expect("randomness");
    let parameters = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "tls", "namespace": "default"},
        "data": {
            "tls.crt": STANDARD.encode(certificate.pem()),
            "tls.key": STANDARD.encode(key.serialize_pem()),
        },
    });
    (certificate.der().to_vec(), object)
}

async fn secure_web(world: &World, backend: SocketAddr) {
    world.put_slice("web-a", "web", &[backend]).await;
    let mut made = ingress("web", &["h.test / web", "plain.test / web"], json!({}));
    made["spec"]["tls"] = json!([{"hosts": ["h.test"], "secretName": "tls"}]);
    world.create([service("web"), made]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_chosen_by_name_and_replaced() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    secure_web(&world, backend.address).await;
    let ingress = started(&world).await;
    let at = ingress.https()[0];
    let default = certificate(at, "other.test").await;
    assert_eq!(certificate(at, "h.test").await, default, "the Secret is missing");
    let (first, object) = secret("h.test");
    world.create([object]).await;
    until("the first", async || certificate(at, "h.test").await == first).await;
    assert_eq!(certificate(at, "other.test").await, default);
    let secrets = ResourceId::new("", "v1", "secrets");
    let (second, object) = secret("h.test");
    world
        .client()
        .update(&secrets, object)
        .await
        .expect("a good Secret");
    until("the second", async || certificate(at, "h.test").await == second).await;
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    secure_web(&world, backend.address).await;
    let ingress = started(&world).await;
    let at = ingress.https()[0];
    let request = |uri: &str| {
        let request = Request::get(uri).header("host", "h.test");
        request.body(Empty::<bytes::Bytes>::new()).expect("a request")
    };
    let stream = TokioIo::new(connect(at, "h.test", "http/1.1").await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .expect("HTTP/1.1");
    let running = tokio::spawn(connection);
    let answer = sender.send_request(request("/echo")).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains("x-forwarded-proto: https\r\n"), "{body}");
    running.abort();
    let stream = TokioIo::new(connect(at, "h.test", "h2").await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = handshake.await.expect("HTTP/2");
    let running = tokio::spawn(connection);
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        answers.spawn(sender.send_request(request("https://h.test/chunks")));
    }
    while let Some(answer) = answers.join_next().await {
        let answer = answer.expect("a task").expect("an answer");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&*body, b"onetwothree");
    }
    running.abort();
    ingress.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_with_a_certificate_are_sent_to_https() {
    let world = World::start().await;
    let backend = Backend::start("web").await;
    world.create([secret("h.test").1]).await;
    secure_web(&world, backend.address).await;
    let ingress = started(&world).await;
    let mut wire = Wire::connect(ingress.http()[0]).await;
    let answer = wire.get("h.test", "/a").await;
    let there = format!("https://h.test:{}/a", ingress.https()[0].port());
    assert_eq!((answer.status, answer.header("location")), (308, Some(&*there)));
    assert_eq!(wire.get("plain.test", "/a").await.status, 200);
    ingress.shutdown().await;
}
