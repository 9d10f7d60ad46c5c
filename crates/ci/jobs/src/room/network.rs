//! The network of jobs: each has a namespace of its own, with a way out or without.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use rustix::thread::UnshareFlags;

use super::blocking;
use crate::Later;
use crate::error::JobsError;

/// Which network jobs get.
#[derive(Clone, Default)]
pub enum Way {
    /// One of their own, with a way out.
    Out(Arc<dyn Exits>),
    /// One of their own, with nothing but a loopback.
    #[default]
    Nowhere,
    /// The machine's.
    Machine,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Way::Out(_) => "Out",
            Way::Nowhere => "Nowhere",
            Way::Machine => "Machine",
        })
    }
}

/// What networks with a way out are made by: `deploy-cluster-net` behind it. Errors are for people.
pub trait Exits: Send + Sync + 'static {
    /// Makes what all jobs share, under a name of eight letters and digits.
    fn open(&self, id: &str) -> Later<'_, Result<Arc<dyn Exit>, String>>;

    /// Removes what a server that was killed has left under this name.
    fn sweep(&self, id: &str) -> Later<'_, ()>;
}

/// One way out, that all jobs of a server share.
pub trait Exit: Send + Sync + 'static {
    /// A namespace for a job: the file that it is entered by, and the job's address.
    fn join(&self, job: &str) -> Later<'_, Result<(PathBuf, String), String>>;

    /// Takes it away.
    fn leave(&self, job: &str) -> Later<'_, Result<(), String>>;

    /// Removes all of it.
    fn close(&self) -> Later<'_, Result<(), String>>;
}

/// The networks of all jobs of a server.
pub(super) enum Networks {
    Out(Arc<dyn Exit>),
    Nowhere,
    Machine,
}

/// The network of one job. What the sandbox enters at its start it holds itself afterwards.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// The namespace's file; none is the machine's.
    pub(super) path: Option<PathBuf>,
    /// The job's address, where it has a way out.
    pub(super) address: Option<String>,
    attached: Option<String>,
    _namespace: Option<File>,
}

impl Networks {
    /// `id` names what they share.
    pub(super) async fn open(way: &Way, id: &str) -> Result<Networks, JobsError> {
        match way {
            Way::Nowhere => Ok(Networks::Nowhere),
            Way::Machine => Ok(Networks::Machine),
            Way::Out(exits) => Ok(Networks::Out(exits.open(id).await.map_err(JobsError::Network)?)),
        }
    }

    /// Gives a job its network.
    pub(super) async fn join(&self, job: &str) -> Result<Joined, JobsError> {
        match self {
            Networks::Machine => Ok(Joined::default()),
            Networks::Nowhere => {
                let namespace = blocking(own).await.map_err(JobsError::Namespace)?;
                Ok(Joined {
                    path: Some(PathBuf::from(format!(
                        "/proc/{}/fd/{}",
                        std::process::id(),
                        namespace.as_raw_fd()
                    ))),
                    _namespace: Some(namespace),
                    ..Joined::default()
                })
            }
            Networks::Out(exit) => {
                let (path, address) = exit.join(job).await.map_err(JobsError::Network)?;
                Ok(Joined {
                    path: Some(path),
                    address: Some(address),
                    attached: Some(job.to_owned()),
                    _namespace: None,
                })
            }
        }
    }

    /// Takes a job's network away.
    pub(super) async fn leave(&self, joined: &Joined) -> Result<(), JobsError> {
        match (self, &joined.attached) {
            (Networks::Out(exit), Some(job)) => exit.leave(job).await.map_err(JobsError::Network),
            _ => Ok(()),
        }
    }

    /// Removes what they share.
    pub(super) async fn close(self) -> Result<(), JobsError> {
        match self {
            Networks::Out(exit) => exit.close().await.map_err(JobsError::Network),
            _ => Ok(()),
        }
    }
}

/// A namespace whose loopback is up. Only a thread of its own moves, and ends.
fn own() -> io::Result<File> {
    let made = std::thread::Builder::new()
        .name("netns".to_owned())
        .spawn(|| -> io::Result<File> {
            #[expect(deprecated, reason = "CLONE_NEWNET endangers no descriptor of another thread")]
            rustix::thread::unshare(UnshareFlags::NEWNET)?;
            loopback_up()?;
            File::open("/proc/thread-self/ns/net")
        })?;
    made.join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One message of rtnetlink: `ip link set lo up` (include/uapi/linux/rtnetlink.h, netlink.h, if.h).
fn loopback_up() -> io::Result<()> {
    const NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
    const ERROR: u16 = 2;
    const UP: u32 = 1;
    const LOOPBACK: u32 = 1;
    const LENGTH: u32 = 32;
    let mut message = Vec::new();
    message.extend_from_slice(&LENGTH.to_ne_bytes());
    message.extend_from_slice(&NEWLINK.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    // Sequence and port, then an ifinfomsg: family and type, index, flags, and which of them change.
    for number in [1, 0, 0, LOOPBACK, UP, UP] {
        message.extend_from_slice(&u32::to_ne_bytes(number));
    }
    // No protocol is the first one, NETLINK_ROUTE.
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sendto(
        &socket,
        &message,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut answer = [0; 256];
    let (_, count) = recv(&socket, &mut answer, RecvFlags::empty())?;
    let number = |at: usize| -> Option<i32> {
        Some(i32::from_ne_bytes(
            answer[..count].get(at..at + 4)?.try_into().ok()?,
        ))
    };
    let kind = answer
        .get(4..6)
        .map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match (kind, number(16)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        _ => Err(io::Error::other("rtnetlink gave no answer")),
    }
}
