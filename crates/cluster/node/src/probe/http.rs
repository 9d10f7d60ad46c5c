//! Asking over HTTP (`pkg/probe/http`): one GET, redirects on the same host, certificates that nobody looks at.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::Outcome;
use super::run::refused;
use crate::limits;

/// What to ask, with its port as a number and its host filled in.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub tls: bool,
    pub host: &'a str,
    pub port: u16,
    pub path: &'a str,
    pub headers: &'a [(String, String)],
    /// `probe`, `lifecycle`
    pub purpose: &'a str,
}

/// An answer that has come.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    location: String,
    body: String,
}

/// Asks within a time.
///
/// # Errors
/// Go's text where no answer has come.
pub(super) async fn get(ask: &Ask<'_>, within: Duration) -> Result<Answer, String> {
    let first = format!(
        "{}/{}",
        origin(ask.tls, ask.host, ask.port),
        ask.path.trim_start_matches('/')
    );
    let headers = headers(ask).map_err(|error| format!("Get \"{first}\": {error}"))?;
    let told = |error: String| format!("Get \"{first}\": {error}");
    let late =
        || told("context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned());
    timeout(within, follow(&first, &headers))
        .await
        .map_err(|_| late())?
        .map_err(told)
}

/// As a probe's outcome.
pub(super) fn outcome(answer: Result<Answer, String>) -> Outcome {
    match answer {
        Err(error) => Outcome::Failure(error),
        Ok(Answer {
            status: 200..=299, ..
        }) => Outcome::Success,
        Ok(Answer {
            status: 300..=399,
            body,
            ..
        }) => Outcome::Warning(format!("Probe terminated redirects, Response body: {body}")),
        Ok(Answer { status, .. }) => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
    }
}

fn origin(tls: bool, host: &str, port: u16) -> String {
    let scheme = if tls { "https" } else { "http" };
    match host.contains(':') {
        true => format!("{scheme}://[{host}]:{port}"),
        false => format!("{scheme}://{host}:{port}"),
    }
}

fn headers(ask: &Ask<'_>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in ask.headers {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("net/http: invalid header field name \"{name}\""))?;
        let value = HeaderValue::try_from(value.as_str())
            .map_err(|_| format!("net/http: invalid header field value for \"{name}\""))?;
        headers.append(name, value);
    }
    if !headers.contains_key(USER_AGENT) {
        let agent = format!("kube-{}/1.34", ask.purpose);
        headers.insert(
            USER_AGENT,
            HeaderValue::try_from(agent).map_err(|error| error.to_string())?,
        );
    }
    match headers.get(ACCEPT) {
        None => {
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        Some(value) if value.is_empty() => {
            headers.remove(ACCEPT);
        }
        Some(_) => {}
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

async fn follow(first: &str, headers: &HeaderMap) -> Result<Answer, String> {
    let mut url = first.to_owned();
    for step in 0..=limits::PROBE_REDIRECTS_MAX {
        let uri: Uri = url.parse().map_err(|error| format!("parse \"{url}\": {error}"))?;
        let answer = once(&uri, headers, step > 0).await?;
        match redirect(&uri, &answer).filter(|next| next.host() == uri.host()) {
            Some(next) => url = next.to_string(),
            None => return Ok(answer),
        }
    }
    Err(format!("stopped after {} redirects", limits::PROBE_REDIRECTS_MAX))
}

/// Where the answer leads, if it does.
fn redirect(from: &Uri, answer: &Answer) -> Option<Uri> {
    let location = answer.location.as_str();
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) || location.is_empty() {
        return None;
    }
    if location.starts_with("http://") || location.starts_with("https://") {
        return location.parse().ok();
    }
    let mut whole = format!("{}://{}", from.scheme_str()?, from.authority()?);
    match location.strip_prefix("//") {
        Some(rest) => return format!("{}://{rest}", from.scheme_str()?).parse().ok(),
        None if location.starts_with('/') => whole.push_str(location),
        None => {
            let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            write!(whole, "{folder}/{location}").ok()?;
        }
    }
    whole.parse().ok()
}

/// One request over a connection of its own.
async fn once(uri: &Uri, headers: &HeaderMap, redirected: bool) -> Result<Answer, String> {
    let tls = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| refused(host, port, &error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path)
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers.clone();
    if redirected || !headers.contains_key(HOST) {
        let authority = uri
            .authority()
            .map(|authority| authority.as_str())
            .unwrap_or_default();
        let value = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
        request.headers_mut().insert(HOST, value);
    }
    if !tls {
        return send(stream, request).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let config = unverified().map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    send(stream.map_err(|error| error.to_string())?, request).await
}

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let ended = |error: hyper::Error| match error.is_incomplete_message() {
        true => "EOF".to_owned(),
        false => error.to_string(),
    };
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(ended)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(ended)?;
        let status = response.status().as_u16();
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let location = location.unwrap_or_default().to_owned();
        let body = Limited::new(response.into_body(), limits::PROBE_BODY_BYTES_MAX);
        // Only a warning shows it: what is longer is left out.
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        Ok(Answer {
            status,
            location,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    // Both in this task: nobody has to look after a connection that outlives its question.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

/// Speaks TLS with whoever is there.
pub fn unverified() -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Nobody(provider));
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// A probe asks whether the container answers, not who it is (`InsecureSkipVerify` upstream).
#[derive(Debug)]
struct Nobody(Arc<CryptoProvider>);

impl ServerCertVerifier for Nobody {
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
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
