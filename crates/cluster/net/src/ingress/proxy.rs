//! One request: from its route to an endpoint's answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::timeout;

use super::access_log::Line;
use super::body::{AnswerBody, Received, RequestBody};
use super::headers::{self, RequestHints, plain_host};
use super::limits;
use super::routes::{Backend, Redirect, Route, Target, rewritten};
use super::tunnel;
use super::upstream::{SendError, Upstream};
use super::worker::{Client, Worker};

/// A request on its way, and the notes that are made of it. They are complete when it is dropped.
pub struct Passage {
    worker: Rc<Worker>,
    client: Rc<Client>,
    started: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    trace: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    route: Option<Arc<Route>>,
    /// The service of the backend that was chosen: the route's or a canary's.
    service: Option<Arc<str>>,
    target: Option<Target>,
    upstream: Option<Upstream>,
    answered: Option<Instant>,
    received: Received,
    sent: u64,
    status: u16,
    error: &'static str,
}

/// Why there is no answer of an endpoint.
struct Failure {
    status: StatusCode,
    /// A word for the log.
    word: &'static str,
    /// A sentence for the client.
    text: &'static str,
}

const fn failure(status: StatusCode, word: &'static str, text: &'static str) -> Failure {
    Failure { status, word, text }
}

const NO_ROUTE: Failure = failure(
    StatusCode::NOT_FOUND,
    "no_route",
    "no Ingress has a rule for this host and path",
);
const NO_ENDPOINT: Failure = failure(
    StatusCode::SERVICE_UNAVAILABLE,
    "no_endpoint",
    "no endpoint of the service is ready",
);
const NOT_REACHED: Failure = failure(
    StatusCode::BAD_GATEWAY,
    "not_reached",
    "no endpoint of the service accepts connections",
);
const BROKEN: Failure = failure(
    StatusCode::BAD_GATEWAY,
    "broken",
    "the endpoint has ended the connection without an answer",
);
const LATE: Failure = failure(
    StatusCode::GATEWAY_TIMEOUT,
    "late",
    "the endpoint has not answered in time",
);
const TOO_LONG: Failure = failure(
    StatusCode::PAYLOAD_TOO_LARGE,
    "body_too_long",
    "the body is longer than the Ingress allows",
);
const BAD_BODY: Failure = failure(
    StatusCode::BAD_REQUEST,
    "ambiguous_body",
    "the length of the body is given in two ways",
);
const BAD_HOST: Failure = failure(
    StatusCode::BAD_REQUEST,
    "bad_host",
    "the request names no host, or several",
);
const NO_TUNNEL: Failure = failure(
    StatusCode::METHOD_NOT_ALLOWED,
    "connect",
    "this is no forward proxy",
);

/// Answers a request.
pub async fn handle(
    worker: Rc<Worker>,
    client: Rc<Client>,
    mut request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let mut passage = Passage::new(worker, client, &request);
    let upgrade = headers::upgrade(request.headers()).filter(|_| request.version() == Version::HTTP_11);
    let upgrade = upgrade.map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let ambiguous = passage.is_ambiguous(request.headers());
    let prepared = if ambiguous {
        Err(BAD_BODY)
    } else {
        passage.prepare(request)
    };
    let answer = match prepared {
        Ok(Prepared::Redirect(location)) => redirect(&location),
        Ok(Prepared::Request(request)) => match passage.pass(*request, upgrade).await {
            Ok(answer) => return Ok(passage.answered(answer).await),
            Err(failure) => passage.failed(&failure),
        },
        Err(failure) => passage.failed(&failure),
    };
    passage.status = answer.status().as_u16();
    Ok(close_if(ambiguous, answer))
}

/// What becomes of a request before any endpoint is asked.
enum Prepared {
    Redirect(String),
    Request(Box<Request<RequestBody>>),
}

