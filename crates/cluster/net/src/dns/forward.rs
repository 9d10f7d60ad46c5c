//! Names outside the cluster: the host's resolvers are asked.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_cluster_api::identifiers;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{failure, reply_to};
use super::cache::{Cache, Question};
use super::counts::Counts;
use super::limits;
use super::resolvers::Resolvers;

/// Where outside names are asked for.
#[derive(Debug)]
pub enum Source {
    /// The resolvers of a resolv.conf.
    File(Resolvers),
    /// These.
    Fixed(Arc<[SocketAddr]>),
}

/// Asks resolvers, and keeps what they say.
#[derive(Debug)]
pub struct Forwarder {
    source: Arc<Source>,
    cache: Mutex<Cache>,
    places: Arc<Semaphore>,
    start: Instant,
    counts: Arc<Counts>,
}

impl Forwarder {
    /// One that knows nothing yet.
    pub fn new(source: Source, counts: Arc<Counts>) -> Forwarder {
        Forwarder {
            source: Arc::new(source),
            cache: Mutex::default(),
            places: Arc::new(Semaphore::new(limits::FORWARDS_MAX)),
            start: Instant::now(),
            counts,
        }
    }

    /// The answer if it is known; costs microseconds.
    pub fn known(&self, question: &Message) -> Option<Message> {
        let kept = self.lock().get(&Question::of(question)?, self.now())?;
        self.counts.cached();
        Some(adopt(kept, question))
    }

    /// A place for a question that has to wait; none when too many do.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// The answer of the first resolver that has one.
    pub async fn ask(&self, question: &Message) -> Message {
        if let Some(known) = self.known(question) {
            return known;
        }
        match timeout(limits::FORWARD, self.ask_each(question)).await {
            Ok(Some(answer)) => {
                if let Some(key) = Question::of(question) {
                    self.lock().put(key, &answer, self.now());
                }
                adopt(answer, question)
            }
            Ok(None) | Err(_) => {
                self.counts.unanswered();
                failure(question, ResponseCode::ServFail)
            }
        }
    }

    /// An answer that says "failed" or "refused" is one only when no other resolver has a better one.
    async fn ask_each(&self, question: &Message) -> Option<Message> {
        let mut worse = None;
        for resolver in self.resolvers().await.iter() {
            match exchange(question, *resolver).await {
                Ok(answer) if is_final(&answer) => return Some(answer),
                Ok(answer) => worse = Some(answer),
                Err(_) => {}
            }
        }
        worse
    }

    async fn resolvers(&self) -> Arc<[SocketAddr]> {
        let now = self.now();
        match &*self.source {
            Source::Fixed(list) => list.clone(),
            Source::File(resolvers) => match resolvers.fresh(now) {
                Some(list) => list,
                None => {
                    let source = self.source.clone();
                    let look = move || match &*source {
                        Source::File(resolvers) => resolvers.look(now),
                        Source::Fixed(list) => list.clone(),
                    };
                    let looked = tokio::task::spawn_blocking(look).await;
                    looked.unwrap_or_else(|_| Arc::new([]))
                }
            },
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Any state of the cache is a good one.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_final(answer: &Message) -> bool {
    matches!(
        answer.metadata.response_code,
        ResponseCode::NoError | ResponseCode::NXDomain
    )
}

/// A resolver's answer as the answer to the client's own question.
fn adopt(answer: Message, question: &Message) -> Message {
    let mut reply = reply_to(question);
    reply.metadata.response_code = answer.metadata.response_code;
    reply.metadata.authentic_data = answer.metadata.authentic_data;
    reply.answers = answer.answers;
    reply.authorities = answer.authorities;
    reply.additionals = answer.additionals;
    reply
}

/// What a resolver is asked: the client's question, under a number of its own.
fn asked(question: &Message) -> Message {
    let id = u16::try_from(identifiers::random_below(1 << 16)).unwrap_or_default();
    let mut asked = Message::new(id, MessageType::Query, OpCode::Query);
    asked.metadata.recursion_desired = true;
    asked.metadata.checking_disabled = question.metadata.checking_disabled;
    asked.queries.clone_from(&question.queries);
    let mut edns = Edns::new();
    edns.set_max_payload(limits::UDP_BYTES_MAX);
    edns.set_dnssec_ok(question.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok));
    asked.set_edns(edns);
    asked
}

async fn exchange(question: &Message, resolver: SocketAddr) -> io::Result<Message> {
    let asked = asked(question);
    let packet = asked.to_vec().map_err(io::Error::other)?;
    let answer = timeout(limits::TRY, over_udp(&asked, &packet, resolver)).await??;
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    timeout(limits::TRY, over_tcp(&asked, &packet, resolver)).await?
}

async fn over_udp(asked: &Message, packet: &[u8], resolver: SocketAddr) -> io::Result<Message> {
    let any: SocketAddr = if resolver.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected: packets of anybody else do not arrive.
    socket.connect(resolver).await?;
    socket.send(packet).await?;
    let mut buffer = vec![0; usize::from(limits::UDP_BYTES_MAX)];
    let until = Instant::now() + limits::TRY;
    loop {
        let length = timeout_at(until, socket.recv(&mut buffer)).await??;
        // What does not fit may be forged: the right answer may still come.
        if let Some(answer) = matching(asked, &buffer[..length]) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(asked: &Message, packet: &[u8], resolver: SocketAddr) -> io::Result<Message> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), packet].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; length.into()];
    stream.read_exact(&mut buffer).await?;
    matching(asked, &buffer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn matching(asked: &Message, packet: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(packet).ok()?;
    let fits = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == asked.metadata.id
        && answer.queries == asked.queries;
    fits.then_some(answer)
}
