//! One connection: handshake, who is behind it, its requests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Outgoing;
use crate::api::{Api, failure};
use crate::identity::{UserInfo, certificate};
use crate::info::RequestInfo;
use crate::limits;
use crate::options::Query;
use crate::request::{Body, Duplex, Link, Request, Response, Upgrade};
use crate::status::StatusError;
use crate::verbs::is_connect;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub api: Api,
    pub tls: TlsAcceptor,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    /// Bounds connections, of all addresses together.
    pub places: Arc<Semaphore>,
    /// Bounds those that have turned into another protocol.
    pub upgrades: Arc<Semaphore>,
}

/// Runs the streams of HTTP/2 in the server's own set of tasks.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(shared: Shared, stream: TcpStream) {
    // Small answers must not wait for larger ones.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let shaken = tokio::select! {
        shaken = timeout(limits::HANDSHAKE, shared.tls.accept(stream)) => shaken,
        // Nobody has asked for anything yet.
        () = shared.stop.cancelled() => return,
    };
    let Ok(Ok(stream)) = shaken else {
        return;
    };
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first());
    let sender = Arc::new(shown.and_then(|der| certificate::user(der)));
    let own = shared.clone();
    let service = service_fn(move |request| {
        let (shared, sender) = (own.clone(), sender.clone());
        async move { Ok::<_, Infallible>(answer(&shared, sender.as_ref().as_ref(), request).await) }
    });
    let mut builder = auto::Builder::new(Tracked(shared.tasks.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that goes away in the middle is no error of ours.
        _ = connection.as_mut() => return,
        () = shared.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = timeout(limits::SHUTDOWN, connection).await;
}

async fn answer(
    shared: &Shared,
    sender: Option<&UserInfo>,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Outgoing> {
    let mut read = head(&request);
    let is_head = read.method == "HEAD";
    let response = match shared.api.authenticate(sender, read.header("authorization")) {
        Err(error) => failure(&read, &error),
        Ok(user) => {
            read.user = user;
            match filled(shared, &mut read, request).await {
                Ok(()) => handled(&shared.api, &shared.tasks, read).await,
                Err(error) => failure(&read, &error),
            }
        }
    };
    written(response, is_head)
}

/// The body, and what a request that is passed on needs of its connection.
async fn filled(
    shared: &Shared,
    read: &mut Request,
    mut request: hyper::Request<Incoming>,
) -> Result<(), StatusError> {
    let Some(subresource) = connected(read) else {
        return collected(read, request.into_body()).await;
    };
    let upgrade = if read.header("upgrade").is_empty() {
        None
    } else {
        let place = shared.upgrades.clone().try_acquire_owned();
        let place = place.map_err(|_| StatusError::too_many_requests("too many open streams", 1))?;
        Some(upgraded(hyper::upgrade::on(&mut request), place))
    };
    let body = if subresource == "proxy" {
        Some(request.into_body().map_err(io::Error::other).boxed_unsync())
    } else {
        collected(read, request.into_body()).await?;
        None
    };
    read.link = Some(Link::new(upgrade, body));
    Ok(())
}

async fn collected(read: &mut Request, body: Incoming) -> Result<(), StatusError> {
    match Limited::new(body, limits::BODY_BYTES).collect().await {
        Ok(body) => {
            read.body = body.to_bytes();
            Ok(())
        }
        Err(error) if error.is::<LengthLimitError>() => Err(StatusError::too_large(&format!(
            "limit is {}",
            limits::BODY_BYTES
        ))),
        Err(error) => Err(StatusError::new(500, "", error.to_string())),
    }
}

/// The subresource of a request that may be passed on to a node.
fn connected(read: &Request) -> Option<String> {
    let info = RequestInfo::parse(&read.method, &read.path, &Query::default()).ok()?;
    let known = info.group.is_empty() && is_connect(&info.resource, &info.subresource);
    known.then_some(info.subresource)
}

/// The connection after its answer; it gives its place back when it is dropped.
fn upgraded(on: OnUpgrade, place: OwnedSemaphorePermit) -> Upgrade {
    Box::pin(async move {
        let stream = TokioIo::new(on.await.map_err(io::Error::other)?);
        let held: Box<dyn Duplex> = Box::new(Held {
            stream,
            _place: place,
        });
        Ok(held)
    })
}

/// A connection with its place among those that are open.
struct Held {
    stream: TokioIo<Upgraded>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A write goes on when its client goes away: it may be on its way to the disk, with an address reserved for it.
async fn handled(api: &Api, tasks: &TaskTracker, request: Request) -> Response {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return api.handle(request).await;
    }
    let (api, shown) = (api.clone(), request.clone());
    match tasks.spawn(async move { api.handle(request).await }).await {
        Ok(response) => response,
        Err(error) => failure(&shown, &StatusError::internal(&error.to_string())),
    }
}

/// A request without its body.
fn head(request: &hyper::Request<Incoming>) -> Request {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = headers.entry(name.as_str().to_owned()).or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&value);
    }
    // HTTP/2 has it in :authority (RFC 9113 8.3.1).
    if let Some(authority) = request.uri().authority() {
        let host = || authority.as_str().to_owned();
        headers.entry("host".to_owned()).or_insert_with(host);
    }
    Request {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers,
        ..Request::default()
    }
}

fn written(response: Response, is_head: bool) -> hyper::Response<Outgoing> {
    let mut foreign = Vec::new();
    let mut response = response;
    if let Body::Foreign { headers, .. } = &mut response.body {
        foreign = std::mem::take(headers);
    }
    let mut written = hyper::Response::new(if is_head {
        Outgoing::Whole(None)
    } else {
        response.body.into()
    });
    *written.status_mut() =
        hyper::StatusCode::from_u16(response.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            written.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    for (name, value) in foreign {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            written.headers_mut().append(name, value);
        }
    }
    written
}
