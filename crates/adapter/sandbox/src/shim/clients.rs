//! Connections to a shim: what they have sent in part, and what they have not taken yet.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::limits::MAX_FRAME_BYTES;
use crate::wire::{Decoder, Message, Request, frame, receive, send};

/// One connection.
#[derive(Default)]
pub(super) struct Client {
    pub(super) number: u64,
    socket: Option<OwnedFd>,
    decoder: Decoder,
    queue: VecDeque<Outgoing>,
    queued_bytes: usize,
}

struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<OwnedFd>,
}

impl Client {
    pub(super) fn new(number: u64, socket: OwnedFd) -> io::Result<Client> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Client {
            number,
            socket: Some(socket),
            ..Client::default()
        })
    }

    pub(super) fn socket(&self) -> Option<&OwnedFd> {
        self.socket.as_ref()
    }

    pub(super) fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What it has sent since the last time. An error closes the connection.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Vec<(Request, Vec<OwnedFd>)> {
        let mut requests = Vec::new();
        if let Err(error) = self.try_read(buffer, &mut requests)
            && error.kind() != io::ErrorKind::WouldBlock
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.socket = None;
        }
        requests
    }

    fn try_read(&mut self, buffer: &mut [u8], requests: &mut Vec<(Request, Vec<OwnedFd>)>) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        let count = receive(socket.as_fd(), buffer, self.decoder.fds())?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.decoder.push(&buffer[..count]);
        while let Some(request) = self.decoder.next::<Request>()? {
            let fds = self.decoder.take_fds(request.fds)?;
            requests.push((request, fds));
        }
        Ok(())
    }

    /// Says something, now or when it takes it. Who lets too much pile up is left.
    pub(super) fn say(&mut self, message: &Message, fds: Vec<OwnedFd>) {
        if self.socket.is_none() {
            return;
        }
        match frame(message) {
            Ok(bytes) if self.queued_bytes + bytes.len() <= 2 * MAX_FRAME_BYTES => {
                self.queued_bytes += bytes.len();
                self.queue.push_back(Outgoing { bytes, sent: 0, fds });
                self.write();
            }
            _ => self.socket = None,
        }
    }

    /// Sends what it takes.
    pub(super) fn write(&mut self) {
        while let (Some(socket), Some(first)) = (&self.socket, self.queue.front_mut()) {
            let fds: Vec<_> = first.fds.iter().map(AsFd::as_fd).collect();
            match send(socket.as_fd(), &first.bytes[first.sent..], &fds) {
                Ok(count) => {
                    first.sent += count;
                    self.queued_bytes -= count;
                    // They have gone with the first byte.
                    first.fds.clear();
                    if first.sent == first.bytes.len() {
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.socket = None,
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Sends all that is left, waiting for it: the last thing before the end.
    pub(super) fn flush(&mut self) {
        if let Some(socket) = &self.socket
            && rustix::io::ioctl_fionbio(socket, false).is_ok()
        {
            let patience = Some(std::time::Duration::from_secs(1));
            let _ = rustix::net::sockopt::set_socket_timeout(
                socket,
                rustix::net::sockopt::Timeout::Send,
                patience,
            );
            self.write();
        }
    }
}
