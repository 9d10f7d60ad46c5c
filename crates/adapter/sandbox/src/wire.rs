//! The protocol between client and shim: frames of JSON behind a length of four bytes, big endian. File descriptors
//! travel with the first byte of the frame that names their number.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::SandboxError;
use crate::limits::{MAX_FRAME_BYTES, MAX_FRAME_FDS};
use crate::spec::{ContainerInfo, ContainerSpec, Event, ExecSpec, Exit, SandboxSpec};

/// What the server asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) sequence: u64,
    pub(crate) body: RequestBody,
    /// File descriptors that come with it.
    pub(crate) fds: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum RequestBody {
    /// The first one of all.
    Create(Box<Setup>),
    Describe,
    CreateContainer(Box<ContainerSpec>),
    Start {
        id: String,
    },
    Kill {
        id: String,
        signal: i32,
        all: bool,
    },
    Remove {
        id: String,
    },
    /// With the process' ends of the pipes, if it has no terminal: standard input if asked for, output, error.
    Exec {
        id: String,
        spec: Box<ExecSpec>,
    },
    KillExec {
        exec: u64,
        signal: i32,
    },
    /// With the shim's ends of the pipes: output, error.
    Attach {
        id: String,
    },
    /// Ends everything, the shim too.
    Stop,
}

/// What a shim needs to know beyond the specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) spec: SandboxSpec,
    /// Absolute in the cgroup hierarchy: `/deploy-1234abcd`.
    pub(crate) cgroup_parent: String,
    /// The program of another runtime.
    pub(crate) runc: Option<std::path::PathBuf>,
}

/// What the shim says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    Reply {
        sequence: u64,
        result: Result<Reply, SandboxError>,
        fds: usize,
    },
    Event(Event),
    ExecExited {
        exec: u64,
        exit: Exit,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Described(Box<Description>),
    Created(Box<ContainerInfo>),
    /// With the terminal, if it has one.
    Executing {
        exec: u64,
        pid: u32,
    },
    /// With its standard input, if it has one: the terminal, or the writing end of a pipe.
    Attached {
        tty: bool,
        stdin: bool,
    },
}

/// All that is known of a sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) pid: u32,
    pub(crate) setup: Setup,
    pub(crate) containers: BTreeMap<String, ContainerInfo>,
}

/// A frame of what is said.
pub(crate) fn frame(message: &impl Serialize) -> Result<Vec<u8>, SandboxError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)
        .map_err(|error| SandboxError::Invalid(format!("not expressible in JSON: {error}")))?;
    let length = bytes.len() - 4;
    if length > MAX_FRAME_BYTES {
        return Err(SandboxError::Limit(format!(
            "the request has {length} bytes, more than {MAX_FRAME_BYTES}"
        )));
    }
    let header = u32::try_from(length).expect("MAX_FRAME_BYTES fits 32 bits");
    bytes[..4].copy_from_slice(&header.to_be_bytes());
    Ok(bytes)
}

/// Puts what arrives together again.
#[derive(Default)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn fds(&mut self) -> &mut VecDeque<OwnedFd> {
        &mut self.fds
    }

    /// The next whole frame, if it is there.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(header) = self.bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > MAX_FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
        }
        let Some(body) = self.bytes.get(4..4 + length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.bytes.drain(..4 + length);
        if self.bytes.is_empty() {
            // What a large specification needed is given back.
            self.bytes = Vec::new();
        }
        Ok(Some(message))
    }

    /// The file descriptors that came with a frame.
    pub(crate) fn take_fds(&mut self, count: usize) -> io::Result<Vec<OwnedFd>> {
        if count > self.fds.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "file descriptors are missing",
            ));
        }
        Ok(self.fds.drain(..count).collect())
    }
}

/// Sends bytes, and file descriptors with the first of them. How many bytes went.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FRAME_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many file descriptors",
        ));
    }
    Ok(sendmsg(
        socket,
        &[io::IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?)
}

/// Receives bytes and whatever file descriptors come with them.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    fds: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FRAME_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [io::IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = ancillary {
            fds.extend(received);
        }
    }
    if fds.len() > 4 * MAX_FRAME_FDS {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "too many file descriptors",
        ));
    }
    Ok(message.bytes)
}
