//! The shim: one process per sandbox, single-threaded, apart from the server that started it. It holds the sandbox's
//! namespaces and mounts, is the parent of its containers, writes their logs, and remembers how they ended.

mod clients;
mod container;
mod executor;
mod last;
mod log;
mod output;
mod record;
mod rootfs;
mod runtime;
mod serve;
mod setup;
mod words;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) use executor::DEFAULT_PATH;
pub(crate) use record::Record;
pub(crate) use serve::valid_id;

use crate::error::SandboxError;
use crate::wire::{Decoder, Message, Reply, Request, RequestBody, frame, receive, send};

/// The first argument of a shim; the second is its folder.
pub(crate) const SHIM: &str = "sandbox-shim";

/// The first argument of the first process of a shared PID namespace.
pub(crate) const PAUSE: &str = "sandbox-pause";

/// The socket of a shim in its folder.
pub(crate) const SOCKET: &str = "shim.sock";

/// Runs the shim, and does not return, if this process was started to be one. The first line of `main`: a shim must
/// be single-threaded.
pub fn dispatch() {
    let mut arguments = std::env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return;
    };
    let outcome = if first == OsStr::new(SHIM) {
        let Some(folder) = arguments.next() else {
            return;
        };
        shim(Path::new(&folder))
    } else if first == OsStr::new(PAUSE) {
        setup::reap_for_ever()
    } else {
        return;
    };
    end(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

#[allow(clippy::exit)] // The process is the shim's; `main` has nothing to do in it.
fn end(code: ExitCode) -> ! {
    std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 })
}

fn shim(folder: &Path) -> io::Result<()> {
    let socket = rustix::io::dup(rustix::stdio::stdin())?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    setup::daemonise(folder)?;
    words::listen();
    let mut decoder = Decoder::default();
    let request: Request = read(&socket, &mut decoder)?;
    let RequestBody::Create(setup) = request.body else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let answer = |result: Result<Reply, SandboxError>| -> io::Result<()> {
        let message = Message::Reply {
            sequence: request.sequence,
            result,
            fds: 0,
        };
        write(&socket, &frame(&message).map_err(io::Error::other)?)
    };
    // Signals become readable before anything can end, and before the socket is there.
    let prepared = serve::Shim::signals()
        .map_err(|error| SandboxError::runtime("setting up signals", error))
        .and_then(|signals| Ok((signals, setup::sandbox(folder, &setup)?)))
        .and_then(|(signals, ready)| {
            let listener = listen(folder).map_err(|error| SandboxError::runtime("listening", error))?;
            serve::Shim::new(folder.to_path_buf(), *setup, ready, signals, listener)
        });
    match prepared {
        Err(error) => answer(Err(error)),
        Ok(mut shim) => {
            answer(Ok(Reply::Described(Box::new(shim.describe()))))?;
            shim.adopt(socket)?;
            shim.serve()
        }
    }
}

fn read(socket: &OwnedFd, decoder: &mut Decoder) -> io::Result<Request> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(request) = decoder.next()? {
            return Ok(request);
        }
        let count = receive(socket, &mut buffer, decoder.fds())?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        decoder.push(&buffer[..count]);
    }
}

fn write(socket: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = send(socket, bytes, &[])?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// A path of any length as one that a socket's address can hold (108 bytes), as long as the folder is open.
pub(crate) fn short(folder: &impl AsFd, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_fd().as_raw_fd()))
}

fn listen(folder: &Path) -> io::Result<OwnedFd> {
    let open = File::open(folder)?;
    let listener = std::os::unix::net::UnixListener::bind(short(&open, SOCKET))?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}
