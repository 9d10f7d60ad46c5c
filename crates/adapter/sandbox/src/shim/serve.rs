//! The shim's loop: requests, signals, output.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, kill_process, wait};

use super::clients::Client;
use super::container::{Container, Status, Surroundings};
use super::record::Record;
use super::setup::Ready;
use crate::error::SandboxError;
use crate::limits::{MAX_CLIENTS, MAX_CONTAINERS, MAX_EXECS, READ_BYTES};
use crate::spec::{ContainerSpec, Event, ExecSpec, Exit};
use crate::wire::{Description, Message, Reply, Request, RequestBody, Setup};

/// All that a shim knows.
pub(super) struct Shim {
    folder: PathBuf,
    setup: Setup,
    ready: Ready,
    signals: SignalFd,
    listener: OwnedFd,
    clients: Vec<Client>,
    next_client: u64,
    containers: BTreeMap<String, Container>,
    /// By process: its number, and the container that it runs in.
    execs: BTreeMap<u32, (u64, String)>,
    next_exec: u64,
    buffer: Vec<u8>,
}

type Answer = Result<(Reply, Vec<OwnedFd>), SandboxError>;

impl Shim {
    /// Ends of children can be read from now on; signals that end others do not end a shim, which only the server's
    /// request or SIGKILL does.
    pub(super) fn signals() -> io::Result<SignalFd> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            mask.add(signal);
        }
        mask.thread_block()?;
        Ok(SignalFd::with_flags(
            &mask,
            SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
        )?)
    }

    pub(super) fn new(
        folder: PathBuf,
        setup: Setup,
        ready: Ready,
        signals: SignalFd,
        listener: OwnedFd,
    ) -> Result<Shim, SandboxError> {
        let shim = Shim {
            folder,
            setup,
            ready,
            signals,
            listener,
            clients: Vec::new(),
            next_client: 0,
            containers: BTreeMap::new(),
            execs: BTreeMap::new(),
            next_exec: 1,
            buffer: vec![0; READ_BYTES],
        };
        shim.record()?;
        Ok(shim)
    }

    pub(super) fn describe(&self) -> Description {
        Description {
            pid: std::process::id(),
            setup: self.setup.clone(),
            containers: self
                .containers
                .iter()
                .map(|(id, container)| (id.clone(), container.info.clone()))
                .collect(),
        }
    }

    /// One more connection.
    pub(super) fn adopt(&mut self, socket: OwnedFd) -> io::Result<()> {
        if self.clients.len() < MAX_CLIENTS {
            self.clients.push(Client::new(self.next_client, socket)?);
            self.next_client += 1;
        }
        Ok(())
    }

    /// Until the sandbox is stopped.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready.signals {
                self.reap();
            }
            if ready.listener {
                self.accept();
            }
            for number in ready.clients {
                if !self.attend(number) {
                    return Ok(());
                }
            }
            let (now, clock) = (SystemTime::now(), Instant::now());
            for container in self.containers.values_mut() {
                container.outputs.turn(&mut self.buffer, now, clock);
            }
            self.clients.retain(|client| client.socket().is_some());
        }
    }

    /// Sleeps until there is something to do. Nothing is polled: the only deadline is an attached client's patience.
    fn wait(&mut self) -> io::Result<Turn> {
        let mut turn = Turn::default();
        let mut gone = Vec::new();
        {
            let mut watched = vec![
                PollFd::new(&self.signals, PollFlags::IN),
                PollFd::new(&self.listener, PollFlags::IN),
            ];
            for client in &self.clients {
                let socket = client
                    .socket()
                    .expect("those without are removed after each turn");
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, client.has_output());
                watched.push(PollFd::new(socket, flags));
            }
            let first_listener = watched.len();
            let mut ends = Vec::new();
            for (id, container) in &self.containers {
                for end in container.outputs.listeners() {
                    watched.push(PollFd::new(end, PollFlags::empty()));
                    ends.push((id.clone(), rustix::fd::AsRawFd::as_raw_fd(end)));
                }
            }
            let mut deadline: Option<Instant> = None;
            for container in self.containers.values() {
                let (sources, sinks) = container.outputs.watched();
                watched.extend(sources.into_iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
                watched.extend(sinks.into_iter().map(|fd| PollFd::new(fd, PollFlags::OUT)));
                deadline = deadline.into_iter().chain(container.outputs.deadline()).min();
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut watched, timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => return Ok(turn),
                Err(error) => return Err(error.into()),
            }
            let at = |place: usize| !watched[place].revents().is_empty();
            turn.signals = at(0);
            turn.listener = at(1);
            for (place, client) in self.clients.iter().enumerate() {
                if at(2 + place) {
                    turn.clients.push(client.number);
                }
            }
            for (place, end) in ends.into_iter().enumerate() {
                if watched[first_listener + place]
                    .revents()
                    .intersects(PollFlags::ERR | PollFlags::HUP)
                {
                    gone.push(end);
                }
            }
        }
        for (id, end) in gone {
            if let Some(container) = self.containers.get_mut(&id) {
                container
                    .outputs
                    .hang_up(|fd| rustix::fd::AsRawFd::as_raw_fd(fd) == end);
            }
        }
        Ok(turn)
    }

    fn accept(&mut self) {
        while let Ok(socket) = rustix::net::accept_with(&self.listener, rustix::net::SocketFlags::CLOEXEC) {
            // Beyond the bound, a connection is closed at once.
            let _ = self.adopt(socket);
        }
    }

    /// Reads and answers one client's requests. False after the last one of all.
    fn attend(&mut self, number: u64) -> bool {
        let Some(client) = self.clients.iter_mut().find(|client| client.number == number) else {
            return true;
        };
        client.write();
        let requests = client.read(&mut self.buffer);
        for (Request { sequence, body, .. }, fds) in requests {
            let last = matches!(body, RequestBody::Stop);
            let (result, fds) = match self.answer(body, fds) {
                Ok((reply, fds)) => (Ok(reply), fds),
                Err(error) => (Err(error), Vec::new()),
            };
            if let Some(client) = self.clients.iter_mut().find(|client| client.number == number) {
                let message = Message::Reply {
                    sequence,
                    result,
                    fds: fds.len(),
                };
                client.say(&message, fds);
            }
            if last {
                for client in &mut self.clients {
                    client.flush();
                }
                return false;
            }
        }
        true
    }

    fn answer(&mut self, body: RequestBody, fds: Vec<OwnedFd>) -> Answer {
        let done = |()| (Reply::Done, Vec::new());
        match body {
            RequestBody::Create(_) => Err(SandboxError::Exists(self.setup.spec.id.clone())),
            RequestBody::Describe => Ok((Reply::Described(Box::new(self.describe())), Vec::new())),
            RequestBody::CreateContainer(spec) => self.create(*spec),
            RequestBody::Start { id } => self.start(&id).map(done),
            RequestBody::Kill { id, signal, all } => self.container(&id)?.kill(signal, all).map(done),
            RequestBody::Remove { id } => self.remove(&id).map(done),
            RequestBody::Exec { id, spec } => self.exec(&id, &spec, fds),
            RequestBody::KillExec { exec, signal } => self.kill_exec(exec, signal).map(done),
            RequestBody::Attach { id } => self.attach(&id, fds),
            RequestBody::Stop => {
                self.stop();
                Ok(done(()))
            }
        }
    }

    fn container(&mut self, id: &str) -> Result<&mut Container, SandboxError> {
        self.containers
            .get_mut(id)
            .ok_or_else(|| SandboxError::NotFound(id.to_owned()))
    }

    /// The container, and what it lives in.
    fn within(&mut self, id: &str) -> Result<(&mut Container, Surroundings<'_>), SandboxError> {
        let container = self
            .containers
            .get_mut(id)
            .ok_or_else(|| SandboxError::NotFound(id.to_owned()))?;
        let around = Surroundings {
            folder: &self.folder,
            setup: &self.setup,
            ready: &self.ready,
        };
        Ok((container, around))
    }

    fn create(&mut self, spec: ContainerSpec) -> Answer {
        valid_id(&spec.id)?;
        if spec.args.is_empty() {
            return Err(SandboxError::Invalid("no command specified".to_owned()));
        }
        if self.containers.contains_key(&spec.id) {
            return Err(SandboxError::Exists(spec.id));
        }
        if self.containers.len() >= MAX_CONTAINERS {
            return Err(SandboxError::Limit(format!(
                "the sandbox has {MAX_CONTAINERS} containers"
            )));
        }
        let around = Surroundings {
            folder: &self.folder,
            setup: &self.setup,
            ready: &self.ready,
        };
        let container = Container::create(spec, &around)?;
        let info = container.info.clone();
        self.containers.insert(info.id.clone(), container);
        self.record()?;
        Ok((Reply::Created(Box::new(info)), Vec::new()))
    }

    fn start(&mut self, id: &str) -> Result<(), SandboxError> {
        let (container, around) = self.within(id)?;
        container.start(&around)?;
        let (at, pid) = (
            container.info.started_at.unwrap_or_else(SystemTime::now),
            container.info.pid.unwrap_or_default(),
        );
        self.record()?;
        self.tell(&Message::Event(Event::Started {
            container: id.to_owned(),
            at,
            pid,
        }));
        Ok(())
    }

    fn remove(&mut self, id: &str) -> Result<(), SandboxError> {
        let container = self.container(id)?;
        if container.info.pid.is_some() && container.info.started_at.is_some() {
            return Err(container.state("is running"));
        }
        container.release();
        self.containers.remove(id);
        self.record()
    }

    fn exec(&mut self, id: &str, spec: &ExecSpec, fds: Vec<OwnedFd>) -> Answer {
        if self.execs.len() >= MAX_EXECS {
            return Err(SandboxError::Limit(format!(
                "{MAX_EXECS} processes have been started by exec"
            )));
        }
        let number = self.next_exec;
        self.next_exec += 1;
        let (container, around) = self.within(id)?;
        let made = container.exec(number, spec, fds, &around)?;
        self.execs.insert(made.pid, (number, id.to_owned()));
        let reply = Reply::Executing {
            exec: number,
            pid: made.pid,
        };
        Ok((reply, made.terminal.into_iter().collect()))
    }

    fn kill_exec(&mut self, exec: u64, signal: i32) -> Result<(), SandboxError> {
        let signal = rustix::process::Signal::from_named_raw(signal)
            .ok_or_else(|| SandboxError::Invalid(format!("there is no signal {signal}")))?;
        let pid = self
            .execs
            .iter()
            .find(|(_, (number, _))| *number == exec)
            .and_then(|(pid, _)| Pid::from_raw(*pid as i32));
        match pid {
            Some(pid) => {
                kill_process(pid, signal).map_err(|error| SandboxError::runtime("sending the signal", error))
            }
            // It has ended by itself meanwhile.
            None => Ok(()),
        }
    }

    fn attach(&mut self, id: &str, fds: Vec<OwnedFd>) -> Answer {
        let container = self.container(id)?;
        if container.info.pid.is_none() {
            return Err(container.state("is not running"));
        }
        let failed = |error: io::Error| SandboxError::runtime("attaching", error);
        let mut ends = fds.into_iter();
        if !container
            .outputs
            .attach(ends.next(), ends.next())
            .map_err(failed)?
        {
            return Err(SandboxError::Limit("too many are attached".to_owned()));
        }
        let tty = container.spec.tty;
        let stdin = if container.spec.stdin_once && !tty {
            // Gone with the first who is attached: when he closes it, the container reads end of file.
            container.stdin.take()
        } else {
            let copy = container
                .stdin
                .as_ref()
                .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3));
            copy.transpose().map_err(|error| failed(error.into()))?
        };
        let reply = Reply::Attached {
            tty,
            stdin: container.spec.stdin && stdin.is_some(),
        };
        Ok((reply, stdin.into_iter().collect()))
    }

    /// Learns which children have ended.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let status = Status {
                exit: status.exit_status(),
                signal: status.terminating_signal(),
            };
            if let Some((exec, id)) = self.execs.remove(&pid) {
                let oom_killed = self
                    .containers
                    .get(&id)
                    .is_some_and(|container| container.group.oom_kills() > 0);
                let exit = Exit {
                    at: SystemTime::now(),
                    code: status.code(),
                    signal: status.signal,
                    oom_killed,
                };
                self.tell(&Message::ExecExited { exec, exit });
                continue;
            }
            let ended = self
                .containers
                .values()
                .find(|container| container.info.pid == Some(pid))
                .map(|container| container.spec.id.clone());
            if let Some(id) = ended {
                self.ended(&id, status);
            }
        }
    }

    fn ended(&mut self, id: &str, status: Status) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let exit = match self.within(id) {
            Ok((container, around)) => Some(container.ended(status, &around, &mut buffer)),
            Err(_) => None,
        };
        self.buffer = buffer;
        if let Some(exit) = exit {
            // On disk before anybody is told. If the disk is full, the memory still knows.
            let _ = self.record();
            self.tell(&Message::Event(Event::Exited {
                container: id.to_owned(),
                exit,
            }));
        }
    }

    /// Ends all that runs, and gives back what the containers hold.
    fn stop(&mut self) {
        for container in self.containers.values() {
            container.group.signal(rustix::process::Signal::KILL);
        }
        for container in self.containers.values_mut() {
            container.release();
        }
        if let Some(pause) = &mut self.ready.pause {
            // It is killed as the others are; its end is of no interest.
            let _ = pause.kill();
        }
        self.reap();
    }

    fn tell(&mut self, message: &Message) {
        for client in &mut self.clients {
            client.say(message, Vec::new());
        }
    }

    fn record(&self) -> Result<(), SandboxError> {
        Record::write(&self.folder, &self.describe())
            .map_err(|error| SandboxError::runtime("writing the sandbox's record", error))
    }
}

/// What a turn of the loop has to do.
#[derive(Default)]
struct Turn {
    signals: bool,
    listener: bool,
    clients: Vec<u64>,
}

/// An id is a file's name, a cgroup's, and part of a socket's.
pub(crate) fn valid_id(id: &str) -> Result<(), SandboxError> {
    let known = |one: char| one.is_ascii_alphanumeric() || "_+-.".contains(one);
    if id.is_empty() || id.len() > 128 || id.starts_with('.') || !id.chars().all(known) {
        return Err(SandboxError::Invalid(format!("{id:?} cannot be an id")));
    }
    Ok(())
}
