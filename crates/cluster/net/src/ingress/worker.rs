//! One of the threads that serve: its connections, and what they share without locks.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use arc_swap::{ArcSwap, Guard};
use deploy_cluster_api::identifiers;
use hyper::header::HeaderValue;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access_log::Lines;
use super::certificates::Certificates;
use super::counts::Counts;
use super::framing::{Followed, Seen};
use super::limits;
use super::proxy::{handle, now_us};
use super::routes::Routes;
use super::upstream::Pool;

/// What all threads share.
pub struct Shared {
    /// The routes of now.
    pub routes: ArcSwap<Routes>,
    /// The certificates of now.
    pub certificates: Arc<ArcSwap<Certificates>>,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// Serves TLS.
    pub tls: TlsAcceptor,
    /// Where https is served, if it is.
    pub https_port: Option<u16>,
    /// New connections are not taken any more.
    pub stop: CancellationToken,
}

/// A connection that was accepted.
pub struct Accepted {
    /// It.
    pub stream: std::net::TcpStream,
    /// The client.
    pub from: SocketAddr,
    /// The port that was asked.
    pub port: u16,
    /// It speaks TLS.
    pub tls: bool,
    /// Its place among all.
    pub place: OwnedSemaphorePermit,
}

/// The client of a connection.
pub struct Client {
    /// Its address.
    pub address: String,
    /// The same for a header.
    pub address_value: HeaderValue,
    /// The port that was asked.
    pub port_value: HeaderValue,
    /// It speaks TLS.
    pub tls: bool,
    /// How it frames what it sends.
    pub framing: Arc<Seen>,
}

/// One thread.
pub struct Worker {
    shared: Arc<Shared>,
    pool: Rc<Pool>,
    lines: RefCell<Option<Lines>>,
    /// The first line after a pause was gathered.
    logged: Notify,
    random: Cell<u64>,
    /// Connections, and the streams of HTTP/2.
    connections: TaskTracker,
    /// Tunnels, and what this thread does for itself.
    tasks: TaskTracker,
    /// New connections are not taken any more; of this thread alone, so that threads do not wait for each other.
    stop: CancellationToken,
    /// Even long connections end.
    ended: CancellationToken,
}

/// Runs the streams of HTTP/2 on this thread.
#[derive(Clone)]
struct Here(TaskTracker);

impl<F: Future<Output = ()> + 'static> Executor<F> for Here {
    fn execute(&self, future: F) {
        self.0.spawn_local(future);
    }
}

/// Serves on this thread until `accepted` ends.
///
/// # Errors
/// Where the system has no room for a thread's event loop.
pub fn run(
    shared: Arc<Shared>,
    lines: Option<Lines>,
    accepted: mpsc::Receiver<Accepted>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let worker = Rc::new(Worker {
        stop: shared.stop.child_token(),
        shared,
        pool: Rc::default(),
        lines: RefCell::new(lines),
        logged: Notify::new(),
        random: Cell::new(identifiers::random_below(u64::MAX)),
        connections: TaskTracker::new(),
        tasks: TaskTracker::new(),
        ended: CancellationToken::new(),
    });
    let local = LocalSet::new();
    local.block_on(&runtime, worker.serve(accepted));
    Ok(())
}

impl Worker {
    async fn serve(self: Rc<Self>, mut accepted: mpsc::Receiver<Accepted>) {
        let end = self.ended.clone();
        self.tasks
            .spawn_local(end.clone().run_until_cancelled_owned(self.pool.clone().tidy()));
        self.tasks.spawn_local(
            end.clone()
                .run_until_cancelled_owned(self.clone().flush_in_time()),
        );
        let server = Rc::new(Server::new(&self));
        while let Some(next) = accepted.recv().await {
            let connection = server.clone().connection(self.clone(), next);
            self.connections.spawn_local(connection);
        }
        // Connections without a request end at once, the others with their answer.
        self.connections.close();
        let _ = timeout(limits::DRAIN, self.connections.wait()).await;
        end.cancel();
        self.tasks.close();
        self.connections.wait().await;
        self.tasks.wait().await;
    }

    /// The routes of now.
    pub fn routes(&self) -> Guard<Arc<Routes>> {
        self.shared.routes.load()
    }

    /// Kept connections to endpoints.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What is counted.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Whether a host has a certificate of its own.
    pub fn has_certificate(&self, host: &str) -> bool {
        self.shared.certificates.load().find(host).is_some()
    }

