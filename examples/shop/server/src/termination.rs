//! SIGTERM and SIGINT. The standard library has no signals, and the first process of a container has no default for
//! them: without a handler the kernel drops SIGTERM, and the pod would be killed after its grace period, with its
//! requests. So this is the one place that calls the C library, which the binary contains anyway.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIG_ERR: usize = usize::MAX;

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
    fn write(file: i32, bytes: *const u8, count: usize) -> isize;
}

/// The writing end of the pair, for the handler. It is never closed.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Told once the process shall end.
pub struct Termination {
    reader: UnixStream,
    _writer: UnixStream,
}

/// Installs the handlers.
pub fn watch() -> io::Result<Termination> {
    let (reader, writer) = UnixStream::pair()?;
    // A second signal finds the buffer in use or not; the handler must not wait in either case.
    writer.set_nonblocking(true)?;
    WAKE.store(writer.as_raw_fd(), Ordering::SeqCst);
    for number in [SIGTERM, SIGINT] {
        let handler: extern "C" fn(i32) = on_signal;
        // SAFETY: `signal` takes a signal number and the address of a function that takes an int; `on_signal` is one,
        // lives for the whole program, and calls only what POSIX lists as safe in a handler.
        if unsafe { signal(number, handler as usize) } == SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(Termination { reader, _writer: writer })
}

impl Termination {
    /// Blocks until SIGTERM or SIGINT came.
    pub fn wait(mut self) {
        let mut byte = [0];
        // An error means that nobody can ever wake us: end, rather than hang.
        let _ = self.reader.read_exact(&mut byte);
    }
}

extern "C" fn on_signal(_number: i32) {
    let byte = 1_u8;
    // SAFETY: `write` is async-signal-safe; the pointer is to one byte that outlives the call, and the descriptor
    // belongs to a socket that stays open.
    unsafe { write(WAKE.load(Ordering::SeqCst), &raw const byte, 1) };
}
