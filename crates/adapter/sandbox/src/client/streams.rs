//! What processes read and write: pipes and terminals that the shim has handed over. No byte passes through the shim.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::sandbox::Sandbox;
use crate::error::SandboxError;
use crate::spec::Exit;

/// One end of a pipe, or a terminal.
#[derive(Debug)]
pub struct Stream {
    fd: Arc<AsyncFd<OwnedFd>>,
}

/// The streams of a process.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
}

/// A terminal, of which input, output and size are one thing.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    fd: Arc<AsyncFd<OwnedFd>>,
}

impl Stream {
    fn new(fd: OwnedFd) -> io::Result<Stream> {
        Ok(Terminal::new(fd)?.stream())
    }
}

impl Terminal {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Terminal> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        // What tokio warns of is a type whose descriptor changes or closes behind its back: an `OwnedFd` does neither.
        #[allow(deprecated)]
        let fd = AsyncFd::new(fd)?;
        Ok(Terminal { fd: Arc::new(fd) })
    }

    pub(crate) fn stream(&self) -> Stream {
        Stream { fd: self.fd.clone() }
    }

    pub(crate) fn streams(&self, stdin: bool) -> Streams {
        Streams {
            stdin: stdin.then(|| self.stream()),
            stdout: Some(self.stream()),
            stderr: None,
        }
    }
}

/// Our ends of new pipes, and the other ends in the order input, output, error.
pub(crate) fn pipes(stdin: bool, outputs: bool) -> io::Result<(Streams, Vec<OwnedFd>)> {
    let mut streams = Streams::default();
    let mut theirs = Vec::new();
    if stdin {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        streams.stdin = Some(Stream::new(writer)?);
        theirs.push(reader);
    }
    if outputs {
        for end in [&mut streams.stdout, &mut streams.stderr] {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            *end = Some(Stream::new(reader)?);
            theirs.push(writer);
        }
    }
    Ok((streams, theirs))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(context))?;
            let space = buffer.initialize_unfilled();
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *space)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // A terminal that no process has open any more says so with an error: it is the end.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => return Poll::Ready(Ok(())),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(context))?;
            match guard.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(outcome) => return Poll::Ready(outcome),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing: a pipe ends when its stream is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A process that was started in a container.
#[derive(Debug)]
pub struct Exec {
    /// What it reads, if it was asked for. Dropping it is the end of file, but for a terminal.
    pub stdin: Option<Stream>,
    /// What it writes; with a terminal, everything.
    pub stdout: Option<Stream>,
    /// What it complains.
    pub stderr: Option<Stream>,
    /// The size of its terminal, if it has one.
    pub resizer: Option<Resizer>,
    pid: u32,
    exit: oneshot::Receiver<Exit>,
    ended: Option<Exit>,
    number: u64,
    sandbox: Sandbox,
}

impl Exec {
    pub(crate) fn new(
        streams: Streams,
        terminal: Option<Terminal>,
        pid: u32,
        exit: oneshot::Receiver<Exit>,
        number: u64,
        sandbox: Sandbox,
    ) -> Exec {
        Exec {
            stdin: streams.stdin,
            stdout: streams.stdout,
            stderr: streams.stderr,
            resizer: terminal.map(Resizer::new),
            pid,
            exit,
            ended: None,
            number,
            sandbox,
        }
    }

    /// Its process, in the machine's numbering.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it has ended. Its output may still have bytes in it then, and processes that it has left behind may
    /// hold it open for longer.
    pub async fn wait(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.ended {
            return Ok(exit);
        }
        let exit = (&mut self.exit)
            .await
            .map_err(|_| SandboxError::Lost("the shim has ended".to_owned()))?;
        self.ended = Some(exit);
        Ok(exit)
    }

    /// Sends it a signal.
    pub async fn kill(&self, signal: i32) -> Result<(), SandboxError> {
        self.sandbox.kill_exec(self.number, signal).await
    }
}

/// The size of a terminal.
#[derive(Clone, Debug)]
pub struct Resizer {
    terminal: Terminal,
}

impl Resizer {
    fn new(terminal: Terminal) -> Resizer {
        Resizer { terminal }
    }

    /// Sets it.
    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(self.terminal.fd.get_ref(), size)?)
    }
}

/// The streams of a running container. Dropping it lets go of them.
#[derive(Debug)]
pub struct Attachment {
    /// What it reads, if it was made to.
    pub stdin: Option<Stream>,
    /// What it writes from now on; with a terminal, everything.
    pub stdout: Option<Stream>,
    /// What it complains from now on.
    pub stderr: Option<Stream>,
    /// The size of its terminal, if it has one.
    pub resizer: Option<Resizer>,
}

impl Attachment {
    pub(crate) fn new(streams: Streams, terminal: Option<Terminal>) -> Attachment {
        Attachment {
            stdin: streams.stdin,
            stdout: streams.stdout,
            stderr: streams.stderr,
            resizer: terminal.map(Resizer::new),
        }
    }
}
