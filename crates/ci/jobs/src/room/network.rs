//! The network of jobs: each has a namespace of its own, with a way out or without.

use std::path::PathBuf;

use deploy_cluster_net::addresses::Cidr;
use deploy_cluster_net::link::Namespace;
use deploy_cluster_net::netlink::{ACK, Family, Messages, Socket};
use deploy_cluster_net::network::{self, NetError, Network};

use super::blocking;
use crate::error::JobsError;

/// Which network jobs get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// One of their own, with a way out through a bridge and a table of this machine.
    #[default]
    Out,
    /// One of their own, with nothing but a loopback.
    Nowhere,
    /// The machine's.
    Machine,
}

/// The networks of all jobs of a server.
pub(super) enum Networks {
    Out(Network),
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
    _namespace: Option<Namespace>,
}

/// Jobs have no services. The network wants a range for them all the same: one that is for documents only (RFC 5737).
const NO_SERVICES: &str = "192.0.2.0/24";

// include/uapi/linux/rtnetlink.h, if.h
const NEWLINK: u16 = 16;
const LOOPBACK: u32 = 1;
const IFF_UP: u32 = 1;

impl Networks {
    /// `id` names bridge and table.
    pub(super) async fn open(way: Way, id: &str) -> Result<Networks, JobsError> {
        match way {
            Way::Nowhere => Ok(Networks::Nowhere),
            Way::Machine => Ok(Networks::Machine),
            Way::Out => {
                let options = network::Options {
                    id: id.to_owned(),
                    service_range: NO_SERVICES.parse::<Cidr>().expect("the constant is a range"),
                    node_name: "ci".to_owned(),
                };
                let network = blocking(move || Network::start(options)).await;
                Ok(Networks::Out(network.map_err(JobsError::Network)?))
            }
        }
    }

    /// Gives a job its network.
    pub(super) async fn join(&self, job: &str) -> Result<Joined, JobsError> {
        match self {
            Networks::Machine => Ok(Joined::default()),
            Networks::Nowhere => {
                let namespace = blocking(own).await?;
                Ok(Joined {
                    path: Some(namespace.path()),
                    _namespace: Some(namespace),
                    ..Joined::default()
                })
            }
            Networks::Out(network) => {
                let attachment = network.attach(job).await.map_err(JobsError::Network)?;
                Ok(Joined {
                    path: Some(attachment.netns),
                    address: Some(attachment.address.to_string()),
                    attached: Some(job.to_owned()),
                    _namespace: None,
                })
            }
        }
    }

    /// Takes a job's network away.
    pub(super) async fn leave(&self, joined: &Joined) -> Result<(), JobsError> {
        match (self, &joined.attached) {
            (Networks::Out(network), Some(job)) => network.detach(job).await.map_err(JobsError::Network),
            _ => Ok(()),
        }
    }

    /// Removes bridge and table.
    pub(super) async fn close(self) -> Result<(), JobsError> {
        match self {
            Networks::Out(network) => network.down().await.map_err(JobsError::Network),
            _ => Ok(()),
        }
    }
}

/// A namespace whose loopback is up.
fn own() -> Result<Namespace, JobsError> {
    let namespace = Namespace::create().map_err(JobsError::Namespace)?;
    let up = namespace.run(|| {
        let mut socket = Socket::open(Family::Route)?;
        let mut messages = Messages::new();
        let mut header = vec![0; 4];
        header.extend_from_slice(&LOOPBACK.to_ne_bytes());
        header.extend_from_slice(&IFF_UP.to_ne_bytes());
        header.extend_from_slice(&IFF_UP.to_ne_bytes());
        messages.push(NEWLINK, ACK, &header, |_| ());
        socket.request(&messages)
    });
    let up = up.map_err(JobsError::Namespace)?;
    up.map_err(|source| {
        JobsError::Network(NetError::Kernel {
            doing: "set the job's loopback up",
            source,
        })
    })?;
    Ok(namespace)
}
