//! One sandbox, as the server sees it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;

use super::connection::{Answer, Connection};
use super::streams::{Attachment, Exec, Terminal, pipes};
use super::{Shared, blocking};
use crate::cgroup::{Group, Usage};
use crate::error::SandboxError;
use crate::limits::REQUEST_DEADLINE;
use crate::spec::{ContainerInfo, ContainerSpec, Event, ExecSpec, SandboxSpec};
use crate::wire::{Description, Reply, RequestBody, Setup};

/// A sandbox. Copies are the same sandbox; dropping them all does not end it.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    setup: Setup,
    pid: u32,
    containers: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: BTreeMap<String, ContainerInfo>,
    /// What has been said since `known` was brought up to date.
    news: broadcast::Receiver<Event>,
}

/// What happens in a sandbox, from the moment of [`Sandbox::events`].
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

impl Events {
    /// The next event; none after [`Event::Lost`], or when the server lets go of its sandboxes.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Sandbox {
    pub(super) fn new(shared: Arc<Shared>, connection: Arc<Connection>, description: Description) -> Sandbox {
        let news = connection.subscribe();
        Sandbox {
            inner: Arc::new(Inner {
                shared,
                connection,
                setup: description.setup,
                pid: description.pid,
                containers: Mutex::new(State {
                    known: description.containers,
                    news,
                }),
            }),
        }
    }

    /// As in its specification.
    pub fn id(&self) -> &str {
        &self.spec().id
    }

