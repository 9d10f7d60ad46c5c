//! The ingress as a whole: sockets and threads, and the table that follows the cluster.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use deploy_cluster_api::client::Client;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access_log::Writer;
use super::certificates::{Certificates, TlsError, server_config};
use super::control::Control;
use super::counts::Counts;
use super::worker::{self, Accepted, Shared};
use super::{class, limits};

/// How the ingress is started.
pub struct Options {
    /// Where it listens without TLS; port 0 is any.
    pub http: Vec<SocketAddr>,
    /// Where it listens with TLS.
    pub https: Vec<SocketAddr>,
    /// Reads Ingresses and what they name, and writes their status, events, and our IngressClass.
    pub client: Client,
    /// Where people reach it: what the status of Ingresses says.
    pub published: Vec<Published>,
    /// The access log; `None` is none.
    pub access_log: Option<PathBuf>,
}

/// Where people reach the ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// By an address.
    Address(IpAddr),
    /// By a name.
    Hostname(String),
}

/// Why the ingress does not start.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// The address is taken, or not ours.
    #[error("the ingress cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The access log cannot be written.
    #[error("the access log {} cannot be opened", path.display())]
    Log {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No thread can be started.
    #[error("the ingress cannot start a thread")]
    Thread(#[source] io::Error),
    /// Our IngressClass cannot be written.
    #[error("the IngressClass cannot be made: {0}")]
    Class(String),
}

/// The ingress at work.
pub struct Ingress {
    http: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    counts: Arc<Counts>,
    stop: CancellationToken,
    tasks: TaskTracker,
    threads: Vec<JoinHandle<()>>,
    log: Option<Writer>,
}

impl Ingress {
    /// Listens, and serves once it knows the cluster.
    ///
    /// # Errors
    /// See [`IngressError`]; nothing is left behind then.
    pub async fn start(options: Options) -> Result<Ingress, IngressError> {
        let http = bind_all(&options.http).await?;
        let https = bind_all(&options.https).await?;
        let addresses = |bound: &[(TcpListener, SocketAddr)]| -> Vec<SocketAddr> {
            bound.iter().map(|(_, address)| *address).collect()
        };
        let (http_at, https_at) = (addresses(&http), addresses(&https));
        class::make(&options.client).await.map_err(IngressError::Class)?;
        let certificates: Arc<ArcSwap<Certificates>> = Arc::default();
        let config = server_config(certificates.clone())?;
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let shared = Arc::new(Shared {
            routes: ArcSwap::default(),
            certificates,
            counts: counts.clone(),
            tls: TlsAcceptor::from(Arc::new(config)),
            https_port: https_at.first().map(SocketAddr::port),
            stop: stop.clone(),
        });
        let log = match options.access_log {
            Some(path) => Some(Writer::start(&path).map_err(|source| IngressError::Log { path, source })?),
            None => None,
        };
        let tasks = TaskTracker::new();
        let status = class::status(&options.published, &http_at, &https_at);
        let control = Control::start(options.client, shared.clone(), status, &tasks, &stop).await;
        tasks.spawn(stop.clone().run_until_cancelled_owned(control.run()));
        let mut ingress = Ingress {
            http: http_at,
            https: https_at,
            counts,
            stop,
            tasks,
            threads: Vec::new(),
            log,
        };
        match ingress.start_threads(&shared) {
            Ok(threads) => ingress.accept(http, https, threads),
            Err(error) => {
                ingress.shutdown().await;
                return Err(IngressError::Thread(error));
            }
        }
        Ok(ingress)
    }

    /// Where it listens without TLS.
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }

    /// Where it listens with TLS.
    pub fn https(&self) -> &[SocketAddr] {
        &self.https
    }

    /// What it has counted, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.counts.text()
    }

    /// Stops listening, and ends when the requests that are under way are answered, or when they take too long.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let (threads, log) = (self.threads, self.log);
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // One that panicked has said so.
                let _ = thread.join();
            }
            if let Some(log) = log {
                log.finish();
            }
        });
        let _ = ended.await;
    }

    fn start_threads(&mut self, shared: &Arc<Shared>) -> io::Result<Vec<mpsc::Sender<Accepted>>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut senders = Vec::new();
        for number in 0..cores.min(limits::WORKERS_MAX) {
            let (sender, receiver) = mpsc::channel(limits::HANDOVER_MAX);
            let lines = self.log.as_ref().map(|log| log.lines(self.counts.clone()));
            let shared = shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("ingress-{number}"))
                .spawn(move || {
                    // Without an event loop there is nothing to serve with: its connections go to the others.
                    let _ = worker::run(shared, lines, receiver);
                })?;
            self.threads.push(thread);
            senders.push(sender);
        }
        Ok(senders)
    }

    fn accept(
        &self,
        http: Vec<(TcpListener, SocketAddr)>,
        https: Vec<(TcpListener, SocketAddr)>,
        threads: Vec<mpsc::Sender<Accepted>>,
    ) {
        let door = Arc::new(Door {
            threads,
            next: AtomicUsize::new(0),
            places: Arc::new(Semaphore::new(limits::CONNECTIONS_MAX)),
        });
        let plain = http.into_iter().map(|bound| (bound, false));
        for ((listener, address), tls) in plain.chain(https.into_iter().map(|bound| (bound, true))) {
            let accepting = door.clone().accept(listener, address.port(), tls);
            self.tasks
                .spawn(self.stop.clone().run_until_cancelled_owned(accepting));
        }
    }
}

/// Deals connections out among the threads.
struct Door {
    threads: Vec<mpsc::Sender<Accepted>>,
    next: AtomicUsize,
    places: Arc<Semaphore>,
}

impl Door {
    async fn accept(self: Arc<Self>, listener: TcpListener, port: u16, tls: bool) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            let accepted = listener.accept().await;
            let Ok((stream, from)) = accepted else {
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            };
            // The thread that serves it waits for it with an event loop of its own.
            let Ok(stream) = stream.into_std() else {
                continue;
            };
            let accepted = Accepted {
                stream,
                from,
                port,
                tls,
                place,
            };
            let next = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
            // A thread that is gone takes nothing; the client sees a closed connection.
            let _ = self.threads[next].send(accepted).await;
        }
    }
}

async fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<(TcpListener, SocketAddr)>, IngressError> {
    let mut bound = Vec::new();
    let mut seen = HashSet::new();
    for address in addresses
        .iter()
        .filter(|address| seen.insert(**address) || address.port() == 0)
    {
        let failed = |source| IngressError::Listen {
            address: *address,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        bound.push((listener, at));
    }
    Ok(bound)
}