impl Passage {
    fn new(worker: Rc<Worker>, client: Rc<Client>, request: &Request<Incoming>) -> Passage {
        let headers = request.headers();
        Passage {
            worker,
            client,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            host: None,
            user_agent: headers.get(USER_AGENT).cloned(),
            trace: headers.get(&headers::TRACEPARENT).cloned(),
            request_id: None,
            route: None,
            service: None,
            target: None,
            upstream: None,
            answered: None,
            received: Received::default(),
            sent: 0,
            status: 499,
            error: "",
        }
    }

    /// Whether others could see another end of the request than we do.
    fn is_ambiguous(&self, headers: &HeaderMap) -> bool {
        headers::is_ambiguous(headers)
            || headers.contains_key(TRANSFER_ENCODING) && self.client.framing.is_ambiguous()
    }

    /// Finds the route, and makes the request that the endpoint sees.
    fn prepare(&mut self, request: Request<Incoming>) -> Result<Prepared, Failure> {
        if *request.method() == Method::CONNECT {
            return Err(NO_TUNNEL);
        }
        let host = host_of(&request).ok_or(BAD_HOST)?;
        self.host = Some(host.clone());
        let plain = plain_host(host.to_str().map_err(|_| BAD_HOST)?);
        let routes = self.worker.routes();
        let found = routes.find(&plain, request.uri().path()).ok_or(NO_ROUTE)?;
        let (route, groups) = (found.route.clone(), found.groups);
        drop(routes);
        self.route = Some(route.clone());
        if let Some(location) = self.redirection(&route, &plain) {
            return Ok(Prepared::Redirect(location));
        }
        let (mut parts, body) = request.into_parts();
        let announced = body.size_hint().lower();
        if route.options.body_max.is_some_and(|max| announced > max) {
            return Err(TOO_LONG);
        }
        if let Some(target) = &route.options.rewrite {
            parts.uri = rewritten_uri(&parts.uri, target, &groups);
        } else if parts.uri.authority().is_some() {
            parts.uri = origin_form(&parts.uri);
        }
        let (body, received) = RequestBody::new(body, route.options.body_max);
        self.received = received;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let headers = &mut parts.headers;
        headers::remove_hop_by_hop(headers);
        headers::remove_framing(headers);
        let client = &self.client;
        headers.insert(&headers::X_FORWARDED_FOR, client.address_value.clone());
        headers.insert(&headers::X_REAL_IP, client.address_value.clone());
        headers.insert(&headers::X_FORWARDED_HOST, host.clone());
        headers.insert(&headers::X_FORWARDED_PORT, client.port_value.clone());
        let scheme = if client.tls { "https" } else { "http" };
        headers.insert(&headers::X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        let id = match headers.get(&headers::X_REQUEST_ID) {
            Some(id) => id.clone(),
            None => {
                let id = self.worker.request_id();
                headers.insert(&headers::X_REQUEST_ID, id.clone());
                id
            }
        };
        self.request_id = Some(id);
        headers.insert(HOST, host);
        Ok(Prepared::Request(Box::new(Request::from_parts(parts, body))))
    }

    fn redirection(&self, route: &Route, host: &str) -> Option<String> {
        let wanted = match route.options.redirect {
            Redirect::Never => false,
            Redirect::WithTls => self.worker.has_certificate(host),
            Redirect::Always => true,
        };
        let port = self.worker.https_port().filter(|_| wanted && !self.client.tls)?;
        let port = if port == 443 {
            String::new()
        } else {
            format!(":{port}")
        };
        let rest = self.uri.path_and_query().map_or("/", |rest| rest.as_str());
        Some(format!("https://{host}{port}{rest}"))
    }

    /// Sends the request to one endpoint after the other until one takes it.
    async fn pass(
        &mut self,
        mut request: Request<RequestBody>,
        upgrade: Option<(HeaderValue, OnUpgrade)>,
    ) -> Result<(Response<Incoming>, Option<OnUpgrade>), Failure> {
        let route = self.route.clone().ok_or(NO_ROUTE)?;
        let backend = choose_backend(&route, &request, || self.worker.random());
        self.service = Some(backend.service.clone());
        let (protocol, on_upgrade) = upgrade.unzip();
        if let Some(protocol) = protocol {
            request
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(UPGRADE, protocol);
        }
        let patience = route.options.answer.unwrap_or(limits::ANSWER);
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut fresh = false;
        for _ in 0..limits::TRIES {
            let Some(target) = backend.choose(self.worker.random(), &tried) else {
                break;
            };
            self.take(target);
            let address = target.endpoint.address;
            let kept = if fresh {
                None
            } else {
                self.worker.pool().take(address).await
            };
            let mut upstream = match kept {
                Some(upstream) => upstream,
                None => match Upstream::connect(address).await {
                    Ok(upstream) => upstream,
                    Err(_) => {
                        self.again();
                        tried.push(address);
                        continue;
                    }
                },
            };
            // A kept connection may be closed at the other end just now: what changes nothing is sent once more.
            let once_more = (upstream.is_used() && is_repeatable(&request)).then(|| copy(&request));
            match self.wait(&mut upstream, request, patience).await? {
                Ok(answer) => {
                    self.upstream = Some(upstream);
                    return Ok((answer, on_upgrade));
                }
                Err(SendError::Unsent(unsent)) => request = *unsent,
                Err(SendError::Ended) => match once_more {
                    Some(copy) => request = copy,
                    None if self.received.is_too_long() => return Err(TOO_LONG),
                    None => return Err(BROKEN),
                },
            }
            self.again();
            fresh = true;
        }
        Err(if backend.targets.is_empty() {
            NO_ENDPOINT
        } else {
            NOT_REACHED
        })
    }

    /// As long as the client sends its body, the endpoint need not answer.
    async fn wait(
        &self,
        upstream: &mut Upstream,
        request: Request<RequestBody>,
        patience: Duration,
    ) -> Result<Result<Response<Incoming>, SendError>, Failure> {
        let mut sending = std::pin::pin!(upstream.send(request));
        let mut received = self.received.bytes();
        loop {
            match timeout(patience, sending.as_mut()).await {
                Ok(answer) => return Ok(answer),
                Err(_) if self.received.bytes() > received => received = self.received.bytes(),
                Err(_) => return Err(LATE),
            }
        }
    }

    /// The request is this endpoint's now.
    fn take(&mut self, target: &Target) {
        if let Some(before) = self.target.take() {
            before.endpoint.end();
        }
        target.endpoint.begin();
        self.target = Some(target.clone());
    }

    fn again(&self) {
        self.worker.counts().retries.fetch_add(1, Ordering::Relaxed);
    }

    /// The endpoint's answer as the client gets it.
    async fn answered(
        mut self,
        (answer, on_upgrade): (Response<Incoming>, Option<OnUpgrade>),
    ) -> Response<AnswerBody> {
        self.answered = Some(Instant::now());
        self.status = answer.status().as_u16();
        let (mut parts, body) = answer.into_parts();
        let protocol = parts.headers.get(UPGRADE).cloned();
        headers::remove_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        if parts.status != StatusCode::SWITCHING_PROTOCOLS {
            return Response::from_parts(parts, AnswerBody::passing(body, self));
        }
        let (Some(upstream), Some(on_upgrade)) = (self.upstream.take(), on_upgrade) else {
            // Nobody has asked for it.
            return self.failed(&BROKEN);
        };
        let stream = upstream.into_stream().await;
        self.client.framing.switched();
        if let Some(protocol) = protocol {
            parts.headers.insert(UPGRADE, protocol);
        }
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        self.worker
            .spawn(tunnel::run(on_upgrade, stream, self.worker.stopped()));
        Response::from_parts(parts, AnswerBody::Ours(Full::default()))
    }

    fn failed(&mut self, failure: &Failure) -> Response<AnswerBody> {
        self.error = failure.word;
        self.status = failure.status.as_u16();
        let text = format!("{} {}\n", failure.status, failure.text);
        self.sent = text.len() as u64;
        let mut answer = Response::new(AnswerBody::Ours(Full::new(Bytes::from(text))));
        *answer.status_mut() = failure.status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
        answer
    }

    /// Moves bytes of the connection to the endpoint.
    pub fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(upstream) = &mut self.upstream {
            upstream.poll(context);
        }
    }

