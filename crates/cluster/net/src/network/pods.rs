//! The links of pods: who has which, and who has had one when the server came back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::cluster::{Inner, locked};
use super::error::{NetError, VETH, allowed, kernel, read};
use super::ground::{Bridge, open, remove, set};
use crate::addresses::{self, Addresses};
use crate::link::{self, Link, Namespace, PodLink};
use crate::netlink::{Messages, Socket};

pub(super) struct Pods {
    pub addresses: Addresses,
    pub links: BTreeMap<String, Pod>,
}

pub(super) struct Pod {
    pub address: Ipv4Addr,
    pub index: u32,
    pub namespace: Namespace,
}

/// How a pod is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its network namespace, for any process of this machine, while the network is held.
    pub netns: PathBuf,
    /// Its address.
    pub address: Ipv4Addr,
    /// The node's address on the bridge: its way out, and where the API, DNS and others listen for it.
    pub gateway: Ipv4Addr,
}

impl Inner {
    pub(super) fn attach(&self, uid: &str) -> Result<Attachment, NetError> {
        let address = {
            let mut pods = locked(&self.pods);
            if let Some(pod) = pods.links.get(uid) {
                return Ok(self.told(pod));
            }
            pods.addresses.take(uid)?
        };
        match self.link(uid, address) {
            Ok(pod) => {
                let told = self.told(&pod);
                locked(&self.pods).links.insert(uid.to_owned(), pod);
                Ok(told)
            }
            Err(error) => {
                let mut pods = locked(&self.pods);
                // Somebody else may have been faster with the same pod.
                if !pods.links.contains_key(uid) {
                    pods.addresses.release(uid);
                }
                Err(error)
            }
        }
    }

    pub(super) fn link(&self, uid: &str, address: Ipv4Addr) -> Result<Pod, NetError> {
        let namespace = Namespace::create().map_err(allowed)?;
        let mut inside = namespace.run(|| {
            settings_inside();
            open()
        })??;
        let name = pod_link_name(&self.options.id, uid);
        let mut messages = Messages::new();
        link::pod_link(
            &mut messages,
            PodLink {
                name: &name,
                alias: &alias(uid, address),
                bridge: self.bridge.index,
                address,
                mtu: self.bridge.mtu,
                namespace: namespace.as_fd(),
            },
        );
        let made = locked(&self.adding).request(&messages);
        made.map_err(|error| kernel("make the pod's link", error, VETH))?;
        let ends = read(link::links(&mut inside))?;
        let end = ends.iter().find(|end| end.name == link::POD_END);
        let index = end.map(|end| end.index).ok_or(NetError::Stopped)?;
        let mut messages = Messages::new();
        link::pod_inside(&mut messages, index, address, self.bridge.network.nth(1));
        inside
            .request(&messages)
            .map_err(|error| kernel("give the pod its address", error, VETH))?;
        let index = read(link::link_index(&mut locked(&self.adding), &name))?;
        Ok(Pod {
            address,
            index: index.ok_or(NetError::Stopped)?,
            namespace,
        })
    }

    pub(super) fn detach(&self, uid: &str) -> Result<(), NetError> {
        let Some(pod) = locked(&self.pods).links.remove(uid) else {
            return Ok(());
        };
        let removed = remove(&mut locked(&self.removing), &[pod.index]);
        // Only now: nobody else may get the address while the link lives.
        locked(&self.pods).addresses.release(uid);
        removed
    }

    pub(super) fn told(&self, pod: &Pod) -> Attachment {
        Attachment {
            netns: pod.namespace.path(),
            address: pod.address,
            gateway: self.bridge.network.nth(1),
        }
    }
}

fn pod_link_name(id: &str, uid: &str) -> String {
    let hash = |seed: &str| addresses::spread(format!("{seed}{id}/{uid}").as_bytes());
    format!("dp{:08x}{:04x}", hash("a"), hash("b") >> 16)
}

/// The record of who has which address: `pod <uid> <address>` on the node's end of the link.
fn alias(uid: &str, address: Ipv4Addr) -> String {
    format!("pod {uid} {address}")
}

fn read_alias(alias: &str) -> Option<(&str, Ipv4Addr)> {
    let (uid, address) = alias.strip_prefix("pod ")?.rsplit_once(' ')?;
    Some((uid, address.parse().ok()?))
}

/// Pods whose link is there and in whose namespace a process lives are ours again; other links lead nowhere.
pub(super) fn adopt(socket: &mut Socket, bridge: &Bridge, links: &[Link]) -> Result<Pods, NetError> {
    let ports: Vec<&Link> = links
        .iter()
        .filter(|link| link.master == Some(bridge.index))
        .collect();
    let mut pods = Pods {
        addresses: Addresses::new(bridge.network),
        links: BTreeMap::new(),
    };
    if ports.is_empty() {
        return Ok(pods);
    }
    let mut alive = living_namespaces(socket);
    let mut dead = Vec::new();
    for port in ports {
        let known = read_alias(&port.alias);
        let namespace = port.peer_namespace.and_then(|number| alive.remove(&number));
        match (known, namespace) {
            (Some((uid, address)), Some(namespace)) if pods.addresses.claim(uid, address) => {
                let index = port.index;
                pods.links.insert(
                    uid.to_owned(),
                    Pod {
                        address,
                        index,
                        namespace,
                    },
                );
            }
            _ => dead.push(port.index),
        }
    }
    remove(socket, &dead)?;
    Ok(pods)
}

/// The namespaces of all processes, by the number that ours knows them by. Processes come and go meanwhile: what
/// cannot be opened is gone.
fn living_namespaces(socket: &mut Socket) -> BTreeMap<u32, Namespace> {
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if !process
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        let path = process.path().join("ns/net");
        let Ok(identity) = std::fs::read_link(&path) else {
            continue;
        };
        if !seen.insert(identity) {
            continue;
        }
        let Ok(namespace) = Namespace::open(path) else {
            continue;
        };
        if let Ok(Some(number)) = link::namespace_number(socket, namespace.as_fd()) {
            found.insert(number, namespace);
        }
    }
    found
}

/// Settings of a pod's namespace; who runs in it may still have others.
fn settings_inside() {
    // Packets between pods pass the gateway although a shorter way exists; nobody in the pod shall believe who says so.
    let quiet = ["all", "default"].map(|link| (format!("net/ipv4/conf/{link}/accept_redirects"), "0"));
    // As containerd 2 has it: no capability is needed to listen on port 80 and to ping.
    let open = [
        ("net/ipv4/ip_unprivileged_port_start".to_owned(), "0"),
        ("net/ipv4/ping_group_range".to_owned(), "0\t2147483647"),
    ];
    for (name, value) in quiet.into_iter().chain(open) {
        // A kernel without the setting has a pod without it.
        drop(set(&name, value));
    }
}
