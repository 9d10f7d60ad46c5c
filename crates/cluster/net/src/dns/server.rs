//! DNS on sockets, and the view that follows the cluster.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::object;
use deploy_cluster_api::status::StatusError;
use hickory_proto::op::{Message, Query, ResponseCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Answer, answer, failure};
use super::counts::{Counts, Protocol};
use super::forward::{Forwarder, Source};
use super::resolvers::Resolvers;
use super::view::View;
use super::wire::{self, Packet};
use super::{limits, own_service};
use crate::follow::{News, follow};

const RESOURCES: [(Sort, ResourceId); 3] = [
    (Sort::Namespaces, ResourceId::new("", "v1", "namespaces")),
    (Sort::Services, ResourceId::new("", "v1", "services")),
    (
        Sort::Slices,
        ResourceId::new("discovery.k8s.io", "v1", "endpointslices"),
    ),
];

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Namespaces,
    Services,
    Slices,
}

/// How DNS is started.
pub struct Options {
    /// Where it listens, over UDP and TCP; port 0 is any.
    pub listen: Vec<SocketAddr>,
    /// Reads Services, EndpointSlices and Namespaces, and writes the service `kube-dns`.
    pub client: Client,
    /// Where other names are asked for.
    pub outside: Outside,
    /// The address of `listen` that the service `kube-dns` leads to; `None` leaves the service alone.
    pub service_at: Option<SocketAddr>,
}

/// Where names outside the cluster are asked for.
#[derive(Clone, Debug)]
pub enum Outside {
    /// The resolvers that a resolv.conf names, also when it changes.
    File(PathBuf),
    /// These resolvers.
    Fixed(Vec<SocketAddr>),
}

/// Why DNS does not start.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The address is taken, or not ours.
    #[error("DNS cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The service `kube-dns` cannot be written.
    #[error("the service kube-dns cannot be made: {0}")]
    Service(String),
}