    /// So many bytes have gone to the client.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The answer is complete: the connection to the endpoint is free.
    pub fn whole(&mut self) {
        if let Some(upstream) = self.upstream.take() {
            self.worker.pool().put(upstream);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        if let Some(target) = &self.target {
            target.endpoint.end();
        }
        let counts = self.worker.counts();
        let series = match (&self.target, &self.route) {
            (Some(target), _) => &target.series,
            (None, Some(route)) => &route.backend.series,
            (None, None) => &counts.unrouted,
        };
        let received = self.received.bytes();
        series.add(self.status, took, received, self.sent);
        self.worker.log(|now_us, lines| {
            let upstream = self.target.as_ref().map_or("", |target| &*target.endpoint.shown);
            let upstream_us = self.answered.map(|at| at.duration_since(self.started));
            let route = self.route.as_deref();
            lines.add(
                now_us,
                &Line {
                    method: self.method.as_str(),
                    host: text(self.host.as_ref()),
                    path: self.uri.path(),
                    protocol: protocol_name(self.version),
                    tls: self.client.tls,
                    client: &self.client.address,
                    user_agent: text(self.user_agent.as_ref()),
                    status: self.status,
                    received,
                    sent: self.sent,
                    duration_us: microseconds(took),
                    upstream,
                    upstream_us: upstream_us.map_or(0, microseconds),
                    namespace: route.map_or("", |route| &*route.namespace),
                    ingress: route.map_or("", |route| &*route.ingress),
                    route: route.map_or("", |route| &*route.path),
                    service: self.service.as_deref().unwrap_or_default(),
                    version: self.target.as_ref().map_or("", |target| target.series.version()),
                    request_id: text(self.request_id.as_ref()),
                    trace_id: headers::trace_id(text(self.trace.as_ref())).unwrap_or_default(),
                    error: self.error,
                },
            );
        });
    }
}

/// What is no text is not shown.
fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Microseconds since 1970.
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn protocol_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// Of an absolute request line or HTTP/2, else of the one Host header (RFC 9112 3.2). HTTP/1.0 may lack it.
fn host_of(request: &Request<Incoming>) -> Option<HeaderValue> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return None;
    }
    if let Some(authority) = request.uri().authority() {
        // Who names somebody on the way to a host is no client of ours.
        let host = authority.as_str();
        return HeaderValue::from_str(host).ok().filter(|_| !host.contains('@'));
    }
    let none = || (request.version() == Version::HTTP_10).then(|| HeaderValue::from_static(""));
    first.cloned().or_else(none)
}

fn choose_backend<'a>(
    route: &'a Route,
    request: &Request<RequestBody>,
    random: impl Fn() -> u64,
) -> &'a Backend {
    let hints = RequestHints(request.headers());
    let mut canaries = route.canaries.iter();
    canaries
        .find(|canary| canary.rule.takes(&hints, random() >> 16))
        .map_or(&route.backend, |canary| &canary.backend)
}

fn is_repeatable(request: &Request<RequestBody>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream()
}

/// The same request; only for such as have no body.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::default());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

fn origin_form(uri: &Uri) -> Uri {
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    rest.parse().unwrap_or_default()
}

fn rewritten_uri(uri: &Uri, target: &str, groups: &[String]) -> Uri {
    let mut path = rewritten(target, groups);
    if let Some(query) = uri.query() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(query);
    }
    path.parse().unwrap_or_else(|_| origin_form(uri))
}

fn redirect(location: &str) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::Ours(Full::default()));
    // As nginx' ingress: the method stays.
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    answer
}

/// After an ambiguous request nobody knows where the next one begins.
fn close_if(close: bool, mut answer: Response<AnswerBody>) -> Response<AnswerBody> {
    if close {
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
