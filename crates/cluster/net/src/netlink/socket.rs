use std::io;
use std::os::fd::{AsRawFd, RawFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, netlink, sockopt};

use super::{Attribute, Attributes, DUMP, HEADER, Messages};
use crate::limits;

/// Whom a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, routes: `NETLINK_ROUTE`.
    Route,
    /// nf_tables and conntrack: `NETLINK_NETFILTER`.
    Netfilter,
}

/// A conversation with the kernel did not go as meant.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No socket, or it broke.
    #[error("netlink socket")]
    Socket(#[source] io::Error),
    /// The kernel refused a message.
    #[error("the kernel refused message {place} of {total} (type {kind:#x}): {errno}{}{text}", if text.is_empty() { "" } else { ": " })]
    Refused {
        /// Which message, from 1.
        place: u32,
        /// Of how many.
        total: usize,
        /// Its type.
        kind: u16,
        /// Why.
        errno: Errno,
        /// The kernel's own words, where it has some.
        text: String,
    },
    /// The kernel did not answer in time.
    #[error("the kernel did not answer")]
    Silent,
}

impl NetlinkError {
    /// True where the kernel refused with this error.
    pub fn is(&self, wanted: Errno) -> bool {
        matches!(self, NetlinkError::Refused { errno, .. } if *errno == wanted)
    }
}

/// A message from the kernel.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its type.
    pub kind: u16,
    /// The socket ([`Socket::port`]) whose request this is about.
    pub port: u32,
    /// All after its header.
    pub body: Vec<u8>,
}

impl Answer {
    /// The attributes after a fixed part of `fixed` bytes.
    pub fn attributes(&self, fixed: usize) -> Attributes<'_> {
        Attributes::new(self.body.get(fixed..).unwrap_or_default())
    }
}