/// DNS at work.
pub struct Dns {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    view: ArcSwap<View>,
    forwarder: Forwarder,
    counts: Arc<Counts>,
    /// Rotates the addresses of services.
    turn: AtomicUsize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Dns {
    /// Listens, makes the service, and answers once it knows the cluster.
    ///
    /// # Errors
    /// See [`DnsError`]; nothing is left behind then.
    pub async fn start(options: Options) -> Result<Dns, DnsError> {
        let mut sockets = Vec::new();
        for address in &options.listen {
            sockets.push(bind(*address).await?);
        }
        let addresses: Vec<SocketAddr> = sockets.iter().map(|(_, _, address)| *address).collect();
        if let Some(at) = options.service_at {
            own_service::apply(&options.client, at)
                .await
                .map_err(|StatusError { message, .. }| DnsError::Service(message))?;
        }
        let service = own_service::address(&options.client);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let counts = Arc::new(Counts::default());
        let source = match options.outside {
            Outside::Fixed(list) => Source::Fixed(list.into()),
            Outside::File(path) => {
                let mut ourselves = addresses.clone();
                ourselves.push((service, 53).into());
                Source::File(Resolvers::new(&path, ourselves))
            }
        };
        let shared = Arc::new(Shared {
            view: ArcSwap::default(),
            forwarder: Forwarder::new(source, counts.clone()),
            counts,
            turn: AtomicUsize::new(0),
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        let mut index = Index::start(&options.client, &tasks, &stop);
        index.first(&shared).await;
        tasks.spawn(stop.clone().run_until_cancelled_owned(index.run(shared.clone())));
        for (datagrams, connections, _) in sockets {
            tasks.spawn(
                stop.clone()
                    .run_until_cancelled_owned(serve_udp(shared.clone(), datagrams)),
            );
            tasks.spawn(
                stop.clone()
                    .run_until_cancelled_owned(serve_tcp(shared.clone(), connections)),
            );
        }
        Ok(Dns {
            addresses,
            shared,
            stop,
            tasks,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it has counted, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.shared.counts.text()
    }

    /// Stops listening, and ends.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// One address, both protocols on the same port.
async fn bind(wanted: SocketAddr) -> Result<(Arc<UdpSocket>, TcpListener, SocketAddr), DnsError> {
    let failed = |source| DnsError::Listen {
        address: wanted,
        source,
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let socket = UdpSocket::bind(address).await.map_err(failed)?;
    Ok((Arc::new(socket), listener, address))
}

/// Takes note of an object.
type Note = fn(&mut View, &Value);

/// Keeps the view in step.
struct Index {
    view: View,
    news: mpsc::Receiver<(Sort, News)>,
}

impl Index {
    fn start(client: &Client, tasks: &TaskTracker, stop: &CancellationToken) -> Index {
        let (sender, news) = mpsc::channel(limits::NEWS_MAX);
        for (sort, resource) in RESOURCES {
            let following = follow(client.clone(), resource, sort, sender.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(following));
        }
        Index {
            view: View::default(),
            news,
        }
    }

    /// Until all resources were listed once.
    async fn first(&mut self, shared: &Shared) {
        let mut listed = 0;
        while listed < RESOURCES.len() {
            let Some((sort, news)) = self.news.recv().await else {
                return;
            };
            listed += usize::from(matches!(news, News::All(_)));
            self.note(sort, news);
        }
        shared.view.store(Arc::new(self.view.clone()));
    }

    /// Changes that come together are shown together.
    async fn run(mut self, shared: Arc<Shared>) {
        let mut together = Vec::new();
        while self.news.recv_many(&mut together, limits::NEWS_MAX).await > 0 {
            for (sort, news) in together.drain(..) {
                self.note(sort, news);
            }
            shared.view.store(Arc::new(self.view.clone()));
        }
    }

    fn note(&mut self, sort: Sort, news: News) {
        let view = &mut self.view;
        let (put, remove, clear): (Note, Note, fn(&mut View)) = match sort {
            Sort::Namespaces => (
                View::put_namespace,
                View::remove_namespace,
                View::clear_namespaces,
            ),
            Sort::Services => (View::put_service, View::remove_service, View::clear_services),
            Sort::Slices => (View::put_slice, View::remove_slice, View::clear_slices),
        };
        let mut newest = u64::from(view.serial);
        let mut seen = |object: &_| {
            let revision = object::resource_version(object).parse().unwrap_or_default();
            newest = newest.max(revision);
        };
        match news {
            News::All(objects) => {
                clear(view);
                for object in &objects {
                    seen(object);
                    put(view, object);
                }
            }
            News::Is(object) => {
                seen(&object);
                put(view, &object);
            }
            News::Gone(object) => {
                seen(&object);
                remove(view, &object);
            }
        }
        view.serial = u32::try_from(newest).unwrap_or(u32::MAX);
    }
}

/// What a question comes to at once, or what must be waited for.
enum Now {
    Reply(Message),
    Ask(Message),
    Follow { reply: Message, ask: Message },
}

impl Shared {
    fn at_once(&self, question: &Message) -> Now {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        match answer(question, &self.view.load(), turn) {
            Answer::Reply(reply) => Now::Reply(reply),
            Answer::Elsewhere => {
                self.counts.forwarded();
                match self.forwarder.known(question) {
                    Some(reply) => Now::Reply(reply),
                    None => Now::Ask(question.clone()),
                }
            }
            Answer::Alias { reply, target } => {
                let mut ask = question.clone();
                let kind = ask.queries[0].query_type();
                ask.queries = vec![Query::query(target, kind)];
                Now::Follow { reply, ask }
            }
        }
    }

    /// The answer of whoever must be waited for.
    async fn later(&self, now: Now) -> Message {
        match now {
            Now::Reply(reply) => reply,
            Now::Ask(question) => self.forwarder.ask(&question).await,
            Now::Follow { mut reply, ask } => {
                self.counts.forwarded();
                let found = self.forwarder.ask(&ask).await;
                match found.metadata.response_code {
                    ResponseCode::NoError | ResponseCode::NXDomain => {
                        reply.metadata.response_code = found.metadata.response_code;
                        reply.answers.extend(found.answers);
                    }
                    // Half an answer would be kept as a name without addresses.
                    _ => {
                        let queries = std::mem::take(&mut reply.queries);
                        reply = failure(&ask, ResponseCode::ServFail);
                        reply.queries = queries;
                    }
                }
                reply
            }
        }
    }

    fn written(&self, reply: Message, limit: usize) -> Vec<u8> {
        self.counts.answered(reply.metadata.response_code);
        wire::write(reply, limit)
    }
}

fn kind_of(question: &Message) -> Option<hickory_proto::rr::RecordType> {
    question.queries.first().map(Query::query_type)
}

async fn serve_udp(shared: Arc<Shared>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; limits::QUESTION_BYTES_MAX + 1];
    loop {
        // An error here is about a client that is gone; the next one is served.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let question = match wire::read(&buffer[..length]) {
            Packet::Noise => continue,
            Packet::Refused(answer) => {
                shared.counts.asked(Protocol::Udp, None);
                // A client that does not take its answer asks again.
                let _ = socket.try_send_to(&answer, client);
                continue;
            }
            Packet::Question(question) => question,
        };
        shared.counts.asked(Protocol::Udp, kind_of(&question));
        let limit = wire::udp_limit(&question);
        match shared.at_once(&question) {
            Now::Reply(reply) => {
                let _ = socket.try_send_to(&shared.written(reply, limit), client);
            }
            later => {
                let Some(place) = shared.forwarder.place() else {
                    let reply = failure(&question, ResponseCode::Refused);
                    let _ = socket.try_send_to(&shared.written(reply, limit), client);
                    continue;
                };
                let (socket, sharing) = (socket.clone(), shared.clone());
                let waiting = async move {
                    let reply = sharing.later(later).await;
                    let _ = socket.send_to(&sharing.written(reply, limit), client).await;
                    drop(place);
                };
                let waiting = shared.stop.clone().run_until_cancelled_owned(waiting);
                shared.tasks.spawn(waiting);
            }
        }
    }
}

async fn serve_tcp(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let (Ok(place), accepted) = (places.clone().acquire_owned().await, listener.accept().await) else {
            return;
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = shared.clone();
                let connection = async move {
                    // A connection that breaks concerns nobody but its client.
                    let _ = converse(&serving, stream).await;
                    drop(place);
                };
                let connection = shared.stop.clone().run_until_cancelled_owned(connection);
                shared.tasks.spawn(connection);
            }
            Err(_) => tokio::time::sleep(limits::ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let question = timeout(limits::IDLE, async {
            let length = stream.read_u16().await?;
            let mut packet = vec![0; length.into()];
            stream.read_exact(&mut packet).await?;
            io::Result::Ok(packet)
        });
        let packet = question.await??;
        let answer = match wire::read(&packet) {
            Packet::Noise => return Ok(()),
            Packet::Refused(answer) => {
                shared.counts.asked(Protocol::Tcp, None);
                answer
            }
            Packet::Question(question) => {
                shared.counts.asked(Protocol::Tcp, kind_of(&question));
                let reply = shared.later(shared.at_once(&question)).await;
                shared.written(reply, usize::from(u16::MAX))
            }
        };
        let length = u16::try_from(answer.len()).unwrap_or_default();
        let framed = [&length.to_be_bytes(), &*answer].concat();
        timeout(limits::IDLE, stream.write_all(&framed)).await??;
    }
}