    /// As in its specification.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.spec().labels
    }

    /// What it was made from.
    pub fn spec(&self) -> &SandboxSpec {
        &self.inner.setup.spec
    }

    /// The shim's process.
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    /// False once the shim is gone, and all containers with it.
    pub fn alive(&self) -> bool {
        self.inner.connection.alive()
    }

    /// All containers that have not been removed, as they are now.
    pub fn containers(&self) -> Vec<ContainerInfo> {
        self.state().known.values().cloned().collect()
    }

    /// One container.
    pub fn container(&self, id: &str) -> Option<ContainerInfo> {
        self.state().known.get(id).cloned()
    }

    /// What happens from now on. Read [`Sandbox::containers`] after this call for what was before.
    pub fn events(&self) -> Events {
        Events {
            receiver: self.inner.connection.subscribe(),
        }
    }

    /// Creates a container, whose program waits for [`Sandbox::start`].
    pub async fn create_container(&self, spec: ContainerSpec) -> Result<ContainerInfo, SandboxError> {
        match self
            .ask(RequestBody::CreateContainer(Box::new(spec)))
            .await?
            .reply
        {
            Reply::Created(info) => {
                self.state().known.insert(info.id.clone(), (*info).clone());
                Ok(*info)
            }
            _ => Err(unexpected()),
        }
    }

    /// Starts a container's program.
    pub async fn start(&self, id: &str) -> Result<(), SandboxError> {
        self.ask(RequestBody::Start { id: id.to_owned() }).await.map(drop)
    }

    /// Sends a signal to a container's first process, or to all.
    pub async fn kill(&self, id: &str, signal: i32, all: bool) -> Result<(), SandboxError> {
        let id = id.to_owned();
        self.ask(RequestBody::Kill { id, signal, all }).await.map(drop)
    }

    /// Removes a container that does not run, and what it has written.
    pub async fn remove(&self, id: &str) -> Result<(), SandboxError> {
        self.ask(RequestBody::Remove { id: id.to_owned() }).await?;
        self.state().known.remove(id);
        let folder = self.folder().join("containers").join(id);
        blocking(move || {
            // The shim removes what may be left of it before it makes another one of that id.
            let _ = std::fs::remove_dir_all(folder);
        })
        .await;
        Ok(())
    }

    /// Starts another process in a running container.
    pub async fn exec(&self, id: &str, spec: ExecSpec) -> Result<Exec, SandboxError> {
        let failed = |error: std::io::Error| SandboxError::runtime("making pipes", error);
        let (tty, stdin) = (spec.tty, spec.stdin);
        let (ours, theirs) = if tty {
            Default::default()
        } else {
            pipes(stdin, true).map_err(failed)?
        };
        let body = RequestBody::Exec {
            id: id.to_owned(),
            spec: Box::new(spec),
        };
        let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
        let answer = self.inner.connection.ask(body, &fds, REQUEST_DEADLINE).await?;
        drop(fds);
        drop(theirs);
        let (Reply::Executing { exec, pid }, Some(exit)) = (answer.reply, answer.exit) else {
            return Err(unexpected());
        };
        let terminal = answer
            .fds
            .into_iter()
            .next()
            .map(Terminal::new)
            .transpose()
            .map_err(failed)?;
        let streams = match &terminal {
            Some(terminal) => terminal.streams(stdin),
            None => ours,
        };
        Ok(Exec::new(streams, terminal, pid, exit, exec, self.clone()))
    }

    pub(super) async fn kill_exec(&self, exec: u64, signal: i32) -> Result<(), SandboxError> {
        self.ask(RequestBody::KillExec { exec, signal }).await.map(drop)
    }

    /// Listens to what a running container says from now on, and speaks to it if it was made to listen.
    pub async fn attach(&self, id: &str) -> Result<Attachment, SandboxError> {
        let failed = |error: std::io::Error| SandboxError::runtime("making pipes", error);
        let (mut streams, theirs) = pipes(false, true).map_err(failed)?;
        let body = RequestBody::Attach { id: id.to_owned() };
        let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
        let answer = self.inner.connection.ask(body, &fds, REQUEST_DEADLINE).await?;
        drop(fds);
        drop(theirs);
        let Reply::Attached { tty, stdin } = answer.reply else {
            return Err(unexpected());
        };
        let terminal = answer
            .fds
            .into_iter()
            .next()
            .map(Terminal::new)
            .transpose()
            .map_err(failed)?;
        if let Some(input) = terminal.as_ref().filter(|_| stdin) {
            streams.stdin = Some(input.stream());
        }
        if tty {
            streams.stderr = None;
        }
        Ok(Attachment::new(streams, terminal.filter(|_| tty)))
    }

    /// What a container uses; none if it does not exist.
    pub async fn usage(&self, id: &str) -> Option<Usage> {
        let group = self.group().child(id);
        blocking(move || group.usage(SystemTime::now())).await
    }

    /// What all containers use together.
    pub async fn usage_pod(&self) -> Option<Usage> {
        let group = self.group();
        blocking(move || group.usage(SystemTime::now())).await
    }

    /// Ends all containers and the shim, and removes everything: mounts, cgroups, folders.
    pub async fn stop(&self) -> Result<(), SandboxError> {
        // A shim that is gone or hangs is killed with the rest.
        let _ = self.ask(RequestBody::Stop).await;
        self.inner
            .shared
            .clear(self.folder(), Some(self.inner.setup.clone()))
            .await;
        self.state().known.clear();
        if self.group().exists() {
            return Err(SandboxError::Runtime(
                "the kernel does not let go of the sandbox's cgroup: a process of it waits for a device"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// The sandbox's own folder: writable layers of containers are below it.
    pub fn folder(&self) -> PathBuf {
        self.inner.shared.options().root.join(self.id())
    }

    fn group(&self) -> Group {
        let path = Path::new("/")
            .join(&self.inner.setup.cgroup_parent)
            .join(&self.inner.setup.spec.cgroup);
        self.inner.shared.layout().group(&path)
    }

    async fn ask(&self, body: RequestBody) -> Result<Answer, SandboxError> {
        self.inner.connection.ask(body, &[], REQUEST_DEADLINE).await
    }

    /// The containers, with all news worked in.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self
            .inner
            .containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            match state.news.try_recv() {
                Ok(event) => apply(&mut state.known, event),
                // Lagged: the next ones follow. What was lost is asked for by `refresh`.
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return state,
            }
        }
    }

    /// Asks the shim for the state of all containers: after [`Event::Missed`].
    pub async fn refresh(&self) -> Result<(), SandboxError> {
        match self.ask(RequestBody::Describe).await?.reply {
            Reply::Described(description) => {
                self.state().known = description.containers;
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }
}

fn apply(known: &mut BTreeMap<String, ContainerInfo>, event: Event) {
    match event {
        Event::Started { container, at, pid } => {
            if let Some(info) = known.get_mut(&container) {
                info.started_at = Some(at);
                info.pid = Some(pid);
            }
        }
        Event::Exited { container, exit } => {
            if let Some(info) = known.get_mut(&container) {
                info.exit = Some(exit);
                info.pid = None;
            }
        }
        Event::Lost | Event::Missed => {}
    }
}

fn unexpected() -> SandboxError {
    SandboxError::Lost("the shim gave an answer to another question".to_owned())
}