    /// Where https is served.
    pub fn https_port(&self) -> Option<u16> {
        self.shared.https_port
    }

    /// Any number (splitmix64): good enough to spread requests.
    pub fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A name for a request: 32 hexadecimal digits, as nginx' ingress makes them.
    pub fn request_id(&self) -> HeaderValue {
        let mut text = [0; 32];
        for half in text.chunks_exact_mut(16) {
            let number = self.random();
            for (place, digit) in half.iter_mut().enumerate() {
                let nibble = (number >> (4 * place)) & 0xf;
                *digit = b"0123456789abcdef"[nibble as usize];
            }
        }
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }

    /// Makes notes of a request, if that is wanted.
    pub fn log(&self, note: impl FnOnce(i64, &mut Lines)) {
        if let Some(lines) = &mut *self.lines.borrow_mut() {
            let first = lines.is_empty();
            note(now_us(), lines);
            if first {
                self.logged.notify_one();
            }
        }
    }

    async fn flush_in_time(self: Rc<Self>) {
        loop {
            self.logged.notified().await;
            sleep(limits::LOG_DELAY).await;
            if let Some(lines) = &mut *self.lines.borrow_mut() {
                lines.flush();
            }
        }
    }

    /// Runs beside the connections.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.spawn_local(task);
    }

    /// When even long connections end.
    pub fn stopped(&self) -> CancellationToken {
        self.ended.clone()
    }
}

/// How connections are served, by what they speak.
struct Server {
    any: auto::Builder<Here>,
    http1: auto::Builder<Here>,
    http2: auto::Builder<Here>,
}

impl Server {
    fn new(worker: &Worker) -> Server {
        let builder = || {
            let mut builder = auto::Builder::new(Here(worker.connections.clone()));
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(limits::HEAD)
                // Heads of more than hyper's 100 headers are refused. Any bound of our own would cost each request
                // two allocations of 4 KB: hyper has room for its own on the stack.
                .max_buf_size(limits::HEAD_BYTES_MAX);
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(limits::STREAMS_MAX)
                .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
                .keep_alive_interval(limits::PING)
                .keep_alive_timeout(limits::PING);
            builder
        };
        Server {
            any: builder(),
            http1: builder().http1_only(),
            http2: builder().http2_only(),
        }
    }

    async fn connection(self: Rc<Self>, worker: Rc<Worker>, accepted: Accepted) {
        let counts = worker.shared.counts.clone();
        counts.connections.fetch_add(1, Ordering::Relaxed);
        // An error of a connection concerns nobody but its client.
        let _ = self.speak(worker, accepted).await;
        counts.connections.fetch_sub(1, Ordering::Relaxed);
    }

    async fn speak(&self, worker: Rc<Worker>, accepted: Accepted) -> std::io::Result<()> {
        let stream = TcpStream::from_std(accepted.stream)?;
        stream.set_nodelay(true)?;
        let address = accepted.from.ip().to_canonical().to_string();
        let client = Rc::new(Client {
            address_value: HeaderValue::from_str(&address).map_err(std::io::Error::other)?,
            address,
            port_value: HeaderValue::from(accepted.port),
            tls: accepted.tls,
            framing: Arc::default(),
        });
        if !accepted.tls {
            serve(worker, client, &self.any, stream).await;
            return Ok(());
        }
        let handshake = timeout(limits::HANDSHAKE, worker.shared.tls.accept(stream)).await;
        let Ok(Ok(stream)) = handshake else {
            worker.counts().handshakes_failed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let builder = if http2 { &self.http2 } else { &self.http1 };
        serve(worker, client, builder, stream).await;
        drop(accepted.place);
        Ok(())
    }
}

async fn serve<I>(worker: Rc<Worker>, client: Rc<Client>, builder: &auto::Builder<Here>, stream: I)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = Rc::new(Cell::new(false));
    let (stop, ended) = (worker.stop.clone(), worker.ended.clone());
    let stream = Followed::new(stream, client.framing.clone());
    let noting = begun.clone();
    let service = service_fn(move |request| {
        noting.set(true);
        handle(worker.clone(), client.clone(), request)
    });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // Which version it is, is read without a bound on time.
    let mut first = pin!(sleep(limits::HEAD));
    let (mut stop, mut ended) = (pin!(stop.cancelled()), pin!(ended.cancelled()));
    let mut stopping = false;
    poll_fn(|context| {
        // Its error, too, is its end.
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !begun.get() && first.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !stopping && stop.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        ended.as_mut().poll(context)
    })
    .await;
}