/// A netlink socket, in the network namespace of the thread that opened it.
pub struct Socket {
    inner: netlink_sys::Socket,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`]
    pub fn open(family: Family) -> Result<Socket, NetlinkError> {
        Self::listening(family, 0)
    }

    /// Opens one that also hears of the multicast groups of this mask.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`]
    pub fn listening(family: Family, groups: u32) -> Result<Socket, NetlinkError> {
        let protocol = match family {
            Family::Route => netlink_sys::protocols::NETLINK_ROUTE,
            Family::Netfilter => netlink_sys::protocols::NETLINK_NETFILTER,
        };
        let open = || -> io::Result<netlink_sys::Socket> {
            let mut socket = netlink_sys::Socket::new(protocol)?;
            socket.bind(&netlink_sys::SocketAddr::new(0, groups))?;
            socket.set_ext_ack(true)?;
            // Without the request in each error the answers stay small; its sequence number says which one it was.
            socket.set_cap_ack(true)?;
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(limits::ANSWER))?;
            // A ruleset goes to the kernel in one piece, whatever net.core.wmem_max says. Without the right to do
            // so the usual bound stays, and a message that is too long for it is an error of its own.
            let _ = sockopt::set_socket_send_buffer_size_force(&socket, limits::SEND_BUFFER_BYTES);
            let _ = sockopt::set_socket_recv_buffer_size_force(&socket, limits::RECEIVE_BUFFER_BYTES);
            Ok(socket)
        };
        let inner = open().map_err(NetlinkError::Socket)?;
        Ok(Socket {
            inner,
            buffer: vec![0; limits::RECEIVE_BYTES],
        })
    }

    /// By which news name this socket as their cause.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`]
    pub fn port(&self) -> Result<u32, NetlinkError> {
        let mut address = netlink_sys::SocketAddr::new(0, 0);
        self.inner
            .get_address(&mut address)
            .map_err(NetlinkError::Socket)?;
        Ok(address.port_number())
    }

    /// Sends messages in one piece. The first refusal is the error; the messages after it have been carried out or
    /// not, as the family does it (rtnetlink: they have; a batch of nf_tables: none of all has).
    ///
    /// # Errors
    /// As [`NetlinkError`] says.
    pub fn request(&mut self, messages: &Messages) -> Result<(), NetlinkError> {
        // The kernel works while we are inside `send`: when it returns, all answers wait.
        self.send(messages)?;
        let mut missing = messages.asking();
        let mut refused = None;
        while let Some(bytes) = self.receive(RecvFlags::DONTWAIT)? {
            for (sequence, answer) in split(&bytes) {
                if answer.kind != ERROR {
                    continue;
                }
                match refusal(sequence, &answer, messages.len()) {
                    Some(error) => drop(refused.get_or_insert(error)),
                    None => missing = missing.saturating_sub(1),
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None if missing > 0 => Err(NetlinkError::Silent),
            None => Ok(()),
        }
    }

    /// Asks one question and gathers all answers.
    ///
    /// # Errors
    /// As [`NetlinkError`] says.
    pub fn dump(
        &mut self,
        kind: u16,
        fixed: &[u8],
        attributes: impl FnOnce(&mut Messages),
    ) -> Result<Vec<Answer>, NetlinkError> {
        let mut question = Messages::new();
        question.push(kind, DUMP, fixed, attributes);
        self.send(&question)?;
        let mut answers = Vec::new();
        loop {
            let bytes = self.receive(RecvFlags::empty())?.ok_or(NetlinkError::Silent)?;
            for (sequence, answer) in split(&bytes) {
                match answer.kind {
                    DONE => return Ok(answers),
                    ERROR => return refusal(sequence, &answer, 1).map_or(Ok(answers), Err),
                    _ => answers.push(answer),
                }
            }
        }
    }

    /// Asks for one thing: its answer.
    ///
    /// # Errors
    /// As [`NetlinkError`] says.
    pub fn get(
        &mut self,
        kind: u16,
        fixed: &[u8],
        attributes: impl FnOnce(&mut Messages),
    ) -> Result<Option<Answer>, NetlinkError> {
        let mut question = Messages::new();
        question.push(kind, 0, fixed, attributes);
        self.send(&question)?;
        let mut found = None;
        while let Some(bytes) = self.receive(RecvFlags::DONTWAIT)? {
            for (sequence, answer) in split(&bytes) {
                match answer.kind {
                    ERROR => {
                        if let Some(error) = refusal(sequence, &answer, 1) {
                            return Err(error);
                        }
                    }
                    _ => found = Some(answer),
                }
            }
        }
        Ok(found)
    }

    /// The news that wait at a listening socket; none where there are none at the moment. Lost news are an error with
    /// `ENOBUFS` inside.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`]
    pub fn news(&mut self) -> Result<Vec<Answer>, NetlinkError> {
        let bytes = self.receive(RecvFlags::DONTWAIT)?;
        Ok(split(&bytes.unwrap_or_default())
            .into_iter()
            .map(|(_, answer)| answer)
            .collect())
    }

    fn send(&mut self, messages: &Messages) -> Result<(), NetlinkError> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.inner, messages.bytes(), SendFlags::empty(), &kernel)
            .map(drop)
            .map_err(|errno| NetlinkError::Socket(errno.into()))
    }

    /// None where nothing came (in time).
    fn receive(&mut self, flags: RecvFlags) -> Result<Option<Vec<u8>>, NetlinkError> {
        match rustix::net::recv(&self.inner, self.buffer.as_mut_slice(), flags) {
            Ok((length, _)) => Ok(Some(self.buffer[..length.min(self.buffer.len())].to_vec())),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(NetlinkError::Socket(errno.into())),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

/// `NLMSG_ERROR`: also the answer that all is well.
const ERROR: u16 = 2;
/// `NLMSG_DONE`
const DONE: u16 = 3;
/// `NLM_F_CAPPED`: the error carries the header of its request only.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: the error carries attributes.
const TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`
const MESSAGE: u16 = 1;

/// The messages in what was received, each with its sequence number.
fn split(bytes: &[u8]) -> Vec<(u32, Answer)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(header) = rest.get(..HEADER) {
        let number =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = number(0) as usize;
        let Some(body) = rest.get(HEADER..length) else {
            break;
        };
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let mut body = body.to_vec();
        if kind == ERROR {
            // The flags are part of what an error says; nothing else needs them.
            body.extend_from_slice(&header[6..8]);
        }
        let port = number(12);
        found.push((number(8), Answer { kind, port, body }));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// None where the error says that all is well.
fn refusal(sequence: u32, answer: &Answer, total: usize) -> Option<NetlinkError> {
    let (body, flags) = answer.body.split_last_chunk::<2>()?;
    let flags = u16::from_ne_bytes(*flags);
    let code = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
    if code == 0 {
        return None;
    }
    let request = body.get(4..4 + HEADER)?;
    let length = u32::from_ne_bytes([request[0], request[1], request[2], request[3]]) as usize;
    let carried = if flags & CAPPED == 0 {
        length.max(HEADER)
    } else {
        HEADER
    };
    let words = (flags & TLVS != 0)
        .then(|| Attributes::new(body.get(4 + carried..).unwrap_or_default()).get(MESSAGE))
        .flatten();
    Some(NetlinkError::Refused {
        place: sequence,
        total,
        kind: u16::from_ne_bytes([request[4], request[5]]),
        errno: Errno::from_raw_os_error(code.wrapping_neg()),
        text: words.and_then(Attribute::text).unwrap_or_default().to_owned(),
    })
}
