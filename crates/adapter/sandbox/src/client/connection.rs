//! One connection to a shim: requests that find their answers, and what the shim says unasked.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::SandboxError;
use crate::limits::EVENT_BACKLOG;
use crate::spec::{Event, Exit};
use crate::wire::{Decoder, Message, Reply, Request, RequestBody, frame, receive, send};

#[derive(Debug)]
pub(crate) struct Connection {
    socket: UnixStream,
    /// Held while a frame is written, so that frames do not mix.
    writing: tokio::sync::Mutex<()>,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Waiting {
    lost: bool,
    answers: HashMap<u64, oneshot::Sender<Result<Answer, SandboxError>>>,
    exits: HashMap<u64, oneshot::Sender<Exit>>,
}

/// What the shim answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) fds: Vec<OwnedFd>,
    /// Of a process that was started by exec: how it ends.
    pub(crate) exit: Option<oneshot::Receiver<Exit>>,
}

impl Connection {
    /// Begins to listen to the shim.
    pub(super) fn start(
        socket: OwnedFd,
        tasks: &TaskTracker,
        end: CancellationToken,
    ) -> io::Result<Arc<Connection>> {
        let socket = StdStream::from(socket);
        socket.set_nonblocking(true)?;
        let connection = Arc::new(Connection {
            socket: UnixStream::from_std(socket)?,
            writing: tokio::sync::Mutex::default(),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            events: broadcast::Sender::new(EVENT_BACKLOG),
        });
        let reader = connection.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                _ = reader.listen() => {
                    reader.lose();
                    // Nobody may be listening.
                    let _ = reader.events.send(Event::Lost);
                }
            }
        });
        Ok(connection)
    }

    /// All events from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// False once the shim is gone.
    pub(crate) fn alive(&self) -> bool {
        !self.waiting().lost
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        body: RequestBody,
        fds: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<Answer, SandboxError> {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = frame(&Request {
            sequence,
            body,
            fds: fds.len(),
        })?;
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.lost {
                return Err(SandboxError::Lost("the shim has ended".to_owned()));
            }
            waiting.answers.insert(sequence, sender);
        }
        let exchange = async {
            self.write(&bytes, fds)
                .await
                .map_err(|error| SandboxError::Lost(error.to_string()))?;
            receiver
                .await
                .unwrap_or_else(|_| Err(SandboxError::Lost("the shim has ended".to_owned())))
        };
        let outcome = tokio::time::timeout(patience, exchange)
            .await
            .unwrap_or_else(|_| Err(SandboxError::Lost("the shim does not answer".to_owned())));
        self.waiting().answers.remove(&sequence);
        outcome
    }

    async fn write(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _turn = self.writing.lock().await;
        let mut sent = 0;
        while sent < bytes.len() {
            let with = if sent == 0 { fds } else { &[] };
            sent += self
                .socket
                .async_io(Interest::WRITABLE, || {
                    send(self.socket.as_fd(), &bytes[sent..], with)
                })
                .await?;
        }
        Ok(())
    }

    async fn listen(&self) -> io::Result<()> {
        let mut decoder = Decoder::default();
        let mut buffer = vec![0; 4096];
        loop {
            let count = self
                .socket
                .async_io(Interest::READABLE, || {
                    receive(self.socket.as_fd(), &mut buffer, decoder.fds())
                })
                .await?;
            if count == 0 {
                return Ok(());
            }
            decoder.push(&buffer[..count]);
            while let Some(message) = decoder.next::<Message>()? {
                self.hear(message, &mut decoder)?;
            }
        }
    }

    fn hear(&self, message: Message, decoder: &mut Decoder) -> io::Result<()> {
        match message {
            Message::Reply {
                sequence,
                result,
                fds,
            } => {
                let fds = decoder.take_fds(fds)?;
                let mut waiting = self.waiting();
                let answer = result.map(|reply| {
                    let exit = match &reply {
                        Reply::Executing { exec, .. } => {
                            let (sender, receiver) = oneshot::channel();
                            waiting.exits.insert(*exec, sender);
                            Some(receiver)
                        }
                        _ => None,
                    };
                    Answer { reply, fds, exit }
                });
                // Who has stopped waiting needs no answer.
                if let Some(sender) = waiting.answers.remove(&sequence) {
                    let _ = sender.send(answer);
                }
            }
            Message::ExecExited { exec, exit } => {
                if let Some(sender) = self.waiting().exits.remove(&exec) {
                    let _ = sender.send(exit);
                }
            }
            Message::Event(event) => {
                // Nobody may be listening.
                let _ = self.events.send(event);
            }
        }
        Ok(())
    }

    fn lose(&self) {
        let mut waiting = self.waiting();
        waiting.lost = true;
        waiting.answers.clear();
        waiting.exits.clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
