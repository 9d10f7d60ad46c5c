//! Proxies to pods: a request is passed on to the pod's address as it came, and so is the answer, upgrades included
//! (`apimachinery/pkg/util/proxy/upgradeaware.go`, `transport.go`).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use deploy_cluster_api::node::Target;
use deploy_cluster_api::request::{Body, Duplex, Incoming, NextPiece, Pieces, Request, Response};
use deploy_cluster_api::status::StatusError;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming as Answered;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits;
use crate::probe::unverified;

/// Headers that belong to one connection (RFC 9110, 7.6.1).
const OWN: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A client must not be logged in at the pod with what logs it in here.
const SECRET: &str = "authorization";

/// Passes one request on; its connection is one of `tasks` until `stop`.
pub(super) async fn answer(
    target: &Target,
    request: &Request,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Response, StatusError> {
    let unreachable = |why: String| {
        let why = format!("error trying to reach service: {why}");
        StatusError::new(503, "ServiceUnavailable", why)
    };
    let mut sender = connect(target, tasks, stop).await.map_err(unreachable)?;
    let upgrade = request
        .link
        .as_ref()
        .filter(|_| !request.header("upgrade").is_empty());
    let upgrade = upgrade.and_then(|link| link.upgrade());
    let asked = asked(target, request, upgrade.is_some()).map_err(unreachable)?;
    let mut answer = sender
        .send_request(asked)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let switches = answer.status().as_u16() == 101;
    let mut headers = Vec::new();
    for (name, value) in answer.headers() {
        let own =
            OWN.contains(&name.as_str()) && !(switches && matches!(name.as_str(), "connection" | "upgrade"));
        if !own {
            headers.push((
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ));
        }
    }
    if let Some(upgrade) = upgrade.filter(|_| switches) {
        let theirs = hyper::upgrade::on(&mut answer);
        let joined = async move {
            if let (Ok(mut client), Ok(pod)) = tokio::join!(upgrade, theirs) {
                // Whoever ends it, ends it.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut TokioIo::new(pod)).await;
            }
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(joined));
    }
    Ok(Response {
        status: answer.status().as_u16(),
        headers: Vec::new(),
        body: Body::Foreign {
            headers,
            pieces: Box::new(Passed(answer.into_body())),
        },
    })
}

async fn connect(
    target: &Target,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<SendRequest<Outgoing>, String> {
    let tls = target.scheme == "https";
    let place = (target.host, target.port.unwrap_or(if tls { 443 } else { 80 }));
    let dialing = async {
        let stream = TcpStream::connect(place).await?;
        stream.set_nodelay(true)?;
        if !tls {
            return Ok::<Box<dyn Duplex>, io::Error>(Box::new(stream));
        }
        let config = unverified().map_err(io::Error::other)?;
        let name = ServerName::from(target.host);
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Box::new(stream))
    };
    let dialed = timeout(limits::PROXY_CONNECT, dialing).await;
    let dialed = dialed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let stream = dialed.map_err(|error| format!("dial tcp {}:{}: {error}", place.0, place.1))?;
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = async move {
        // What it meets, the request or its answer meets, too.
        let _ = connection.with_upgrades().await;
    };
    tasks.spawn(stop.clone().run_until_cancelled_owned(connection));
    Ok(sender)
}

type Outgoing = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

/// The request as the pod sees it.
fn asked(target: &Target, request: &Request, upgrades: bool) -> Result<hyper::Request<Outgoing>, String> {
    let mut uri = target.path.clone();
    if !request.query.is_empty() {
        uri.push('?');
        uri.push_str(&request.query);
    }
    let host = match target.port {
        Some(port) => std::net::SocketAddr::new(target.host, port).to_string(),
        None => target.host.to_string(),
    };
    let mut builder = hyper::Request::builder().method(request.method.as_str()).uri(uri);
    for (name, value) in &request.headers {
        let name = name.as_str();
        let own = OWN.contains(&name) || matches!(name, "host" | SECRET | "content-length");
        if !own {
            builder = builder.header(name, value);
        }
    }
    builder = builder.header("host", host);
    if upgrades {
        builder = builder
            .header("connection", "Upgrade")
            .header("upgrade", request.header("upgrade"));
    }
    let incoming: Option<Incoming> = request.link.as_ref().and_then(|link| link.body());
    let length = request.header("content-length");
    let has_body = !length.is_empty() || !request.header("transfer-encoding").is_empty();
    let body = match incoming.filter(|_| has_body) {
        Some(body) => {
            if !length.is_empty() {
                builder = builder.header("content-length", length);
            }
            body
        }
        None => Full::new(request.body.clone())
            .map_err(|never| match never {})
            .boxed_unsync(),
    };
    builder.body(body).map_err(|error| error.to_string())
}

/// The body of the pod's answer.
struct Passed(Answered);

impl Pieces for Passed {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            loop {
                let frame = self.0.frame().await?.ok()?;
                if let Ok(bytes) = frame.into_data() {
                    let rest: Box<dyn Pieces> = self;
                    return Some((bytes, rest));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_passed_on_without_what_is_not_the_pods() {
        let target = Target {
            scheme: "http".to_owned(),
            host: std::net::Ipv4Addr::new(10, 244, 0, 7).into(),
            port: Some(8080),
            path: "/a%20b".to_owned(),
        };
        let headers = [
            ("authorization", "Bearer secret"),
            ("connection", "keep-alive"),
            ("host", "127.0.0.1"),
            ("x-own", "1"),
        ];
        let request = Request {
            method: "PATCH".to_owned(),
            query: "x=%2F".to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Request::default()
        };
        let asked = asked(&target, &request, false).expect("it is sound");
        assert_eq!(
            (asked.method().as_str(), asked.uri().to_string().as_str()),
            ("PATCH", "/a%20b?x=%2F")
        );
        let mut names: Vec<&str> = asked.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["host", "x-own"]);
        assert_eq!(asked.headers()["host"], "10.244.0.7:8080");
    }
}
